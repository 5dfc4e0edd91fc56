"""The report of a restoration: one HTML file that needs nothing beside it, no network and no server.

The page is ``report.html.jinja``; this module gathers what it shows. What a frame was before and after comes
from :mod:`reelprior.pipeline.comparison`, every other fact from the same object that ``--json`` prints, so
that the two cannot disagree.
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from reelprior.io.files import atomic_path
from reelprior.io.pictures import encode_jpeg, encode_png
from reelprior.pipeline.comparison import Comparison, FrameNumbers, Picture
from reelprior.pipeline.plots import Line, line_plot

__all__ = ["write_report"]

#: Pictures of at most so many pixels are inlined as PNG, exact to 8 bit. Noise does not compress: beyond that
#: a report would weigh tens of megabytes, and JPEG of high quality takes over (the page says which).
LOSSLESS_UP_TO_PIXELS = 400_000

#: Widths of the plot for desktop and phone, in CSS pixels: its text stays readable on both.
PLOT_SIZES = {"wide": (820, 280), "narrow": (380, 260)}

#: Facts whose name alone would not explain them.
FACT_LABELS = {
    "input": "Source",
    "frames": "Frames",
    "seconds": "Seconds in all",
    "seconds_per_frame": "Seconds per frame",
    "noise": "Noise",
    "streams": "Streams copied",
    "colour": "Colour",
}

#: Facts that are long and looked up rather than read: a table of their own, folded away.
TABLES = ("settings", "tone_curves", "versions")

#: Scores of :meth:`Comparison.scores` without their suffix: label, unit, digits, and what is better.
SCORES = {
    "psnr": ("PSNR", "dB", 2, "higher is better"),
    "ssim": ("SSIM", "", 4, "higher is better"),
    "frame_to_frame_error": ("Frame-to-frame error", "grey levels", 2, "lower is better"),
}


@dataclass(frozen=True)
class Panel:
    """One frame as the page shows it; the images are data URIs."""

    label: str
    index: int
    pts_seconds: float
    width: int
    height: int
    before: str
    after: str
    difference: str
    change: float
    lossless: bool


def write_report(path: str | Path, *, result: Mapping[str, object], comparison: Comparison) -> None:
    """Write the report of one restored clip.

    Parameters
    ----------
    path
        The HTML file; written beside and renamed, an existing one is replaced.
    result
        The object that ``--json`` prints. Its entries become rows of the facts, in their order; "settings"
        and "versions" become tables of their own. The comparison's scores are shown as scores.
    comparison
        Numbers and pictures.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    amplification = _amplification(comparison.pictures)
    change_of = {frame.index: frame.change for frame in comparison.frames}
    facts, tables = _facts(result, leave_out=comparison.scores())
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        resources.files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    )
    page = template.render(
        title=Path(str(result["input"])).name,
        panels=[_panel(picture, change_of[picture.index], amplification) for picture in comparison.pictures],
        amplified="not amplified" if amplification == 1 else f"amplified {amplification} times",
        scores=_score_rows(comparison),
        plots=_plots(comparison.frames),
        facts=facts,
        tables=tables,
    )
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _panel(picture: Picture, change: float, amplification: int) -> Panel:
    _, height, width = picture.after.shape
    lossless = height * width <= LOSSLESS_UP_TO_PIXELS
    return Panel(
        label=picture.label,
        index=picture.index,
        pts_seconds=picture.pts_seconds,
        width=width,
        height=height,
        before=_data_uri(picture.before, lossless=lossless),
        after=_data_uri(picture.after, lossless=lossless),
        difference=_data_uri(0.5 + amplification * (picture.after - picture.before), lossless=lossless),
        change=change,
        lossless=lossless,
    )


def _data_uri(pixels: NDArray[np.float32], *, lossless: bool) -> str:
    kind, data = ("png", encode_png(pixels)) if lossless else ("jpeg", encode_jpeg(pixels))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _amplification(pictures: Iterable[Picture]) -> int:
    """The power of two, 1 to 32, that spreads the differences over the grey scale; one for all pictures.

    Around mid-grey 0.5 is room on either side. 5 % of the values may clip: a repaired mark differs far more
    than the noise that is the rest of the picture.
    """
    largest = max(float(np.percentile(np.abs(picture.after - picture.before), 95)) for picture in pictures)
    return 32 if largest <= 0.5 / 32 else 2 ** max(0, math.floor(math.log2(0.5 / largest)))


def _score_rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Label, before, after, and which direction is good."""
    if comparison.before is None or comparison.after is None:
        return []
    return [
        (
            label,
            _with_unit(getattr(comparison.before, name), digits, unit),
            _with_unit(getattr(comparison.after, name), digits, unit),
            direction,
        )
        for name, (label, unit, digits, direction) in SCORES.items()
    ]


def _with_unit(value: float, digits: int, unit: str) -> str:
    if math.isnan(value):
        return "not defined"
    return "exact" if math.isinf(value) else f"{value:.{digits}f} {unit}".rstrip()


def _plots(frames: Sequence[FrameNumbers]) -> list[Markup]:
    """PSNR before and after where it is known, otherwise how much each frame changed; once per page width."""
    before = [frame.psnr_before for frame in frames if frame.psnr_before is not None]
    after = [frame.psnr_after for frame in frames if frame.psnr_after is not None]
    if before and after:
        lines = [Line("before", before, "before", dashed=True), Line("after", after, "after")]
        y_label, quantity, unit = "PSNR in dB", "PSNR", "dB"
    else:
        lines = [Line("change", [frame.change for frame in frames], "after")]
        y_label, quantity, unit = "change in grey levels", "Mean absolute difference of before and after", ""
    spans = "; ".join(
        f"{line.label} {min(line.values):.2f} to {max(line.values):.2f} {unit}" for line in lines
    )
    return [
        # Markup: matplotlib's own output, whose only foreign text, the description, is escaped there.
        Markup(
            line_plot(
                [frame.index for frame in frames],
                lines,
                name=name,
                y_label=y_label,
                description=f"{quantity} of each frame: {spans}".rstrip(),
                size=size,
                from_zero=not before,
            )
        )
        for name, size in PLOT_SIZES.items()
    ]


Rows = list[tuple[str, str]]


def _facts(result: Mapping[str, object], *, leave_out: Iterable[str]) -> tuple[Rows, dict[str, Rows]]:
    """Rows of the main table, and the tables of their own."""
    facts: Rows = []
    tables: dict[str, Rows] = {}
    for name, value in result.items():
        label = FACT_LABELS.get(name, name.replace("_", " ").capitalize())
        if name in TABLES and isinstance(value, Mapping):
            if value:
                tables[label] = [(key, _text(item)) for key, item in _flat(value)]
        elif value is not None and name not in leave_out:
            facts.append((label, _text(value)))
    return facts, tables


def _flat(mapping: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    """Nested settings under dotted names, as ``--set`` takes them."""
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: object) -> str:
    match value:
        case None | bool():
            text = {None: "none", True: "yes", False: "no"}[value]
        case float():
            text = f"{value:.6g}"
        case Mapping():
            text = ", ".join(f"{name} {_text(item)}" for name, item in _flat(value))
        case Sequence() if not isinstance(value, str):
            text = ", ".join(_text(item) for item in value)
        case _:
            text = str(value)
    return text or "none"
