"""What a restoration changed: one pass over the clip before, after and (where there is one) the truth.

Three frames of each clip are in memory at a time, for the flicker. What stays is a few numbers per frame and the
pictures that the report shows. Knows nothing of HTML.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.frame import Frame
from reelprior.io.pictures import enlarge
from reelprior.io.reader import Reader
from reelprior.pipeline.blind import Flicker, amount_misfit, noise_left, repetition, structure_removed
from reelprior.pipeline.metrics import ClipScore
from reelprior.pipeline.showcase import Picture, Showcase

__all__ = ["Blind", "Comparison", "FrameNumbers", "Scores", "check_reference", "compare"]

Pixels = NDArray[np.float32]
Baseline = Callable[[Pixels, "NDArray[np.bool_] | None"], Pixels]
"""A cheap restoration of one frame (3, H, W) with its missing pixels (H, W)."""


@dataclass(frozen=True)
class FrameNumbers:
    """One frame in numbers. All but ``psnr_*`` are 8-bit grey levels; None stands for "not measured"."""

    index: int
    """Position in the source."""
    change: float
    """Mean |before - after|."""
    psnr_before: float | None = None
    """In dB against the reference; infinite where they are equal, None without a reference."""
    psnr_after: float | None = None
    psnr_baseline: float | None = None
    residual: float | None = None
    """Standard deviation of before - after where the mask marks nothing: what was taken for noise."""
    noise_before: float | None = None
    """See `reelprior.pipeline.blind.noise_left`."""
    noise_after: float | None = None
    noise_baseline: float | None = None
    flicker_before: float | None = None
    """See `reelprior.pipeline.blind.Flicker`; None at the ends of the clip and of its scenes."""
    flicker_after: float | None = None
    flicker_baseline: float | None = None
    missing: float = 0.0
    """Share of the pixels that the mask marks."""


@dataclass(frozen=True)
class Scores:
    """A clip against its reference, with the conventions of :mod:`reelprior.pipeline.metrics`."""

    psnr: float
    ssim: float
    frame_to_frame_error: float


@dataclass(frozen=True)
class Blind:
    """A clip by itself, means over its frames, see :mod:`reelprior.pipeline.blind`; NaN where not measured."""

    noise: float
    flicker: float
    misfit: float
    structure: float
    repetition: float


@dataclass(frozen=True)
class Comparison:
    """A restoration in numbers and pictures; ``before``, ``after``, ``baseline`` are None without a reference.

    ``blind`` has the entries "before", "after" and, where there is a cheap filter, "baseline".
    """

    frames: tuple[FrameNumbers, ...]
    pictures: tuple[Picture, ...]
    before: Scores | None = None
    after: Scores | None = None
    baseline: Scores | None = None
    blind: dict[str, Blind] = field(default_factory=dict)

    def scores(self) -> dict[str, float | None]:
        """Flat, for JSON; None stands for infinity (equal clips) and NaN (tiny or single frames)."""
        named = {"before": self.before, "after": self.after, "baseline": self.baseline}
        flat = {
            f"{name}_{version}": value
            for version, scores in named.items()
            if scores is not None
            for name, value in vars(scores).items()
        }
        return {name: value if math.isfinite(value) else None for name, value in sorted(flat.items())}


def check_reference(reference: Reader, source: Reader, frames: range, *, scale: int = 1) -> None:
    """Refuse a reference that :func:`compare` could not use, before hours of work rather than after.

    Parameters
    ----------
    reference, source
        The truth and what will be restored.
    frames
        Which frames of it.
    scale
        How many times larger than the source the result, and so the reference, will be.

    Raises
    ------
    InputError
        The reference ends before the last wanted frame, or is of another size.
    """
    last = range(frames[-1], frames.stop)
    truth, captured = next(_read(reference, last)), next(_read(source, last))
    expected = tuple(side * scale for side in captured.pixels.shape[1:])
    if truth.pixels.shape[1:] != expected:
        height, width = truth.pixels.shape[1:]
        larger = f" at scale {scale}" if scale > 1 else ""
        raise InputError(
            f"{reference.info.path}: {width}x{height} pixels cannot be compared with "
            f"{expected[1]}x{expected[0]} of {source.info.path}{larger}"
        )


def compare(
    before: Reader,
    after: Reader,
    reference: Reader | None,
    frames: range,
    *,
    baseline: Baseline | None = None,
    missing: Callable[[int], "NDArray[np.bool_] | None"] = lambda _: None,
    cuts: Collection[int] = (),
) -> Comparison:
    """Stream once over the clips and keep what a report needs.

    Parameters
    ----------
    before
        The source, read at ``frames``.
    after
        The restored clip, which holds only the frames of ``frames``: read from its start.
    reference
        The truth, indexed as the source: read at ``frames``.
    frames
        Which frames of the source were restored; at least one.
    baseline
        What the result is put beside: a cheap filter.
    missing
        What was missing in a frame of the source: (H, W), ``None`` where everything is known.
    cuts
        Frames that begin a scene: flicker is not measured across them.

    Returns
    -------
    Comparison
        Its pictures are the first frame, the middle one, and the three of the lowest PSNR, or without a
        reference those that were changed most; of neighbours only the worst.

    Raises
    ------
    InputError
        A clip ends early, or one is of another size than the other.
    """
    if not frames:
        raise ValueError("nothing to compare: no frames")
    tracks = {"before": _Track(), "after": _Track()} | ({"baseline": _Track()} if baseline else {})
    measured: list[_Measured] = []
    showcase = Showcase(frames, "worst" if reference else "most changed")
    truths = _read(reference, frames) if reference else repeat(None, len(frames))
    # strict also runs every reader to its end: a decoder that is left half-way keeps its threads.
    clips = zip(frames, _read(before, frames), _read(after, range(len(frames))), truths, strict=True)
    for index, source, restored, truth in clips:
        # Where the resolution was raised, the source and what a cheap filter makes of it are enlarged to be compared.
        factor = max(1, restored.pixels.shape[1] // source.pixels.shape[1])
        before_pixels = enlarge(source.pixels, factor=factor)
        _require_equal_size(restored, after, replace(source, pixels=before_pixels), before)
        hidden = missing(index)
        versions = {"before": before_pixels, "after": restored.pixels}
        if baseline:
            versions["baseline"] = enlarge(baseline(source.pixels, hidden), factor=factor)
        if hidden is not None:
            hidden = hidden.repeat(factor, 0).repeat(factor, 1)
        if truth is not None and reference is not None:
            _require_equal_size(truth, reference, restored, after)
        truth_pixels = None if truth is None else truth.pixels
        for name, pixels in versions.items():
            tracks[name].add(pixels, before_pixels, hidden, truth_pixels, new_scene=index in cuts)
        measured.append(_Measured.of(index, before_pixels, restored.pixels, hidden))
        score = tracks["after"].psnrs[-1] if truth is not None else -measured[-1].change
        if showcase.wants(index, score):
            showcase.take(
                score, source, versions | ({} if truth_pixels is None else {"reference": truth_pixels})
            )

    scores = {name: track.scores() for name, track in tracks.items()} if reference else {}
    return Comparison(
        frames=tuple(_numbers(at, one, tracks) for at, one in enumerate(measured)),
        pictures=showcase.pictures(),
        before=scores.get("before"),
        after=scores.get("after"),
        baseline=scores.get("baseline"),
        blind={name: track.blind() for name, track in tracks.items()},
    )


class _Track:
    """What is measured of one version of the clip, frame by frame."""

    def __init__(self) -> None:
        self.score = ClipScore()
        self.psnrs: list[float] = []
        self.noise: list[float] = []
        self.misfit: list[float] = []
        self.structure: list[float] = []
        self.repetition: list[float] = []
        self._last_residual: Pixels | None = None
        self.flicker: list[float | None] = []
        self._flicker = Flicker()

    def add(
        self,
        pixels: Pixels,
        source: Pixels,
        missing: NDArray[np.bool_] | None,
        truth: Pixels | None,
        *,
        new_scene: bool,
    ) -> None:
        if truth is not None:
            self.psnrs.append(self.score.add(pixels, truth).psnr)
        self.noise.append(noise_left(pixels))
        # What fills a hole has nothing to do with what was there.
        judged = pixels if missing is None else np.where(missing, source, pixels)
        self.misfit.append(amount_misfit(source, judged))
        self.structure.append(structure_removed(source, judged))
        residual = source - judged
        if self._last_residual is not None and not new_scene:
            self.repetition.append(repetition(self._last_residual, residual))
        self._last_residual = residual
        value = self._flicker.add(pixels, new_scene=new_scene)
        self.flicker.append(None)
        if value is not None:
            self.flicker[-2] = value

    def scores(self) -> Scores:
        return Scores(self.score.psnr, self.score.ssim, self.score.frame_to_frame_error)

    def blind(self) -> Blind:
        flicker = [value for value in self.flicker if value is not None]
        return Blind(
            noise=_finite_mean(self.noise),
            flicker=_finite_mean(flicker),
            misfit=_finite_mean(self.misfit),
            structure=_finite_mean(self.structure),
            repetition=_finite_mean(self.repetition),
        )


@dataclass(frozen=True)
class _Measured:
    """Of one frame, what compares the source with the result."""

    index: int
    change: float
    residual: float | None
    missing: float

    @classmethod
    def of(cls, index: int, before: Pixels, after: Pixels, missing: NDArray[np.bool_] | None) -> "_Measured":
        difference = before - after
        change = 255.0 * float(np.mean(np.abs(difference), dtype=np.float64))
        known = difference if missing is None else difference[:, ~missing]
        residual = 255.0 * float(known.std(dtype=np.float64)) if known.size else None
        return cls(index, change, residual, 0.0 if missing is None else float(missing.mean()))


def _numbers(at: int, one: _Measured, tracks: dict[str, _Track]) -> FrameNumbers:
    measured = {
        f"{kind}_{name}": values[at]
        for name, track in tracks.items()
        for kind, values in (("psnr", track.psnrs), ("noise", track.noise), ("flicker", track.flicker))
        if values
    }
    return FrameNumbers(one.index, one.change, residual=one.residual, missing=one.missing, **measured)


def _finite_mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _read(reader: Reader, frames: range) -> Iterator[Frame]:
    """Exactly these frames, or an error that says which clip is too short."""
    missing = len(frames)
    for frame in reader.read(frames.start, frames.stop):
        yield frame
        missing -= 1
    if missing:
        raise InputError(f"{reader.info.path}: has fewer than the {frames.stop} frames to compare")


def _require_equal_size(frame: Frame, reader: Reader, other: Frame, other_reader: Reader) -> None:
    if frame.pixels.shape != other.pixels.shape:
        (_, height, width), (_, other_height, other_width) = frame.pixels.shape, other.pixels.shape
        raise InputError(
            f"{reader.info.path}: {width}x{height} pixels cannot be compared with "
            f"{other_width}x{other_height} of {other_reader.info.path}"
        )
