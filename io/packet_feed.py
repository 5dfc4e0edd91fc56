"""The packets of the copied streams, in step with the restored video.

They come in order of decoding time, with a short look-ahead into the source: neither this module nor the
muxer ever holds more than that in memory.
"""

from __future__ import annotations  # Packet is generic for type checkers only

import heapq
import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from reelprior.io.container import open_container
from reelprior.io.streams import TimeSpan

__all__ = ["PacketFeed"]

_log = logging.getLogger(__name__)

# How many packets are read ahead, to put right what a badly interleaved source has in disorder.
_LOOK_AHEAD = 64

_EMPTY_TEXT = b"\0\0"  # a length of zero


class PacketFeed:
    """The packets of the copied streams, in order of decoding time.

    Parameters
    ----------
    path
        The source.
    copies
        Index of a stream in the source -> its copy in the output.
    span
        Only packets that overlap it; ``None`` copies everything.
    shift
        Seconds to add to every timestamp.
    strict
        Whether the container wants every packet of a stream later than the one before, not only not earlier, and
        with a duration: MP4 counts a stream to the end of its last packet, and players skip what begins there.
    """

    def __init__(
        self,
        path: str | Path,
        copies: Mapping[int, Stream],
        *,
        span: TimeSpan | None,
        shift: Fraction = Fraction(0),
        strict: bool = False,
    ) -> None:
        """Prepare; the source is opened by the first `until`."""
        self._path = path
        self._copies = copies
        self._span = span
        self._shift = shift
        self._strict = strict
        self._packets = self._in_order()
        self._next: tuple[Fraction, Packet[Any]] | None = None

    def until(self, seconds: Fraction | None) -> Iterator[Packet[Any]]:
        """Yield the packets decoded before ``seconds``, ready to mux; for ``None`` all that are left."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or (seconds is not None and self._next[0] >= seconds):
                return
            packet, self._next = self._next[1], None
            yield packet

    def close(self) -> None:
        """Close the source."""
        self._packets.close()

    def _in_order(self) -> Generator[tuple[Fraction, Packet[Any]]]:
        ahead: list[tuple[Fraction, int, Packet[Any]]] = []
        with closing(self._read()) as packets:
            for number, (seconds, packet) in enumerate(packets):
                heapq.heappush(ahead, (seconds, number, packet))
                if len(ahead) > _LOOK_AHEAD:
                    yield _timed(heapq.heappop(ahead))
        while ahead:
            yield _timed(heapq.heappop(ahead))

    def _read(self) -> Generator[tuple[Fraction, Packet[Any]]]:
        """Demux, give every packet its copy and a decoding time that never falls within its stream."""
        if not self._copies:
            return
        latest: dict[int, Fraction] = {}
        durations = _Durations()
        with open_container(Path(self._path)) as source:
            for stream in source.streams:
                if stream.index not in self._copies:
                    stream.discard = Discard.all  # not even read, where the container allows that
            wanted = [source.streams[index] for index in self._copies]
            packets = source.demux(wanted)
            while True:
                try:
                    packet = next(packets, None)
                except av.FFmpegError as error:
                    # What can be read has been copied; the reader of the frames met the same damage.
                    _log.warning(
                        "%s: the source is damaged: sound and subtitles end early (%s)", self._path, error
                    )
                    packet = None
                if packet is None:
                    durations.finish()
                    return
                index = packet.stream_index
                if packet.size == 0 or index not in self._copies or self._is_gap(packet):
                    continue  # the end of a stream, one that appeared on the way, or silence
                seconds = self._place(packet, latest.get(index))
                if seconds is None:
                    continue
                latest[index] = seconds
                packet.stream = self._copies[index]
                if self._strict:
                    durations.complete(index, packet)
                yield seconds, packet

    def _is_gap(self, packet: Packet[Any]) -> bool:
        """Whether a packet is the empty text between two subtitles: the muxer of MP4 writes those itself."""
        return (
            packet.size == len(_EMPTY_TEXT) and bytes(packet) == _EMPTY_TEXT and _is_timed_text(packet.stream)
        )

    def _place(self, packet: Packet[Any], latest: Fraction | None) -> Fraction | None:
        """Complete the timestamps; decoding time in seconds, or ``None`` for a packet outside the part."""
        unit, pts, dts = packet.time_base, packet.pts, packet.dts
        if dts is None and pts is None:
            # Pictures and the like have no time of their own; anything else goes on where its stream was.
            pts = dts = 0 if latest is None else round(latest / unit)
        elif dts is None:
            dts = _decoding_time(packet, None if latest is None else round(latest / unit))
        assert dts is not None
        begin = (dts if pts is None else pts) * unit
        end = begin + (packet.duration or 0) * unit
        is_picture = Disposition.attached_pic in packet.stream.disposition
        if self._span and not is_picture and not self._span.overlaps(begin, end):
            return None
        shift = round(self._shift / unit)
        dts += shift
        if latest is not None and packet.stream.type in ("audio", "video"):
            # Muxers refuse what runs backwards; a damaged source does, and one in milliseconds stands still.
            dts = max(dts, ceil(latest / unit) + (1 if self._strict else 0))
        packet.dts = dts
        packet.pts = None if pts is None else max(pts + shift, dts)
        seconds = dts * unit
        return seconds if latest is None else max(latest, seconds)


def _decoding_time(packet: Packet[Any], latest: int | None) -> int | None:
    """When to decode a packet of which only the presentation time is known, in its own units.

    Matroska leaves that open for the first pictures of a stream that is decoded out of order: they come as
    many frames early as the decoder holds back.
    """
    if packet.stream.type != "video" or packet.pts is None:
        return packet.pts
    frame = packet.duration or 1
    if latest is not None:
        return latest + frame
    depth: int = packet.stream.codec_context.reorder_depth
    return packet.pts - depth * frame


class _Durations:
    """Completes missing durations by the time of the packet that follows, which is read long before it is needed."""

    def __init__(self) -> None:
        self._before: dict[int, Packet[Any]] = {}
        self._steps: dict[int, int] = {}

    def complete(self, index: int, packet: Packet[Any]) -> None:
        """Take the next packet of a stream, and give the one before its duration."""
        before = self._before.get(index)
        if before is not None and not before.duration and packet.dts is not None and before.dts is not None:
            before.duration = self._steps[index] = packet.dts - before.dts
        self._before[index] = packet

    def finish(self) -> None:
        """Give the last packets the duration of those before."""
        for index, packet in self._before.items():
            packet.duration = packet.duration or self._steps.get(index, 1)


def _is_timed_text(stream: Stream) -> bool:
    return stream.codec_context is not None and stream.codec_context.codec.canonical_name == "mov_text"


def _timed(entry: tuple[Fraction, int, Packet[Any]]) -> tuple[Fraction, Packet[Any]]:
    seconds, _, packet = entry
    return seconds, packet
