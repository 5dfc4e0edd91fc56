"""What a restoration changed: one pass over the clip before, after and (where there is one) the truth.

One frame of each clip is in memory at a time. What stays is a few numbers per frame and the pictures that the
report shows. Knows nothing of HTML.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.frame import Frame
from reelprior.io.pictures import shrink
from reelprior.io.reader import Reader
from reelprior.pipeline.metrics import ClipScore

__all__ = ["Comparison", "FrameNumbers", "Picture", "Scores", "check_reference", "compare"]

#: The pictures that are kept are scaled down to this width: a report of 4K film stays a file one can send.
PICTURE_WIDTH = 1280


@dataclass(frozen=True)
class FrameNumbers:
    """One frame in numbers."""

    index: int
    """Position in the source."""
    change: float
    """Mean |before - after| in 8-bit grey levels."""
    psnr_before: float | None = None
    """In dB against the reference; infinite where they are equal, None without a reference."""
    psnr_after: float | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame to look at, (3, h, w) float32 R'G'B' in [0, 1], at most :data:`PICTURE_WIDTH` wide."""

    label: str
    """Why this frame: "first", "middle", "worst" or "most changed", or several of them."""
    index: int
    pts_seconds: float
    before: NDArray[np.float32]
    after: NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """A clip against its reference, with the conventions of :mod:`reelprior.pipeline.metrics`."""

    psnr: float
    ssim: float
    frame_to_frame_error: float


@dataclass(frozen=True)
class Comparison:
    """A restoration in numbers and pictures; ``before`` and ``after`` are None without a reference."""

    frames: tuple[FrameNumbers, ...]
    pictures: tuple[Picture, ...]
    before: Scores | None = None
    after: Scores | None = None

    def scores(self) -> dict[str, float | None]:
        """Flat, for JSON; None stands for infinity (equal clips) and NaN (tiny or single frames)."""
        if self.before is None or self.after is None:
            return {}
        pairs = {f"{name}_before": value for name, value in vars(self.before).items()}
        pairs |= {f"{name}_after": value for name, value in vars(self.after).items()}
        return {name: value if math.isfinite(value) else None for name, value in sorted(pairs.items())}


def check_reference(reference: Reader, source: Reader, frames: range) -> None:
    """Refuse a reference that :func:`compare` could not use, before hours of work rather than after.

    Raises
    ------
    InputError
        The reference ends before the last wanted frame, or is of another size.
    """
    last = range(frames[-1], frames.stop)
    truth = next(_read(reference, last))
    _require_equal_size(truth, reference, next(_read(source, last)), source)


def compare(before: Reader, after: Reader, reference: Reader | None, frames: range) -> Comparison:
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

    Returns
    -------
    Comparison
        Its pictures are the first frame, the middle one, and the one of the lowest PSNR, or without a
        reference the one that was changed most.

    Raises
    ------
    InputError
        A clip ends early, or one is of another size than the other.
    """
    if not frames:
        raise ValueError("nothing to compare: no frames")
    score_before, score_after = ClipScore(), ClipScore()
    numbers: list[FrameNumbers] = []
    shown: dict[str, Picture] = {}
    extreme, worst_score = ("worst" if reference else "most changed"), math.inf

    truths = _read(reference, frames) if reference else repeat(None, len(frames))
    # strict also runs every reader to its end: a decoder that is left half-way keeps its threads.
    clips = zip(frames, _read(before, frames), _read(after, range(len(frames))), truths, strict=True)
    for index, source, restored, truth in clips:
        _require_equal_size(restored, after, source, before)
        change = 255.0 * float(np.mean(np.abs(source.pixels - restored.pixels), dtype=np.float64))
        if truth is None or reference is None:
            numbers.append(FrameNumbers(index, change))
            score = -change
        else:
            _require_equal_size(truth, reference, source, before)
            score = score_after.add(restored.pixels, truth.pixels).psnr
            numbers.append(
                FrameNumbers(index, change, score_before.add(source.pixels, truth.pixels).psnr, score)
            )
        if index == frames[0]:
            shown["first"] = _picture(source, restored)
        if index == frames[len(frames) // 2]:
            shown["middle"] = _picture(source, restored)
        if extreme not in shown or score < worst_score:
            shown[extreme], worst_score = _picture(source, restored), score

    return Comparison(
        frames=tuple(numbers),
        pictures=_merged(shown),
        before=_scores(score_before) if reference else None,
        after=_scores(score_after) if reference else None,
    )


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


def _picture(before: Frame, after: Frame) -> Picture:
    small_before, small_after = (shrink(frame.pixels, max_width=PICTURE_WIDTH) for frame in (before, after))
    return Picture("", before.index, before.pts_seconds, small_before, small_after)


def _merged(shown: dict[str, Picture]) -> tuple[Picture, ...]:
    """The pictures in the order of the clip, each frame once, labelled with every reason it is there."""
    labels: dict[int, list[str]] = {}
    for label in sorted(shown, key=["first", "middle", "worst", "most changed"].index):
        labels.setdefault(shown[label].index, []).append(label)
    by_index = {picture.index: picture for picture in shown.values()}
    return tuple(replace(by_index[i], label=" and ".join(labels[i])) for i in sorted(by_index))


def _scores(score: ClipScore) -> Scores:
    return Scores(score.psnr, score.ssim, score.frame_to_frame_error)
