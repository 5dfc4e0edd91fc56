"""The report of a restoration: one HTML file that needs nothing beside it, no network and no server.

The page is ``report.html.jinja``; this module gathers what it shows. What a frame was before and after comes
from :mod:`reelprior.pipeline.comparison`, every other fact from the same object that ``--json`` prints, so
that the two cannot disagree.
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.files import atomic_path
from reelprior.io.pictures import encode_jpeg, encode_png
from reelprior.pipeline import baseline
from reelprior.pipeline.charts import draw_charts
from reelprior.pipeline.comparison import Comparison
from reelprior.pipeline.effort import FrameEffort
from reelprior.pipeline.pages import render_page
from reelprior.pipeline.showcase import Picture
from reelprior.pipeline.verdict import Verdict, give_verdict

__all__ = ["Finding", "write_report"]

#: Pictures of at most so many pixels are inlined as PNG, exact to 8 bit. Noise does not compress: beyond that
#: a report would weigh tens of megabytes, and JPEG of high quality takes over (the page says which).
LOSSLESS_UP_TO_PIXELS = 400_000

#: What the slider lays over the result, the first at first: field of a picture, its name, and how it is read aloud.
LAYERS = {
    "before": ("before", "before restoration"),
    "baseline": ("cheap filter", "by the cheap filter"),
    "reference": ("reference", "of the reference"),
}

#: Facts whose name alone would not explain them.
FACT_LABELS = {
    "input": "Source",
    "frames": "Frames",
    "seconds": "Seconds in all",
    "seconds_per_frame": "Seconds per frame",
    "worker_seconds": "Seconds of all workers",
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


#: Symptoms of :class:`Blind`: label, unit, digits, and how to read it.
SYMPTOMS = {
    "noise": ("Noise left", "grey levels", 2, "fine texture counts too"),
    "flicker": ("Flicker", "grey levels", 2, "uneven motion counts too"),
    "misfit": (
        "Misfit of the amount removed",
        "grey levels",
        2,
        "0 where what was removed is as strong as the noise",
    ),
    "structure": (
        "Structure in what was removed",
        "",
        2,
        "0 for white noise; edges, noise left and correlated grain raise it",
    ),
    "repetition": (
        "Repetition in what was removed",
        "",
        2,
        "from frame to frame; noise does not repeat, picture that stands still does",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One kind of defect that was found: in how many frames, and what else there is to say."""

    kind: str
    frames: int
    detail: str


@dataclass(frozen=True)
class Row:
    """A measure: its cells are those of the source, the cheap filter and the result."""

    label: str
    note: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """A version of a frame that the slider lays over the result; the image is a data URI."""

    name: str
    label: str
    spoken: str
    image: str


@dataclass(frozen=True)
class Panel:
    """One frame as the page shows it; the images are data URIs."""

    label: str
    index: int
    pts_seconds: float
    width: int
    height: int
    after: str
    layers: tuple[Layer, ...]
    difference: str
    change: float
    lossless: bool


