"""The rehearsal of a video file before the work: set up in memory, down to the first packets.

What a container cannot hold is found here, stream by stream, and named with the remedy.
"""

import io
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from reelprior.io.coding import VideoEncoding
from reelprior.io.container import open_container
from reelprior.io.counting import counts_frames, timed, uneven_sound
from reelprior.io.errors import InputError, OutputError
from reelprior.io.muxing import OutputStreams, open_output, refusal, set_up
from reelprior.io.packet_feed import PacketFeed
from reelprior.io.probe import MediaInfo
from reelprior.io.streams import TimeSpan, copied_streams, is_held

__all__ = ["rehearse"]

_REHEARSED_PACKETS = 50


def rehearse(
    path: Path,
    *,
    source: MediaInfo,
    encoding: VideoEncoding,
    size: tuple[int, int],
    drop: bool = False,
    span: TimeSpan | None = None,
) -> dict[int, str]:
    """Set the output up in memory, down to the first packets.

    Parameters
    ----------
    path
        The output, for messages.
    size
        (height, width) of the frames.
    drop
        Whether to leave out the streams that stand in the way.
    span
        Of the pictures, once it is known: containers that count are then checked against all of the sound.

    Returns
    -------
    dict[int, str]
        The streams that are left out, by their index in the source, and why.

    Raises
    ------
    OutputError
        For what stands in the way.
    InputError
        For streams that no container can hold.
    """
    left_out: dict[int, str] = {}
    while (
        refused := _rehearse(
            path, source=source, encoding=encoding, size=size, left_out=frozenset(left_out), span=span
        )
    ) is not None:
        if not drop:
            raise refused if refused.unsupported is None else InputError(refused.unsupported)
        left_out |= dict.fromkeys(refused.streams, refused.what)
    return left_out


class _RefusedError(OutputError):
    """A container cannot hold some streams; ``unsupported`` says that no container can."""

    def __init__(
        self, path: Path, what: str, remedy: str, streams: Iterable[int], *, unsupported: str | None = None
    ) -> None:
        super().__init__(f"{path}: {path.suffix} {what}: {remedy}, or --drop-incompatible")
        self.what = f"{path.suffix} {what}"
        self.streams = frozenset(streams)
        self.unsupported = unsupported


def _rehearse(
    path: Path,
    *,
    source: MediaInfo,
    encoding: VideoEncoding,
    size: tuple[int, int],
    left_out: frozenset[int],
    span: TimeSpan | None,
) -> _RefusedError | None:
    """Try once; the streams that stand in the way, if there are some."""
    source = timed(source, encoding.container)
    with ExitStack() as stack:
        original = stack.enter_context(open_container(Path(source.path))) if source.kind == "video" else None
        if original is not None:
            refused = _refused_copies(path, original, source, encoding.container, left_out)
            if refused is not None:
                return refused
            if span is not None and counts_frames(encoding.container):
                refused = _refused_sound(
                    path, original, source, container=encoding.container, left_out=left_out, span=span
                )
                if refused is not None:
                    return refused
        output = open_output(
            io.BytesIO(),
            encoding.container,
            source=source,
            original=original,
            time_base=source.video.time_base,
        )
        try:
            streams = set_up(
                output,
                path,
                source=source,
                original=original,
                encoding=encoding,
                size=size,
                left_out=left_out,
            )
            output.start_encoding()
        except (ValueError, av.FFmpegError) as error:
            raise refusal(path, encoding, size, error) from error
        else:
            return _try_packets(output, path, source=source, streams=streams)
        finally:
            with suppress(av.FFmpegError):
                output.close()


def _refused_copies(
    path: Path, original: InputContainer, source: MediaInfo, container: str, left_out: frozenset[int]
) -> _RefusedError | None:
    """The streams that the container cannot hold."""
    streams = copied_streams(original, restored=source.video.stream_index)
    refused = [
        stream
        for stream in streams
        if stream.index not in left_out and not is_held(container, stream, source.path)
    ]
    if not refused:
        return None
    remedies = [
        suffix
        for suffix, other in {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}.items()
        if other != container and all(is_held(other, stream, source.path) for stream in refused)
    ]
    remedy = f"use {' or '.join(remedies)}" if remedies else "take it out of the source first"
    names = ", ".join(f"{stream.type} stream {stream.index} ({_codec_name(stream)})" for stream in refused)
    what = f"cannot hold {names} of {source.path}"
    unsupported = None
    if not remedies:
        unsupported = (
            f"{source.path}: nothing that is written here can hold {names}: {remedy}, or --drop-incompatible"
        )
    return _RefusedError(path, what, remedy, [stream.index for stream in refused], unsupported=unsupported)


def _refused_sound(
    path: Path,
    original: InputContainer,
    source: MediaInfo,
    *,
    container: str,
    left_out: frozenset[int],
    span: TimeSpan,
) -> _RefusedError | None:
    """The sound that a container which counts samples cannot hold in sync."""
    streams = copied_streams(original, restored=source.video.stream_index)
    uneven = uneven_sound(
        original,
        [stream for stream in streams if stream.index not in left_out],
        begin=span.begin,
        seconds=span.end - span.begin if container == "mxf" else None,
    )
    if not uneven:
        return None
    named = ", ".join(f"audio stream {index} of {source.path}, which {why}" for index, why in uneven.items())
    return _RefusedError(path, f"cannot hold {named}", "use .mkv, .mp4 or .mov", uneven)


def _try_packets(
    output: OutputContainer, path: Path, *, source: MediaInfo, streams: OutputStreams
) -> _RefusedError | None:
    """Mux the first packets of the copies: some muxers only look at those, not at what the header says."""
    feed = PacketFeed(source.path, streams.packet_copies, span=None)
    with closing(feed):
        for packet in islice(feed.until(None), _REHEARSED_PACKETS):
            stream = packet.stream
            try:
                output.mux_one(packet)
            except (ValueError, av.FFmpegError) as error:
                index = next(index for index, copy in streams.copies.items() if copy is stream)
                what = (
                    f"refuses the packets of {stream.type} stream {index} of {source.path} "
                    f"({getattr(error, 'strerror', error)})"
                )
                return _RefusedError(path, what, "use another container", [index])
    return None


def _codec_name(stream: Stream) -> str:
    if stream.codec_context:
        return stream.codec_context.codec.canonical_name
    return stream.metadata.get("filename", "unknown codec")
