"""Frames of any source, by exact ranges.

A video is opened anew for every range, so readers hold no state and no file, and ranges may be read at the
same time. With a `FrameIndex` the start of a range is found by seeking, and time and digest of every frame
are compared with the index on the way. Where they differ (seeks that miss, decoders that need more of the
past) or the times had to be mended, the range is decoded from the start of the file, which is always right.

In place of a lost frame comes the one before it, as a player would show it; the index says which are lost.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av
import numpy as np
from numpy.typing import NDArray

from reelprior.io.colour import ToRgb
from reelprior.io.container import check_size, decode, open_container, video_stream
from reelprior.io.errors import InputError
from reelprior.io.field_rate import at_frame_rate, info_at_field_rate, is_bottom
from reelprior.io.fields import field_picture
from reelprior.io.frame import Frame
from reelprior.io.images import SEQUENCE_RATE, is_images
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.samples import Samples, SamplesOf
from reelprior.io.scan import FrameIndex, frame_digest
from reelprior.io.sequence import SequenceReader

__all__ = ["FieldReader", "Reader", "VideoReader", "open_reader"]

# Nearer to the start than this, seeking gains nothing.
_WORTH_SEEKING = 48
# Seek this many frames before the wanted one: decoders drop frames after a random access point, and transport
# streams are searched by estimate. If the first attempt lands too late, the second may not.
_MARGINS = (16, 300)


class Reader(Protocol):
    """What `open_reader` returns; a context manager."""

    info: MediaInfo

    def read(self, start: int, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames of the half-open range ``start:stop``, to the end without ``stop``."""

    def samples(self, start: int, stop: int | None = None) -> Iterator[Samples]:
        """Yield the same frames as the code values that the source holds, with their opacity."""

    def __enter__(self) -> Self:
        """Return the reader."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the reader."""


def open_reader(
    path: str | Path, index: FrameIndex | None = None, *, reading: Reading = AS_TAGGED, clip: bool = True
) -> Reader:
    """Open a video file, a folder of images, a pattern or an image for reading.

    Parameters
    ----------
    index
        What `reelprior.io.scan` found. Ranges of a video then need not be decoded from the start. For the index of
        fields (`reelprior.io.field_rate`) the reader yields fields.
    reading
        What overrules the file.
    clip
        Whether to clip pixels to [0, 1]: video holds values on both sides of it.

    Raises
    ------
    InputError
        As `reelprior.io.probe` does.
    """
    path = Path(path)
    if is_images(path):
        return SequenceReader(path, reading=reading)
    if index is not None and index.field_order is not None:
        return FieldReader(path, index, reading=reading, clip=clip)
    return VideoReader(path, index, reading=reading, clip=clip)


