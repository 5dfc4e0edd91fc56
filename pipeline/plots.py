"""Per-frame plots for the report, as SVG that takes its colours from the page: dark pages get light lines."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

__all__ = ["Line", "LineStyle", "line_plot"]

# matplotlib writes literal colours only; these stand in for what the style sheet decides.
_INK = "#010101"
_STAND_INS = {
    _INK: "currentColor",
    "#010102": "var(--before)",
    "#010103": "var(--after)",
    "#010104": "var(--cheap)",
}
_COLOUR = {"ink": _INK, "before": "#010102", "after": "#010103", "cheap": "#010104"}

# Any: what matplotlib accepts here is typed differently from version to version.
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and drawn in the page's font
    "svg.hashsalt": "reelprior",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "legend.frameon": False,
}

LineStyle = Literal["-", "--", ":"]


@dataclass(frozen=True)
class Line:
    """One quantity over the frames."""

    label: str
    values: Sequence[float]
    """NaN where there is none."""
    colour: str
    """"before", "after", "cheap" or "ink"."""
    style: LineStyle = "-"
    """So that lines differ without their colours, too."""


def line_plot(
    frames: Sequence[int],
    lines: Sequence[Line],
    *,
    name: str,
    kind: str,
    y_label: str,
    description: str,
    size: tuple[float, float],
    from_zero: bool = False,
) -> str:
    """Draw lines over frame numbers.

    Parameters
    ----------
    frames
        Frame indices, the horizontal axis.
    lines
        Values that are not finite leave a gap.
    name
        What its ids begin with; once on a page.
    kind
        The element's class.
    description
        What a screen reader says instead of the picture.
    size
        Width and height in CSS pixels at which the text has its natural size.
    from_zero
        Begin the vertical axis at zero, so that small variations of an amount look small.

    Returns
    -------
    str
        An ``<svg>`` element without prolog, to be placed in HTML.
    """
    # Here, because it takes the better part of a second, and most jobs draw nothing.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(size[0] / 72, size[1] / 72), layout="constrained"
        )  # an SVG point becomes a pixel
        axes = figure.add_subplot()
        for line in lines:
            axes.plot(
                frames,
                line.values,
                color=_COLOUR[line.colour],
                linestyle=line.style,
                marker="o" if len(frames) <= 30 else "",
                markersize=3,
                label=line.label,
            )
        axes.set_xlabel("frame")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        if from_zero:
            axes.set_ylim(bottom=0)
        if len(lines) > 1:
            figure.legend(loc="outside upper left", ncols=len(lines))
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_html(drawn.getvalue(), name=name, kind=kind, description=description)


def _for_html(document: str, *, name: str, kind: str, description: str) -> str:
    svg = document[document.index("<svg") :]
    for stand_in, colour in _STAND_INS.items():
        svg = svg.replace(stand_in, colour)
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    # A page has one space of ids, and matplotlib gives every figure the same ones.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", svg)
    label = f'role="img" class="{kind}" aria-label="{escape(description, quote=True)}"'
    return re.sub(r'<svg\b(.*?) width="\S+" height="\S+"', rf"<svg {label}\1", svg, count=1)
