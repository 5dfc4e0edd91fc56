"""A few frames around a moment, found by seeking: a look into a long film without reading all of it.

What a job needs is exact and comes from `scan` and the readers. This is for looking: frames have no index here, and
where a container cannot seek, the film is decoded from its start.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from reelprior.io.colour import ToRgb
from reelprior.io.container import check_size, decode, open_container, video_stream
from reelprior.io.errors import InputError
from reelprior.io.fields import FieldDetector, FieldFacts, FieldOrder, field_picture
from reelprior.io.images import SEQUENCE_RATE, list_images
from reelprior.io.probe import MediaInfo
from reelprior.io.quantisers import QuantiserLog, Quantisers
from reelprior.io.reader import open_reader

__all__ = ["Moment", "read_moment"]


@dataclass(frozen=True, eq=False)
class Moment:
    """A few consecutive pictures.

    Attributes
    ----------
    frames
        (T, 3, H, W) float32 R'G'B' in [0, 1].
    at
        The position of the one that was meant.
    pts_seconds
        Of the frame that was meant.
    fields
        What these frames say about their fields: little, where nothing moves.
    missing
        (T, H, W), True for rows of the other field; ``None`` for whole frames.
    quantisers
        Of the frames that they were made from, as far as the decoder tells.
    """

    frames: NDArray[np.float32]
    at: int
    pts_seconds: float
    fields: FieldFacts = field(default_factory=FieldFacts)
    missing: NDArray[np.bool_] | None = None
    quantisers: Quantisers = field(default_factory=Quantisers)


def read_moment(
    info: MediaInfo, seconds: float, *, before: int, after: int, order: FieldOrder | None = None
) -> Moment:
    """Read the frame that is shown at a time, and its neighbours as far as there are.

    Parameters
    ----------
    info
        Of the source.
    seconds
        Since the beginning of the source.
    before, after
        How many neighbours are wanted on either side, in frames.
    order
        Which field of a frame comes first, to get two pictures a frame, one of each field; ``None`` for frames.

    Raises
    ------
    InputError
        If the source cannot be read, or ends before that time.
    """
    if seconds < 0:
        raise InputError(f"{info.path}: has no frame at {seconds:g} s: times count from its beginning")
    if info.kind != "video":
        return _of_pictures(info, seconds, before, after)
    for seek in (True, False):
        found = _of_video(info, seconds, before, after, order, seek=seek)
        if found is not None:
            return found
    raise InputError(f"{info.path}: has no frame at {seconds:g} s: it ends before")


def _of_pictures(info: MediaInfo, seconds: float, before: int, after: int) -> Moment:
    count = len(list_images(info.path))
    position = int(seconds * SEQUENCE_RATE)
    if position >= count:
        raise InputError(
            f"{info.path}: has no frame at {seconds:g} s: its {count} pictures last {count / 25:g} s"
        )
    start, stop = max(0, position - before), min(count, position + after + 1)
    with open_reader(info.path) as reader:
        frames = np.stack([frame.pixels for frame in reader.read(start, stop)])
    return Moment(frames, position - start, float(position / SEQUENCE_RATE))


def _of_video(
    info: MediaInfo, seconds: float, before: int, after: int, order: FieldOrder | None, *, seek: bool
) -> Moment | None:
    """None where the seek went past the moment, or the film ends before it."""
    path, video = Path(info.path), info.video
    size = (video.height, video.width)
    to_rgb = ToRgb()
    window: deque[tuple[float, av.VideoFrame]] = deque(maxlen=before + after + 1)
    meant: float | None = None
    later = 0
    end = 0.0
    for number, (time, frame) in enumerate(_timed(path, info, seconds, before, seek=seek)):
        if number == 0 and seek and time > seconds:
            return None
        check_size(frame, number, size=size, path=path)
        if time > seconds:
            later += 1
            if later > after:
                break
        else:
            meant, end = time, time + float((frame.duration or 0) * video.time_base)
        window.append((time, frame))
    # The last frame is shown for its duration, and not for ever.
    if meant is None or (not later and seconds > max(end, meant + 1 / float(video.average_rate or 25))):
        return None
    position = next(at for at, (time, _) in enumerate(window) if time == meant)
    frames = [frame for _, frame in list(window)[max(0, position - before) :]]
    fields, log = _facts(frames), QuantiserLog()
    for frame in frames:
        log(frame)
    if order is None:
        pixels = np.stack([to_rgb(frame) for frame in frames])
        return Moment(pixels, min(position, before), meant, fields, quantisers=log.quantisers)
    bottoms = [order == "bottom", order == "top"] * len(frames)
    pictures = [field_picture(frames[at // 2], to_rgb, bottom=bottom) for at, bottom in enumerate(bottoms)]
    missing = np.zeros((len(pictures), *size), np.bool_)
    for picture, bottom in zip(missing, bottoms, strict=True):
        picture[0 if bottom else 1 :: 2] = True
    return Moment(np.stack(pictures), 2 * min(position, before), meant, fields, missing, log.quantisers)


def _facts(frames: list[av.VideoFrame]) -> FieldFacts:
    detector = FieldDetector()
    for frame in frames:
        detector(frame)
    return detector.facts


def _timed(
    path: Path, info: MediaInfo, seconds: float, before: int, *, seek: bool
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with their times since the beginning, from some way before the moment on."""
    video = info.video
    rate = video.average_rate or Fraction(25)
    with open_container(path) as container:
        stream = video_stream(container, path, tells_quantisers=True)
        begin = stream.start_time or 0
        if seek:
            wanted = begin + int((seconds - before / float(rate)) / float(video.time_base))
            # Not every container can seek; one that cannot stands at its start.
            with suppress(av.FFmpegError, OSError, ValueError):
                container.seek(max(begin, wanted), stream=stream, backward=True)
        last = 0.0
        for frame in decode(container, stream, path):
            if frame.pts is not None:
                last = float((frame.pts - begin) * video.time_base)
            yield last, frame
            last += float(1 / rate)
