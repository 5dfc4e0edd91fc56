"""Which plots a report has: from the numbers of the frames to titles, notes, lines and drawings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelprior.pipeline.comparison import FrameNumbers
from reelprior.pipeline.effort import FrameEffort
from reelprior.pipeline.plots import Line, LineStyle, line_plot

__all__ = ["Chart", "draw_charts"]

#: Widths of a plot for desktop and phone, in CSS pixels: its text stays readable on both.
_SIZES = {"wide": (820.0, 240.0), "narrow": (360.0, 240.0)}

#: Version of the clip: its name in a legend, colour and line.
_VERSIONS: dict[str, tuple[str, LineStyle]] = {
    "before": ("before", "--"),
    "baseline": ("cheap", ":"),
    "after": ("after", "-"),
}
_NAMES = {"before": "before", "baseline": "cheap filter", "after": "restored"}


@dataclass(frozen=True)
class Chart:
    """A plot with its title; one drawing for each width of page."""

    title: str
    note: str
    drawings: tuple[Markup, ...]


def draw_charts(
    frames: Sequence[FrameNumbers], efforts: Sequence[FrameEffort], *, expected_noise: float | None
) -> list[Chart]:
    """Every plot for which there are numbers.

    Parameters
    ----------
    frames
        Of the comparison.
    efforts
        Of the restored frames, as far as they are known.
    expected_noise
        Standard deviation in grey levels: what a residual of nothing but noise would have.
    """
    indices = [frame.index for frame in frames]
    charts = [
        _chart(
            "psnr",
            indices,
            _versions(frames, "psnr"),
            title="PSNR of each frame",
            note="Against the reference; higher is better.",
            unit="dB",
        ),
        _chart(
            "residual",
            indices,
            [_line(frames, "residual", "removed", "after"), *_level(indices, expected_noise)],
            title="What was removed",
            note="Standard deviation of before minus after. Far above the noise, picture was removed too; far below, "
            "noise was left.",
        ),
        _chart(
            "noise",
            indices,
            _versions(frames, "noise"),
            title="Noise of each frame",
            note="Measured on the finest details, so fine texture counts too.",
        ),
        _chart(
            "flicker",
            indices,
            _versions(frames, "flicker"),
            title="Flicker",
            note="How far a frame is from the mean of its neighbours in time. Uneven motion counts too, alike in all.",
        ),
        _chart(
            "seconds",
            [effort.index for effort in efforts],
            [Line("seconds", [effort.seconds for effort in efforts], "after")],
            title="Time for each frame",
            note=_effort_note(efforts),
            unit="s",
        ),
    ]
    return [chart for chart in charts if chart is not None]


def _versions(frames: Sequence[FrameNumbers], kind: str) -> list[Line]:
    lines = [
        _line(frames, f"{kind}_{version}", _NAMES[version], colour, style)
        for version, (colour, style) in _VERSIONS.items()
    ]
    return [line for line in lines if _finite(line)]


def _line(
    frames: Sequence[FrameNumbers], field: str, label: str, colour: str, style: LineStyle = "-"
) -> Line:
    values = [getattr(frame, field) for frame in frames]
    return Line(label, [math.nan if value is None else value for value in values], colour, style)


def _level(indices: Sequence[int], expected: float | None) -> list[Line]:
    return [] if expected is None else [Line("the noise it went by", [expected] * len(indices), "ink", ":")]


def _effort_note(efforts: Sequence[FrameEffort]) -> str:
    if not efforts:
        return ""
    steps = sum(effort.steps for effort in efforts) / len(efforts)
    return (
        f"Seconds of a worker between the first and the last step on a frame, over all passes; {steps:.0f} steps of "
        "the engine per frame. The first frame of a chunk starts from the key frame and gets more."
    )


def _finite(line: Line) -> list[float]:
    return [value for value in line.values if math.isfinite(value)]


def _chart(
    name: str,
    indices: Sequence[int],
    lines: Sequence[Line],
    *,
    title: str,
    note: str,
    unit: str = "grey levels",
) -> Chart | None:
    if not any(_finite(line) for line in lines):
        return None
    spans = "; ".join(
        f"{line.label} {min(values):.2f} to {max(values):.2f} {unit}"
        for line in lines
        if (values := _finite(line))
    )
    drawings = tuple(
        # Markup: matplotlib's own output, whose only foreign text, the description, is escaped there.
        Markup(
            line_plot(
                indices,
                lines,
                name=f"{name}-{width}",
                kind=width,
                y_label=unit,
                description=f"{title}: {spans}",
                size=size,
                from_zero=name != "psnr",
            )
        )
        for width, size in _SIZES.items()
    )
    return Chart(title, note, drawings)
