"""What of a file must stay as it is: the packets of its copied streams, its chapters, the samples outside a mask.

Nothing is judged here; `reelprior.pipeline.verify` compares. Packets are held as digests and times in plain arrays, so
that a feature film with its sound takes some megabytes.
"""

from array import array
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import av
import numpy as np
from av.stream import AttachmentStream, Stream
from numpy.typing import NDArray

from reelprior.io.container import open_container
from reelprior.io.samples import Samples, changed_samples
from reelprior.io.streams import copied_streams

__all__ = ["Chapter", "CopiedStream", "chapters", "copied", "differing_samples", "is_lossless"]

_NO_TIME = -(2**63)
# The empty text with which MP4 fills the time between two subtitles: the muxer writes it, the stream has none.
_EMPTY_TEXT = b"\x00\x00"
_LOSSLESS = {"ffv1", "png", "tiff", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "v210", "bmp"}


@dataclass(frozen=True)
class Chapter:
    """Begin and end in seconds, and its title."""

    begin: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True)
class CopiedStream:
    """A stream beside the restored one.

    Attributes
    ----------
    index, kind, codec, language, title, disposition
        As the container says; the disposition is FFmpeg's number.
    time_base
        Seconds per unit of the times.
    digests
        64 bits of each packet's BLAKE2b, in the order of the file; of an attachment, that of its data.
    whole
        The same digest of all its packets as one, by which sound is known that a muxer has cut into packets anew.
    times, durations
        Presentation time (decoding time where there is none) and duration of each packet.
    """

    index: int
    kind: str
    codec: str
    language: str
    title: str
    disposition: int
    time_base: Fraction
    digests: "array[int]"
    times: "array[int]"
    durations: "array[int]"
    whole: int = 0

    def seconds(self, packet: int) -> Fraction | None:
        """Time of a packet."""
        return None if self.times[packet] == _NO_TIME else self.times[packet] * self.time_base


def copied(path: str | Path, *, restored: int) -> list[CopiedStream]:
    """All streams of a file but number ``restored``, with their packets. Raises `InputError` if it cannot be read."""
    with open_container(Path(path)) as container:
        streams = copied_streams(container, restored=restored)
        found = {stream.index: _described(stream) for stream in streams}
        whole = {index: blake2b(digest_size=8) for index in found}
        wanted = [stream for stream in streams if not isinstance(stream, AttachmentStream)]
        packets = container.demux(wanted) if wanted else iter(())
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, ValueError):
                break  # a damaged file ends here, for whoever copied it too
            if packet is None:
                break
            data = bytes(packet) if packet.size else b""
            if not data or packet.stream_index not in found or data == _EMPTY_TEXT:
                continue
            stream = found[packet.stream_index]
            time = packet.dts if packet.pts is None else packet.pts
            whole[stream.index].update(data)
            stream.digests.append(_digest(_unframed(data) if stream.codec == "aac" else data))
            stream.times.append(_NO_TIME if time is None else time)
            stream.durations.append(packet.duration or 0)
        return [
            replace(stream, whole=int.from_bytes(whole[index].digest(), "big"))
            for index, stream in found.items()
        ]


def chapters(path: str | Path) -> list[Chapter]:
    """The chapters of a video file. Raises `InputError` if it cannot be read."""
    with open_container(Path(path)) as container:
        return [
            Chapter(
                Fraction(chapter["start"]) * (chapter["time_base"] or 0),
                Fraction(chapter["end"]) * (chapter["time_base"] or 0),
                chapter["metadata"].get("title", ""),
            )
            for chapter in container.chapters()
        ]


def is_lossless(codec: str) -> bool:
    """Whether a codec, by FFmpeg's name of its format, keeps every sample whatever its options."""
    return codec in _LOSSLESS


def differing_samples(first: Samples, second: Samples, missing: NDArray[np.bool_]) -> int:
    """How many samples of two frames that are stored alike differ outside a mask; opacity counts everywhere.

    Parameters
    ----------
    missing
        (H, W), True where samples may differ. A chroma sample may where any pixel it belongs to may.
    """
    count = sum(
        int(((one != other) & ~changed_samples(missing, one.shape)).sum())
        for one, other in zip(first.planes, second.planes, strict=True)
    )
    if first.alpha is not None and second.alpha is not None:
        count += int((first.alpha != second.alpha).sum())
    return count


def _described(stream: Stream) -> CopiedStream:
    context = stream.codec_context
    described = CopiedStream(
        index=stream.index,
        kind=stream.type,
        codec=context.codec.canonical_name if context else "",
        language=stream.metadata.get("language", ""),
        title=stream.metadata.get("title", "") or stream.metadata.get("filename", ""),
        disposition=int(stream.disposition),
        time_base=stream.time_base or Fraction(1, av.time_base),
        digests=array("Q"),
        times=array("q"),
        durations=array("q"),
    )
    if isinstance(stream, AttachmentStream):
        described.digests.append(_digest(stream.data or b""))
        described.times.append(_NO_TIME)
        described.durations.append(0)
    return described


def _unframed(data: bytes) -> bytes:
    """AAC without the header that transport streams put before every packet (ADTS)."""
    if len(data) < 9 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    return data[7 if data[1] & 1 else 9 :]


def _digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
