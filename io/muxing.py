"""Setting a video file up: streams, tags, chapters and options, alike for a rehearsal and for the work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import av
from av.codec.context import ThreadType
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from reelprior.io.coding import VideoEncoding
from reelprior.io.encoders import open_encoder
from reelprior.io.errors import OutputError
from reelprior.io.matroska import padded_name
from reelprior.io.probe import MediaInfo, VideoInfo
from reelprior.io.scan import FrameIndex
from reelprior.io.streams import (
    TimeSpan,
    add_copy,
    chapters_within,
    copied_streams,
    film_tags,
    stream_tags,
)
from reelprior.io.tags import ColourTags, set_colour_tags, tags_for

__all__ = ["OutputStreams", "colour_of", "needs_completion", "open_output", "refusal", "set_up"]

# No random numbers in headers ("+" keeps the default flags, one of which lets the muxer rewrite the framing
# of sound from transport streams); and no packets held back, since they come in order.
_OPTIONS = {"fflags": "+bitexact", "max_interleave_delta": "1"}
# Nothing moved that is earlier than zero; no default streams that the source does not have.
_MATROSKA_OPTIONS = {"avoid_negative_ts": "disabled", "default_mode": "passthrough"}

# Tags that MP4 files have a place of their own for; with any other one all tags go into the generic list.
_MP4_TAGS = frozenset(
    {
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "grouping",
    }
    | {"lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "episode_sort"}
    | {"season_number", "creation_time", "location", "timecode"}
)


@dataclass(frozen=True)
class OutputStreams:
    """The restored stream, and the copies of the others by their index in the source."""

    video: VideoStream
    copies: Mapping[int, Stream]

    @property
    def packet_copies(self) -> dict[int, Stream]:
        """The copies that get packets: attachments are part of the header."""
        return {index: copy for index, copy in self.copies.items() if copy.type != "attachment"}


def open_output(
    file: Any, container: str, *, source: MediaInfo, original: InputContainer | None, time_base: Fraction
) -> OutputContainer:
    """Open a muxer on a path or a file object, with the tags of the source.

    Parameters
    ----------
    original
        The opened source; ``None`` for pictures.
    time_base
        Of the frames that will be written.
    """
    tags = film_tags(source.metadata, container=container)
    options = dict(_OPTIONS)
    if container in ("matroska", "webm"):
        options |= _MATROSKA_OPTIONS
    elif container in ("mp4", "mov"):
        options["movie_timescale"] = str(_movie_timescale(original, time_base))
        if not {name.lower() for name in tags} <= _MP4_TAGS:
            options["movflags"] = "use_metadata_tags"
    output = av.open(file, "w", format=container, container_options=options)
    output.metadata.update(tags)
    return output


def _movie_timescale(original: InputContainer | None, time_base: Fraction) -> int:
    """Units per second in which MP4 says when a stream begins: exact for all, where 32 bits allow it.

    The usual 1000 would move what does not begin on a whole millisecond.
    """
    units = time_base.denominator
    for stream in original.streams if original else ():
        if stream.time_base and stream.type in ("audio", "video", "subtitle"):
            exact = lcm(units, stream.time_base.denominator)
            units = exact if exact < 2**31 else units
    return units


def set_up(
    output: OutputContainer,
    path: Path,
    *,
    source: MediaInfo,
    original: InputContainer | None,
    encoding: VideoEncoding,
    size: tuple[int, int],
    left_out: frozenset[int] = frozenset(),
    span: TimeSpan | None = None,
    index: FrameIndex | None = None,
) -> OutputStreams:
    """Add all streams, in the order of the source, and the chapters.

    Parameters
    ----------
    path
        The output, for messages.
    original
        The opened source; ``None`` for pictures, which have nothing to copy.
    size
        (height, width) of the frames.
    left_out
        Streams of the source that are not copied, by index.
    span
        The part that is written, which limits the chapters; ``None`` for the whole.
    index
        The times of the frames, where they are known already.

    Raises
    ------
    OutputError, ValueError, av.FFmpegError
        If the encoder or the container refuses; see `refusal`.
    """
    if original is None:
        return OutputStreams(_add_video(output, path, source.video, encoding, size=size, index=index), {})
    restored = source.video.stream_index
    copied = {stream.index for stream in copied_streams(original, restored=restored)}
    copies: dict[int, Stream] = {}
    for stream in original.streams:
        if stream.index == restored:
            video = _add_video(output, path, source.video, encoding, size=size, index=index)
            video.metadata.update(stream_tags(stream.metadata, restored=True))
            if encoding.container in ("matroska", "webm") and needs_completion(source.video):
                video.metadata["title"] = padded_name(video.metadata.get("title", ""))
            video.disposition = stream.disposition
        elif stream.index in copied and stream.index not in left_out:
            copies[stream.index] = add_copy(output, stream, source.path)
    output.set_chapters(chapters_within(original.chapters(), span))
    return OutputStreams(video, copies)


def _add_video(
    output: OutputContainer,
    path: Path,
    video: VideoInfo,
    encoding: VideoEncoding,
    *,
    size: tuple[int, int],
    index: FrameIndex | None,
) -> VideoStream:
    """Add the restored stream and open its encoder."""
    rate = video.average_rate or _rate(index)
    stream: VideoStream = output.add_stream(encoding.encoder, rate=rate)  # type: ignore[assignment]
    encoder = stream.codec_context
    encoder.height, encoder.width = size
    encoder.pix_fmt = encoding.pix_fmt
    encoder.time_base = stream.time_base = video.time_base if index is None else index.time_base
    encoder.sample_aspect_ratio = video.sample_aspect_ratio
    encoder.thread_type = ThreadType.SLICE if encoding.codec == "ffv1" else ThreadType.AUTO
    set_colour_tags(encoder, colour_of(video, encoding, height=size[0]))
    if encoding.codec == "h265" and encoding.container in ("mp4", "mov"):
        encoder.codec_tag = "hvc1"  # the kind of H.265 that QuickTime plays
    if video.rotation:
        stream.set_display_rotation(video.rotation)
    encoder.options = dict(encoding.with_hdr(video.hdr).options)
    open_encoder(encoder)
    if encoder.options:  # what the encoder has not taken
        unknown = ", ".join(encoder.options)
        raise OutputError(f"{path}: the encoder {encoding.encoder} has no option {unknown}: leave it out")
    return stream


def colour_of(video: VideoInfo, encoding: VideoEncoding, *, height: int) -> ColourTags:
    """The tags of the output: those of the source, as far as the pixel format and the codec can say them."""
    tags = tags_for(encoding.pix_fmt, video.colour, height=height)
    return replace(tags, range="limited") if encoding.limited_range else tags


def _rate(index: FrameIndex | None) -> Fraction:
    """Frames per second, where the source does not say."""
    if index is None or len(index.pts) < 2:
        return Fraction(25)
    rate = (len(index.pts) - 1) / ((index.pts[-1] - index.pts[0]) * index.time_base)
    return rate.limit_denominator(1001)


def needs_completion(video: VideoInfo) -> bool:
    """Whether the header of a Matroska file lacks something until `reelprior.io.matroska` has added it."""
    has_hdr = video.hdr is not None and video.hdr.is_static
    return video.sample_aspect_ratio != 1 or video.crop is not None or has_hdr


def refusal(path: Path, encoding: VideoEncoding, size: tuple[int, int], error: Exception) -> OutputError:
    """Put into words that the encoder or the container does not take what was set up."""
    height, width = size
    if "does not support" in str(error):
        return OutputError(
            f"{path}: {path.suffix} cannot hold {encoding.codec}: use .mkv, or leave out the codec"
        )
    reason = getattr(error, "strerror", None) or str(error)
    options = " ".join(f"{name}={value}" for name, value in encoding.options.items()) or "no options"
    return OutputError(
        f"{path}: {encoding.codec} does not take {encoding.pix_fmt} at {width}x{height} with {options} "
        f"({reason}): change one of them"
    )
