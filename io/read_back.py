"""What a container loses without a word: a few frames are written with everything around, and read again.

Matroska, MP4 and QuickTime are known through and through. Of AVI, MXF and transport streams nobody can say what a muxer
does with a tag, so it is tried.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from reelprior.io.coding import VideoEncoding
from reelprior.io.colour import FromRgb
from reelprior.io.container import open_container
from reelprior.io.counting import timed
from reelprior.io.errors import InputError, OutputError
from reelprior.io.muxing import colour_of, open_output, set_up
from reelprior.io.packet_feed import PacketFeed
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.streams import film_tags
from reelprior.io.tags import is_same_matrix

__all__ = ["lost_in_silence"]

_TRIED = ("avi", "mxf", "mpegts")
_FRAMES = 8  # a transport stream is not recognised by less
_PACKETS = 50


def lost_in_silence(
    path: Path, *, source: MediaInfo, encoding: VideoEncoding, size: tuple[int, int], left_out: frozenset[int]
) -> list[str]:
    """What is not in the output of what is in the source, in words; nothing for containers that are known.

    Parameters
    ----------
    path
        The output, for messages.
    size
        (height, width) of the frames.
    left_out
        Streams that are not copied anyway.

    Raises
    ------
    OutputError
        If not even that can be written.
    """
    if encoding.container not in _TRIED:
        return []
    with TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{path.suffix}"
        try:
            _write(trial, path, source=source, encoding=encoding, size=size, left_out=left_out)
            found = probe(trial)
        except (ValueError, av.FFmpegError, InputError) as error:
            raise OutputError(f"{path}: {path.suffix} does not work here ({error}): use .mkv") from error
    return [
        *_lost_of_picture(source, found, encoding, size),
        *_lost_of_film(source, found, encoding, left_out),
    ]


def _write(
    trial: Path,
    path: Path,
    *,
    source: MediaInfo,
    encoding: VideoEncoding,
    size: tuple[int, int],
    left_out: frozenset[int],
) -> None:
    source = timed(source, encoding.container)
    step = max(round(1 / (source.video.time_base * (source.video.average_rate or 25))), 1)
    with ExitStack() as stack:
        original = stack.enter_context(open_container(Path(source.path))) if source.kind == "video" else None
        output = stack.enter_context(
            open_output(
                str(trial),
                encoding.container,
                source=source,
                original=original,
                time_base=source.video.time_base,
            )
        )
        streams = set_up(
            output, path, source=source, original=original, encoding=encoding, size=size, left_out=left_out
        )
        output.start_encoding()
        noise = np.random.default_rng(0).random((3, *size), np.float32)
        from_rgb = FromRgb(encoding.pix_fmt, colour_of(source.video, encoding, height=size[0]))
        for number in range(_FRAMES):
            frame = from_rgb(noise, None)
            frame.pts, frame.time_base, frame.duration = number * step, source.video.time_base, step
            output.mux(streams.video.encode(frame))
        output.mux(streams.video.encode(None))
        feed = PacketFeed(source.path, streams.packet_copies, span=None)
        stack.callback(feed.close)
        for packet in islice(feed.until(None), _PACKETS):
            output.mux_one(packet)


def _lost_of_picture(
    source: MediaInfo, found: MediaInfo, encoding: VideoEncoding, size: tuple[int, int]
) -> Iterator[str]:
    wanted, there = source.video, found.video
    if there.sample_aspect_ratio != wanted.sample_aspect_ratio:
        yield f"the shape of pixels ({wanted.sample_aspect_ratio})"
    if there.rotation != wanted.rotation:
        yield f"the rotation by {wanted.rotation} degrees"
    tags = colour_of(wanted, encoding, height=size[0])
    for name in ("matrix", "range", "primaries", "transfer"):
        value, read = getattr(tags, name), getattr(there.colour, name)
        is_same = is_same_matrix(value, read) if name == "matrix" else value == read
        if value != "unknown" and not is_same:
            yield f"the colour {name} {value}"


def _lost_of_film(
    source: MediaInfo, found: MediaInfo, encoding: VideoEncoding, left_out: frozenset[int]
) -> Iterator[str]:
    kept = {name.lower(): value for name, value in found.metadata.items()}
    tags = film_tags(source.metadata, container=encoding.container)
    yield from (f"the tag {name}" for name, value in tags.items() if kept.get(name.lower()) != value)
    if source.chapters and not found.chapters:
        yield f"the {source.chapters} chapters"
    copies = [stream for stream in source.streams if stream.index not in left_out and stream.codec]
    for stream, copy in zip(copies, found.streams, strict=False):
        for name in ("language", "title"):
            value = getattr(stream, name)
            if value and value != "und" and getattr(copy, name) != value:
                yield f"the {name} of {stream.kind} stream {stream.index}"