class VideoReader:
    """Read ranges of a video file.

    Parameters
    ----------
    path
        The file.
    index
        What `reelprior.io.scan` found in it. Without one, times are those of the stream with the missing ones
        filled, and times that run back are not mended.
    reading, clip
        See `open_reader`.

    Raises
    ------
    InputError
        As `reelprior.io.probe` does.
    """

    def __init__(
        self,
        path: str | Path,
        index: FrameIndex | None = None,
        *,
        reading: Reading = AS_TAGGED,
        clip: bool = True,
    ) -> None:
        self._path = Path(path)
        self._index = index
        self._lost = frozenset(() if index is None else index.lost)
        self._reading = reading
        self._clip = clip
        self.info: MediaInfo = probe(path, reading=reading)

    def read(self, start: int, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames of the half-open range ``start:stop``, to the end without ``stop``, one at a time.

        Pixels are as coded: rotation (``info.video.rotation``) is not applied.

        Raises
        ------
        InputError
            When the range reaches beyond the last frame, or the frame size changes within or before it.
        """
        stop = self._checked(start, stop)
        to_rgb = ToRgb(reading=self._reading, clip=self._clip)
        for position, frame, pts in self.pictures(start, stop):
            duration = self._index.durations[position] if self._index else frame.duration or 0
            time_base = self.info.video.time_base
            yield Frame(to_rgb(frame), index=position, pts=pts, duration=duration, time_base=time_base)

    def samples(self, start: int, stop: int | None = None) -> Iterator[Samples]:
        """Yield the frames of `read` as the code values that the source holds, with their opacity.

        Raises
        ------
        InputError
            As `read` does.
        """
        samples_of = SamplesOf(self._reading)
        for _, frame, _ in self.pictures(start, self._checked(start, stop)):
            yield samples_of(frame)

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between reads."""

    def _checked(self, start: int, stop: int | None) -> int | None:
        """The end of a range; `InputError` where the range reaches beyond the clip."""
        if self._index is not None and stop is None:
            stop = len(self._index)
        is_range = start >= 0 and (stop is None or start <= stop)
        if not is_range or (self._index is not None and stop is not None and stop > len(self._index)):
            there = "that is no range" if self._index is None else f"there are {len(self._index)}"
            raise InputError(f"{self._path}: frames {start}:{stop} asked for, but {there}")
        return stop

    def pictures(self, start: int, stop: int | None) -> Iterator[tuple[int, av.VideoFrame, int]]:
        """Position, decoded frame and pts of each frame of the range."""
        if start == stop:
            return
        position = start
        if self._index is not None and stop is not None and self._index.digests and start >= _WORTH_SEEKING:
            for margin in _MARGINS:
                for frame in self._by_seeking(self._index, position, stop, margin=margin):
                    yield position, frame, self._index.pts[position]
                    position += 1
                if position == stop:
                    return
        yield from self._from_start(position, stop)

    def _by_seeking(
        self, index: FrameIndex, start: int, stop: int, *, margin: int
    ) -> Iterator[av.VideoFrame]:
        """The frames from ``start`` on, as long as all that is decoded is what the index says."""
        position = start
        with open_container(self._path) as container:
            stream = video_stream(container, self._path)
            try:
                container.seek(index.pts[max(start - margin, 0)], stream=stream, backward=True)
            except (av.FFmpegError, OSError, ValueError):  # not every container can seek
                return
            before: av.VideoFrame | None = None
            for frame in decode(container, stream, self._path):
                if before is None:  # the first frame tells where the seek went
                    position = start + 1 if frame.pts is None else bisect_left(index.pts, frame.pts)
                    if position > start:
                        return
                else:
                    for gap in self._lost_after(position):
                        if start <= gap < stop:
                            yield before
                        position = gap
                    position += 1
                if position >= stop:
                    return
                if (frame.pts, frame_digest(frame)) != (index.pts[position], index.digests[position]):
                    return
                self._check_size(frame, position)
                if position >= start:
                    yield frame
                if position + 1 == stop:
                    return
                before = frame

    def _from_start(self, start: int, stop: int | None) -> Iterator[tuple[int, av.VideoFrame, int]]:
        position, pts, step = -1, 0, 0
        before: av.VideoFrame | None = None
        with open_container(self._path) as container:
            stream = video_stream(container, self._path)
            for frame in decode(container, stream, self._path):
                for gap in self._lost_after(position):
                    if before is not None and gap >= start and (stop is None or gap < stop):
                        yield gap, before, self._time(gap, pts)
                    position = gap
                position += 1
                if position == stop:
                    return
                self._check_size(frame, position)
                pts = frame.pts if frame.pts is not None else pts + step
                step = frame.duration or self._usual_step()
                if position >= start:
                    yield position, frame, self._time(position, pts)
                if position + 1 == stop:
                    return
                before = frame
        if stop is not None:
            raise InputError(
                f"{self._path}: frames {start}:{stop} asked for, but only {position + 1} can be decoded: "
                f"ask for fewer, or scan the file again if it changed"
            )

    def _lost_after(self, position: int) -> Iterator[int]:
        """The lost positions that follow directly behind a position."""
        while position + 1 in self._lost:
            position += 1
            yield position

    def _time(self, position: int, pts: int) -> int:
        return pts if self._index is None else self._index.pts[position]

    def _check_size(self, frame: av.VideoFrame, position: int) -> None:
        size = (self.info.video.height, self.info.video.width)
        check_size(frame, position, size=size, path=self._path)

    def _usual_step(self) -> int:
        video = self.info.video
        return max(round(1 / Fraction((video.average_rate or SEQUENCE_RATE) * video.time_base)), 1)


class FieldReader(VideoReader):
    """Read the fields of an interlaced video as pictures, two a frame.

    Parameters
    ----------
    path
        The file.
    index
        Of the fields, from `reelprior.io.field_rate.at_field_rate`.
    reading, clip
        See `open_reader`.
    """

    def __init__(
        self, path: str | Path, index: FrameIndex, *, reading: Reading = AS_TAGGED, clip: bool = True
    ) -> None:
        super().__init__(path, at_frame_rate(index), reading=reading, clip=clip)
        self._fields = index
        self._colour = self.info.video.colour
        self.info = info_at_field_rate(self.info)

    def read(self, start: int, stop: int | None = None) -> Iterator[Frame]:
        """Yield the fields ``start:stop``, each on the grid of the frame; the other field's rows are interpolated."""
        to_rgb = ToRgb(self._colour, clip=self._clip)
        for t, frame in self._field_by_field(start, stop):
            yield Frame(
                field_picture(frame, to_rgb, bottom=is_bottom(self._fields, t)),
                index=t,
                pts=self._fields.pts[t],
                duration=self._fields.durations[t],
                time_base=self._fields.time_base,
            )

    def samples(self, start: int, stop: int | None = None) -> Iterator[Samples]:
        """Yield the code values of the fields ``start:stop``, each row of a field in place of the other's, too."""
        samples_of = SamplesOf(self._reading)
        for t, frame in self._field_by_field(start, stop):
            yield _own_rows(samples_of(frame), first=1 if is_bottom(self._fields, t) else 0)

    def _field_by_field(self, start: int, stop: int | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Each field's number, and the frame it is in."""
        stop = len(self._fields) if stop is None else stop
        if not 0 <= start <= stop <= len(self._fields):
            raise InputError(
                f"{self._path}: fields {start}:{stop} asked for, but there are {len(self._fields)}"
            )
        for position, frame, _ in self.pictures(start // 2, -(-stop // 2)):
            for t in range(max(2 * position, start), min(2 * position + 2, stop)):
                yield t, frame


def _own_rows(samples: Samples, *, first: int) -> Samples:
    """The samples of a frame with every second row, from ``first`` on, repeated in place of the other field's."""

    def doubled(plane: NDArray[Any]) -> NDArray[Any]:
        rows = np.arange(len(plane)) // 2 * 2 + first
        return plane[np.minimum(rows, len(plane) - 1)]

    return replace(
        samples,
        planes=tuple(map(doubled, samples.planes)),
        alpha=None if samples.alpha is None else doubled(samples.alpha),
    )