def write_report(
    path: str | Path,
    *,
    result: Mapping[str, object],
    comparison: Comparison,
    efforts: Sequence[FrameEffort] = (),
    findings: Sequence[Finding] = (),
    others: Mapping[str, NDArray[np.float32]] | None = None,
    is_photograph: bool = False,
) -> Verdict:
    """Write the report of one restored clip or photograph.

    Parameters
    ----------
    path
        The HTML file; written beside and renamed, an existing one is replaced.
    result
        The object that ``--json`` prints. Its entries become rows of the facts, in their order; "settings"
        and "versions" become tables of their own. The comparison's scores are shown as scores.
    comparison
        Numbers and pictures.
    efforts
        What each frame took, as far as it is known.
    findings
        Defects that were detected; what the mask marks is added to them.
    others
        Further pictures under their captions, (3, h, w) in [0, 1].
    is_photograph
        Whether the comparison's frames are one photograph and parts of it, which have no numbers and no times.

    Returns
    -------
    Verdict
        What the page says first.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    amplification = _amplification(comparison.pictures)
    change_of = {frame.index: frame.change for frame in comparison.frames}
    facts, tables = _facts(result, leave_out=comparison.scores())
    verdict = give_verdict(comparison)
    page = render_page(
        "report.html.jinja",
        title=Path(str(result["input"])).name,
        verdict=verdict,
        baseline=baseline.NAME,
        panels=[_panel(picture, change_of[picture.index], amplification) for picture in comparison.pictures],
        amplified="not amplified" if amplification == 1 else f"amplified {amplification} times",
        scores=_score_rows(comparison),
        symptoms=_symptom_rows(comparison),
        findings=[*findings, *_mark_finding(comparison)],
        charts=[]
        if is_photograph
        else draw_charts(comparison.frames, efforts, expected_noise=_expected_noise(result)),
        is_photograph=is_photograph,
        others=[_other(caption, picture) for caption, picture in (others or {}).items()],
        facts=facts,
        tables=tables,
    )
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return verdict


def _expected_noise(result: Mapping[str, object]) -> float | None:
    """The noise level that the restoration went by, in grey levels."""
    noise = result.get("noise")
    return float(noise["sigma_8bit"]) if isinstance(noise, Mapping) and "sigma_8bit" in noise else None


def _panel(picture: Picture, change: float, amplification: int) -> Panel:
    _, height, width = picture.after.shape
    lossless = height * width <= LOSSLESS_UP_TO_PIXELS
    layers = [
        Layer(name, label, spoken, _data_uri(pixels, lossless=lossless))
        for name, (label, spoken) in LAYERS.items()
        if (pixels := getattr(picture, name)) is not None
    ]
    return Panel(
        label=picture.label,
        index=picture.index,
        pts_seconds=picture.pts_seconds,
        width=width,
        height=height,
        after=_data_uri(picture.after, lossless=lossless),
        layers=tuple(layers),
        difference=_data_uri(0.5 + amplification * (picture.after - picture.before), lossless=lossless),
        change=change,
        lossless=lossless,
    )


def _other(caption: str, picture: NDArray[np.float32]) -> tuple[str, str, int, int]:
    """Caption, image, width and height."""
    _, height, width = picture.shape
    return caption, _data_uri(picture, lossless=height * width <= LOSSLESS_UP_TO_PIXELS), width, height


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


def _score_rows(comparison: Comparison) -> list[Row]:
    """Against the reference."""
    versions = (comparison.before, comparison.baseline, comparison.after)
    if comparison.before is None:
        return []
    return [
        Row(label, direction, tuple(_with_unit(getattr(one, name, None), digits, unit) for one in versions))
        for name, (label, unit, digits, direction) in SCORES.items()
    ]


def _symptom_rows(comparison: Comparison) -> list[Row]:
    """Without a reference."""
    versions = [comparison.blind.get(name) for name in ("before", "baseline", "after")]
    return [
        Row(label, note, tuple(_with_unit(getattr(one, name, None), digits, unit) for one in versions))
        for name, (label, unit, digits, note) in SYMPTOMS.items()
    ]


def _with_unit(value: float | None, digits: int, unit: str) -> str:
    if value is None or math.isnan(value):
        return "not defined"
    return "exact" if math.isinf(value) else f"{value:.{digits}f} {unit}".rstrip()


def _mark_finding(comparison: Comparison) -> list[Finding]:
    """What the mask marked, as a finding among those that were detected."""
    shares = [frame.missing for frame in comparison.frames]
    marked = [share for share in shares if share]
    if not marked:
        return []
    detail = f"{100 * sum(marked) / len(marked):.2g} % of the pixels there, at most {100 * max(marked):.2g} %"
    return [Finding("Marked as missing by the mask", len(marked), detail)]


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
