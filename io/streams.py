"""The streams that are not restored: copied into the output packet for packet, with their tags.

Which they are, whether a container holds them, and how they are set up there. Their packets are
`reelprior.io.packet_feed`'s.
"""

from __future__ import annotations  # Chapter exists for type checkers only

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, DataStream, Discard, Disposition, Stream

from reelprior.io.container import is_one_picture, open_container

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = [
    "TimeSpan",
    "add_copy",
    "chapters_within",
    "copied_streams",
    "film_tags",
    "is_held",
    "stream_tags",
]

# Tags that describe the file they were found in, not the film: the new file says its own.
_FILE_TAGS = {"encoder", "duration"}
_BRAND_TAGS = {"major_brand", "minor_version", "compatible_brands"}
# Statistics that mkvmerge writes about the packets of a stream.
_STATISTICS_TAGS = ("bps", "number_of_", "_statistics_")

_PACKETS_LOOKED_AT = 300

# What these containers really hold: their muxers also take what nobody can read afterwards.
_HELD_BY = {
    "avi": {"pcm_u8", "pcm_s16le", "pcm_s24le", "mp2", "mp3"},
    "mxf": {"pcm_s16le", "pcm_s24le"},
    "mpegts": {"mp2", "mp3", "aac", "ac3", "eac3", "opus", "dvb_subtitle", "dvb_teletext"},
}

_RATE_OF_MXF = 48000
# Who wrote an MXF file and what it is called in a database: of that one file, not of the film.
_MXF_TAGS = {
    "operational_pattern_ul",
    "uid",
    "generation_uid",
    "company_name",
    "product_name",
    "product_version_num",
}
_MXF_TAGS |= {
    "product_version",
    "application_platform",
    "product_uid",
    "toolkit_version_num",
    "material_package_umid",
}

_PICTURE_TYPES = {
    "mjpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "webp": "image/webp",
}


@dataclass(frozen=True)
class TimeSpan:
    """A part of the film, half-open, in seconds."""

    begin: Fraction
    end: Fraction

    def overlaps(self, begin: Fraction, end: Fraction) -> bool:
        """Whether something from ``begin`` to ``end`` (a moment, if they are equal) is in here."""
        return begin < self.end and (end > self.begin or begin >= self.begin)


def copied_streams(source: InputContainer, *, restored: int) -> list[Stream]:
    """The streams to copy: all but the restored one and those that muxers make from chapters and tags."""
    if is_one_picture(source):
        return []
    return [stream for stream in source.streams if stream.index != restored and not _is_made_anew(stream)]


def _is_made_anew(stream: Stream) -> bool:
    """Whether a data stream is QuickTime's chapters (hidden by the demuxer) or timecode (also a tag)."""
    if not isinstance(stream, DataStream):
        return False
    return stream.discard == Discard.all or "timecode" in stream.metadata


def is_held(container: str, stream: Stream, path: str | Path) -> bool:
    """Try whether a container takes a stream of the file ``path``, by writing it into memory.

    Header, the first packet, where it is near the beginning of the file, and the end: some muxers complain at the last.
    """
    if container in _HELD_BY:
        is_wrong_rate = isinstance(stream, AudioStream) and stream.codec_context.sample_rate != _RATE_OF_MXF
        return _codec_of(stream) in _HELD_BY[container] and not (container == "mxf" and is_wrong_rate)
    output = av.open(io.BytesIO(), "w", format=container)
    try:
        copy = add_copy(output, stream, path)
        output.start_encoding()
        if copy.type != "attachment" and (packet := _first_packet(stream, path)) is not None:
            packet.stream = copy
            output.mux_one(packet)
            output.close()
    except (ValueError, av.FFmpegError):
        return False
    finally:
        with suppress(av.FFmpegError):
            output.close()
    return True


def _codec_of(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context else ""


def _first_packet(stream: Stream, path: str | Path) -> Packet[Any] | None:
    with open_container(Path(path)) as source:
        for packet in islice(source.demux(), _PACKETS_LOOKED_AT):
            if packet.stream_index == stream.index and packet.size:
                packet.dts = packet.pts = packet.pts or packet.dts or 0
                return packet
    return None


def add_copy(output: OutputContainer, stream: Stream, path: str | Path) -> Stream:
    """Add a stream like ``stream``, which is from the file ``path``, with its tags and dispositions.

    Raises
    ------
    ValueError, av.FFmpegError
        If the container cannot hold it; some containers only say so when their header is written.
    """
    if Disposition.attached_pic in stream.disposition and "matroska" in output.format.name:
        # Matroska keeps cover pictures as attachments: only the reader makes a stream of them.
        return _attach_picture(output, stream, path)
    if Disposition.attached_pic in stream.disposition and output.format.name == "mov":
        raise ValueError("QuickTime files have no place for cover pictures, and the muxer drops them")
    copy: Stream = output.add_stream_from_template(stream, opaque=True)
    copy.disposition = stream.disposition
    if not isinstance(stream, AttachmentStream):
        copy.metadata.update(stream_tags(stream.metadata))
    return copy


def _attach_picture(output: OutputContainer, stream: Stream, path: str | Path) -> AttachmentStream:
    with open_container(Path(path)) as source:
        data = next(bytes(packet) for packet in source.demux(source.streams[stream.index]) if packet.size)
    mimetype = stream.metadata.get("mimetype") or _PICTURE_TYPES.get(stream.codec_context.codec.name)
    if mimetype is None:
        raise ValueError(f"no media type is known for pictures coded as {stream.codec_context.codec.name}")
    name = stream.metadata.get("filename") or f"cover.{mimetype.partition('/')[2].replace('jpeg', 'jpg')}"
    return output.add_attachment(name, mimetype, data)


def stream_tags(tags: Mapping[str, str], *, restored: bool = False) -> dict[str, str]:
    """The tags of a stream for its copy; those of a restored one without statistics of its old packets."""
    kept = {}
    for name, value in tags.items():
        lower = name.lower()
        if lower in _FILE_TAGS or (restored and lower.startswith(_STATISTICS_TAGS)):
            continue
        # QuickTime reads titles as "name".
        kept["title" if lower == "name" and "title" not in tags else name] = value
    return kept


def film_tags(tags: Mapping[str, str], *, container: str) -> dict[str, str]:
    """The tags of a film for its copy. MP4 has its own brands; where there is room, they are a trace of the source."""
    dropped = _FILE_TAGS | (set() if container in ("matroska", "webm") else _BRAND_TAGS)
    # "software" is what other containers call the encoder.
    dropped = dropped | {"avi": {"software"}, "mxf": _MXF_TAGS}.get(container, set())
    return {name: value for name, value in tags.items() if name.lower() not in dropped}


def chapters_within(chapters: list[Chapter], span: TimeSpan | None) -> list[Chapter]:
    """The chapters of a part, cut to it; all of them, untouched, without a part."""
    if span is None:
        return chapters
    kept: list[Chapter] = []
    for chapter in chapters:
        unit = chapter["time_base"]
        if unit and span.overlaps(chapter["start"] * unit, chapter["end"] * unit):
            start = max(chapter["start"], round(span.begin / unit))
            end = min(chapter["end"], round(span.end / unit))
            kept.append({**chapter, "start": start, "end": end})
    return kept
