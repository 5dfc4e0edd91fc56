"""The pictures of the page: quality over time, quality per frame, the reference's curve. SVG with text as text."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["Curve", "curves", "quality_of_frames", "quality_over_time"]

#: Values over something: (x, y).
Curve = tuple[Sequence[float], Sequence[float]]

# Any: what matplotlib accepts here is typed differently from version to version.
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text, and the files small
    "svg.hashsalt": "reelprior",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
_COLUMNS = 4


def quality_over_time(points: Mapping[str, tuple[float, float]], *, reference: float, bar: str) -> str:
    """Methods as points.

    Parameters
    ----------
    points
        (seconds per frame, PSNR over the bar's in dB) by method.
    reference
        Seconds per frame of the published per-frame method: a line.
    bar
        The method whose PSNR is zero here.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 4), layout="constrained")
        axes = figure.add_subplot()
        for method, (seconds, psnr) in points.items():
            ours = method.startswith("reelprior")
            axes.plot(seconds, psnr, marker="D" if ours else "o", color="C3" if ours else "C0")
            below = method == bar  # its other profile is close by
            axes.annotate(
                method, (seconds, psnr), xytext=(6, -11 if below else 4), textcoords="offset points"
            )
        axes.axvline(reference, color="0.4", linestyle="--")
        axes.annotate(
            "Deep Image Prior as published ",
            (reference, 0.02),
            xycoords=("data", "axes fraction"),
            ha="right",
            color="0.4",
        )
        axes.set_xscale("log")
        axes.set_xlabel("seconds per frame")
        axes.set_ylabel(f"PSNR over {bar}, dB (sigma 25, mean)")
        axes.margins(x=0.12, y=0.12)
        return _svg(figure)


def quality_of_frames(clips: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """PSNR of every frame, by clip and method."""
    rows = -(-len(clips) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 2.3 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, min(_COLUMNS, len(clips)), squeeze=False).ravel()
        for panel, (clip, methods) in zip(panels, clips.items(), strict=False):
            for method, psnrs in methods.items():
                _line(panel, (range(len(psnrs)), psnrs), method)
            panel.set_title(clip)
        for panel in panels[len(clips) :]:
            panel.set_visible(False)
        panels[0].set_ylabel("PSNR, dB")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        return _svg(figure)


def curves(lines: Mapping[str, Curve], levels: Mapping[str, float], *, x_label: str) -> str:
    """PSNR in dB over something, and single values as horizontal lines."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 4), layout="constrained")
        axes = figure.add_subplot()
        for name, curve in lines.items():
            _line(axes, curve, name)
        for name, level in levels.items():
            axes.axhline(level, color="C3" if name.startswith("reelprior") else "0.4", linestyle="--")
            axes.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), va="bottom")
        axes.set_xlabel(x_label)
        axes.set_ylabel("PSNR, dB")
        if lines:
            axes.legend(loc="lower right")
        return _svg(figure)


def _line(axes: Axes, curve: Curve, name: str) -> None:
    ours = name.startswith("reelprior")
    axes.plot(*curve, label=name, linewidth=1.6 if ours else 1, color="C3" if name == "reelprior" else None)


def _svg(figure: Figure) -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    # Trailing blanks inside the document mean nothing, and tidy files have none.
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n"
