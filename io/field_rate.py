"""An interlaced clip as a clip of fields: two pictures a frame, each at its own time, half of its rows unknown.

This is all that deinterlacing needs: the other field's rows are holes, and the prior that fills holes fills them, from
within the picture and from the fields around it.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from reelprior.io.fields import FieldOrder
from reelprior.io.probe import MediaInfo
from reelprior.io.scan import FrameIndex

__all__ = ["at_field_rate", "at_frame_rate", "info_at_field_rate", "is_bottom", "pictures_per_frame"]


def at_field_rate(index: FrameIndex, order: FieldOrder) -> FrameIndex:
    """The index of the fields of a clip, for which `reelprior.io.reader.open_reader` yields fields.

    Field ``2 t`` is the first of frame ``t`` and has its time; the second follows half a frame later.
    """
    steps = [after - before for before, after in pairwise(index.pts)]
    last = steps[-1] if steps else 1
    # In units half as long, half a frame is as many units as the whole frame was before.
    halves = [duration or step for duration, step in zip(index.durations, [*steps, last], strict=True)]
    halves = [min(half, 2 * step - 1) for half, step in zip(halves, [*steps, last], strict=True)]
    return replace(
        index,
        pts=tuple(
            time for pts, half in zip(index.pts, halves, strict=True) for time in (2 * pts, 2 * pts + half)
        ),
        durations=tuple(duration for duration in index.durations for _ in range(2)),
        time_base=index.time_base / 2,
        scene_scores=tuple(value for score in index.scene_scores for value in (score, 0.0)),
        digests=tuple(digest for digest in index.digests for _ in range(2)),
        lost=_fields_of(index.lost),
        damaged=_fields_of(index.damaged),
        quantisers=index.quantisers.of([t for t in range(len(index)) for _ in range(2)]),
        field_order=order,
    )


def at_frame_rate(index: FrameIndex) -> FrameIndex:
    """The inverse of `at_field_rate`."""
    return replace(
        index,
        pts=tuple(pts // 2 for pts in index.pts[::2]),
        durations=index.durations[::2],
        time_base=index.time_base * 2,
        scene_scores=index.scene_scores[::2],
        digests=index.digests[::2],
        lost=tuple(t // 2 for t in index.lost[::2]),
        damaged=tuple(t // 2 for t in index.damaged[::2]),
        quantisers=index.quantisers.of(range(0, len(index), 2)),
        field_order=None,
    )


def info_at_field_rate(info: MediaInfo) -> MediaInfo:
    """What is in a source whose fields are read as pictures."""
    rate = info.video.average_rate
    video = replace(
        info.video,
        time_base=Fraction(info.video.time_base) / 2,
        average_rate=None if rate is None else rate * 2,
    )
    return replace(info, video=video)


def is_bottom(index: FrameIndex, t: int) -> bool:
    """Whether picture ``t`` of a clip of fields is a bottom field."""
    return (t % 2 == 0) == (index.field_order == "bottom")


def pictures_per_frame(index: FrameIndex) -> int:
    """2 where the pictures of an index are the fields of frames, else 1."""
    return 1 if index.field_order is None else 2


def _fields_of(frames: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(field for t in frames for field in (2 * t, 2 * t + 1))
