"""A video file as output: restored pictures at the times of the source, and the rest of the source around.

The file grows beside its target as ``.NAME.part.EXT`` and gets its name at the end. Headers hold nothing
volatile, so the same frames make the same file.
"""

from __future__ import annotations  # Packet is generic for type checkers only

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from reelprior.io.coding import Coding, VideoEncoding, video_encoding
from reelprior.io.colour import FromRgb
from reelprior.io.container import open_container
from reelprior.io.counting import counted, counts_frames, span_of, timed
from reelprior.io.errors import MediaError, OutputError
from reelprior.io.files import commit, unwritable
from reelprior.io.frame import Frame
from reelprior.io.matroska import set_crop, set_hdr, set_sample_aspect_ratio
from reelprior.io.muxing import (
    OutputStreams,
    colour_of,
    needs_completion,
    open_output,
    refusal,
    set_up,
)
from reelprior.io.packet_feed import PacketFeed
from reelprior.io.probe import MediaInfo
from reelprior.io.rehearsal import rehearse
from reelprior.io.samples import Kept
from reelprior.io.scan import FrameIndex
from reelprior.io.streams import TimeSpan

__all__ = ["VideoWriter"]

_log = logging.getLogger(__name__)


class VideoWriter:
    """Writes a video file; `reelprior.io.writer` says how it behaves and describes the parameters."""

    def __init__(
        self, path: str | Path, *, source: MediaInfo, coding: Coding, index: FrameIndex, frames: range
    ) -> None:
        """Prepare; the file is opened when the first frame tells the size."""
        pts = index.pts[frames.start : frames.stop]
        if any(later <= earlier for earlier, later in pairwise(pts)):
            raise ValueError(f"{source.path}: the presentation times of its frames do not increase")
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        self._source = source
        self._coding = coding
        self._index = index
        self._frames = frames
        self._written = 0
        self._file: _OpenFile | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file and give it its name; after an error, remove it."""
        try:
            if kind is None:
                with self._errors_in_words():
                    self._finish()
        finally:
            if self._file is not None:
                with suppress(av.FFmpegError, OSError):  # the error that led here says more
                    self._file.close()
            self._part.unlink(missing_ok=True)  # gone already after the rename

    def write(self, frame: Frame, kept: Kept | None = None) -> None:
        """Encode the next frame, and copy what belongs before it."""
        if self._written >= len(self._frames) or frame.index != self._frames[self._written]:
            raise ValueError(
                f"{self.path}: frame {frame.index} is not frame number {self._written} of {self._frames}"
            )
        with self._errors_in_words():
            if self._file is None:
                self._file = self._open(height=frame.pixels.shape[1], width=frame.pixels.shape[2])
            self._file.write(frame, kept)
        self._written += 1

    def _open(self, *, height: int, width: int) -> _OpenFile:
        encoding = video_encoding(
            self.path, self._coding, source_pix_fmt=self._source.video.pix_fmt, width=width, height=height
        ).for_length(len(self._frames))
        file = _OpenFile(self._part, encoding, source=self._source, index=self._index, frames=self._frames)
        left_out: frozenset[int] = frozenset()
        if self._coding.drop_incompatible:
            left_out = frozenset(
                rehearse(
                    self.path,
                    source=self._source,
                    encoding=encoding,
                    size=(height, width),
                    drop=True,
                    span=self._even_span(encoding.container),
                )
            )
        try:
            file.start(self.path, size=(height, width), left_out=left_out)
        except (ValueError, av.FFmpegError) as error:
            file.close()
            if isinstance(error, OSError):
                raise
            raise refusal(self.path, encoding, (height, width), error) from error
        return file

    def _even_span(self, container: str) -> TimeSpan | None:
        if not counts_frames(container):
            return None
        even = counted(self.path, container, source=self._source, index=self._index, frames=self._frames)
        return span_of(even, self._index, self._frames)

    def _finish(self) -> None:
        if self._written != len(self._frames) or self._file is None:
            raise OutputError(f"{self.path}: only {self._written} of {len(self._frames)} frames were written")
        self._file.finish()
        if not self._file.complete_header():
            _log.warning("%s: no room in the header for aspect ratio, crop or HDR metadata: lost", self.path)
        commit(self._part, self.path)

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except MediaError:
            raise
        except OSError as error:
            raise unwritable(self.path, error) from error
        except av.FFmpegError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror}): use another codec"
            ) from error


class _OpenFile:
    """The muxer, the encoder and the packets of the source that are copied in step with it."""

    _output: OutputContainer
    _streams: OutputStreams
    _feed: PacketFeed
    _from_rgb: FromRgb

    def __init__(
        self, part: Path, encoding: VideoEncoding, *, source: MediaInfo, index: FrameIndex, frames: range
    ) -> None:
        self._part = part
        self._encoding = encoding
        self._source = source
        self._index = index
        self._frames = frames
        self._resources = ExitStack()
        self._durations: dict[int, int] = {}  # of the frames inside the encoder, by pts
        # MP4 hides what is earlier than zero: there the film is moved, sound and all.
        self._is_mp4 = encoding.container in ("mp4", "mov")
        self._shift = max(0, -index.pts[frames.start]) if self._is_mp4 else 0
        self._sound_shift = self._shift * index.time_base
        self._span = _span(index, frames)
        if counts_frames(encoding.container):
            self._sound_shift = -index.pts[frames.start] * index.time_base
            self._index = counted(part, encoding.container, source=source, index=index, frames=frames)
            self._source = timed(source, encoding.container, rate=1 / self._index.time_base)

    def start(self, path: Path, *, size: tuple[int, int], left_out: frozenset[int]) -> None:
        """Open everything and write the header. ``path`` is the final name, for messages."""
        original = None
        if self._source.kind == "video":
            original = self._resources.enter_context(open_container(Path(self._source.path)))
        # "file:" keeps names with a colon from being taken for protocols.
        self._output = open_output(
            f"file:{self._part}",
            self._encoding.container,
            source=self._source,
            original=original,
            time_base=self._index.time_base,
        )
        self._resources.callback(self._output.close)
        self._streams = set_up(
            self._output,
            path,
            source=self._source,
            original=original,
            encoding=self._encoding,
            size=size,
            left_out=left_out,
            span=self._span,
            index=self._index,
        )
        self._output.start_encoding()
        self._from_rgb = FromRgb(
            self._encoding.pix_fmt, colour_of(self._source.video, self._encoding, height=size[0])
        )
        self._feed = PacketFeed(
            self._source.path,
            self._streams.packet_copies,
            span=self._span,
            shift=self._sound_shift,
            strict=self._is_mp4,
        )
        self._resources.callback(self._feed.close)

    def write(self, frame: Frame, kept: Kept | None) -> None:
        """Encode a frame at its time in the index."""
        picture = self._from_rgb(frame.pixels, kept)
        picture.pts = self._index.pts[frame.index] + self._shift
        picture.time_base = self._index.time_base
        picture.duration = self._durations[picture.pts] = self._duration(frame.index)
        self._mux(self._streams.video.encode(picture))

    def _duration(self, at: int) -> int:
        """Of a frame. Where nobody says, MP4 gets the distance to the next: readers skip a last frame without one."""
        stated = self._index.durations[at]
        if stated or not self._is_mp4:
            return stated
        pts = self._index.pts
        before = min(at, len(pts) - 2)
        return (
            pts[before + 1] - pts[before] if before >= 0 else max(round(1 / (25 * self._index.time_base)), 1)
        )

    def finish(self) -> None:
        """Write what the encoder and the source still hold, and close the file."""
        self._mux(self._streams.video.encode(None))
        for copied in self._feed.until(None):
            self._output.mux_one(copied)
        self.close()

    def close(self) -> None:
        """Close the muxer and the source; twice does no harm."""
        self._resources.close()

    def complete_header(self) -> bool:
        """After `finish`: write what the muxer of Matroska leaves out. Whether all of it is in the file now."""
        source = self._source.video
        if self._encoding.container not in ("matroska", "webm") or not needs_completion(source):
            return True
        video, copies = self._streams.video, self._streams.packet_copies.values()
        track = sum(copy.index < video.index for copy in copies)
        done = True
        if source.hdr is not None and source.hdr.is_static:
            done = set_hdr(self._part, source.hdr, track=track)
        if source.crop is not None:
            crop = source.crop.scaled(video.width / source.width)
            sides = (crop.top, crop.bottom, crop.left, crop.right)
            done = set_crop(self._part, sides, track=track) and done
        if source.sample_aspect_ratio != 1:
            done = set_sample_aspect_ratio(self._part, source.sample_aspect_ratio, track=track) and done
        return done

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """Mux packets of the encoder, each after the copied ones that are decoded before it."""
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            time = packet.pts if packet.dts is None else packet.dts
            for copied in self._feed.until(None if time is None else time * packet.time_base):
                self._output.mux_one(copied)
            self._output.mux_one(packet)


def _span(index: FrameIndex, frames: range) -> TimeSpan | None:
    """The time of a part, to the end of its last frame; ``None`` for the whole clip."""
    if len(frames) == len(index.pts):
        return None
    if frames.stop < len(index.pts):
        end = index.pts[frames.stop]
    else:
        end = index.pts[frames[-1]] + index.durations[frames[-1]]
    return TimeSpan(index.pts[frames.start] * index.time_base, end * index.time_base)
