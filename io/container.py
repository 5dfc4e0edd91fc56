"""Opening and decoding video files: the one boundary where FFmpeg's errors become ours.

Everything that reads a video (probe, scan, reader) decodes through here, so that all of them see the same
frames: packets that cannot be decoded are skipped, and a file that breaks off ends there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from reelprior.io.errors import InputError
from reelprior.io.limits import Limits, check_pixels
from reelprior.io.opacity import decoder_with_opacity
from reelprior.io.quantisers import EXPORT
from reelprior.io.slices import SliceCheck

__all__ = [
    "Damage",
    "check_file",
    "check_size",
    "decode",
    "is_one_picture",
    "no_frame",
    "open_container",
    "video_stream",
]

# What PyAV raises: its own tree, which is not all of OSError, besides what Python does for names and text.
_FAILURES = (av.FFmpegError, OSError, ValueError)
_REMEDY = "check that it is a complete video or image file"


@dataclass
class Damage:
    """What `decode` could not make sense of, noted while it goes on.

    Attributes
    ----------
    failed
        Presentation times of packets that gave no frame, in units of the stream's time base, in the order of decoding.
        ``None`` where a packet has no time.
    corrupt
        Presentation times of frames that decoder, demuxer or checksum call corrupt.
    breaks_off
        The first words of the error that ended the reading before the end of the file; "" if none did.
    """

    failed: list[int | None] = field(default_factory=list)
    corrupt: set[int] = field(default_factory=set)
    breaks_off: str = ""


def check_file(path: Path) -> None:
    """Raise `InputError` unless ``path`` is a regular file with something in it."""
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file: check the name")
        if not path.is_file():
            raise InputError(f"{path}: not a regular file: give a video file, an image or a folder of images")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty: {_REMEDY}")
    except _FAILURES as error:  # ValueError: a null byte in the name
        raise InputError(f"{path}: {_reason(error)}: check the name and its permissions") from error


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a video file for reading; `InputError` where FFmpeg cannot."""
    check_file(path)
    limits = Limits.from_environment()
    # A playlist must not make this machine open connections; a header must not make a decoder take memory.
    options = {"protocol_whitelist": "file,crypto,data", "max_pixels": str(min(limits.max_pixels, 2**31 - 1))}
    try:
        # "file:" keeps names with a colon from being taken for protocols. Metadata is not always UTF-8.
        container = av.open(
            f"file:{path}", options=options, metadata_errors="replace", timeout=limits.max_seconds
        )
    except av.ExitError as error:  # how FFmpeg says that it was interrupted
        raise InputError(
            f"{path}: not open after {limits.max_seconds:g} seconds: "
            "set REELPRIOR_MAX_SECONDS higher if the disk is slow"
        ) from error
    except _FAILURES as error:
        raise InputError(f"{path}: {_reason(error)}: {_REMEDY}") from error
    with container:
        if container.format.name == "tty":  # FFmpeg would draw any .txt file as a terminal shows it
            raise InputError(f"{path}: a text file, no video or image: {_REMEDY}")
        yield container


def is_one_picture(container: InputContainer) -> bool:
    """Whether the streams of a file are one picture at several sizes, as in an icon; the first stands for all."""
    return container.format.name == "ico"


def video_stream(container: InputContainer, path: Path, *, tells_quantisers: bool = False) -> VideoStream:
    """Find the stream to restore, the first one with moving pictures; `InputError` where there is none.

    ``tells_quantisers`` makes its frames carry what `reelprior.io.quantisers` reads, where the decoder can.
    """
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        kinds = ", ".join(dict.fromkeys(s.type for s in container.streams)) or "nothing"
        raise InputError(f"{path}: no video stream, only {kinds}: choose a file with a picture")
    stream = moving[0]
    if not stream.codec_context:
        raise InputError(f"{path}: FFmpeg has no decoder for its video: convert it to another codec first")
    check_pixels(path, stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.options = {
        "max_pixels": str(min(Limits.from_environment().max_pixels, 2**31 - 1)),
        **(EXPORT if tells_quantisers else {}),
    }
    # Frame threads are faster, but can hang when a decoder is left before the end of the file.
    stream.thread_type = ThreadType.SLICE
    return stream


def decode(
    container: InputContainer, stream: VideoStream, path: Path, *, damage: Damage | None = None
) -> Iterator[av.VideoFrame]:
    """Every frame that can be decoded, in presentation order, from where the container stands.

    Raises `InputError` for encrypted streams; other damage is skipped, and noted in ``damage``.
    """
    damage = Damage() if damage is None else damage
    slices = SliceCheck() if stream.codec_context.codec.canonical_name == "ffv1" else None
    decoder = decoder_with_opacity(stream) or stream
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except _FAILURES as error:  # a damaged container: what the decoder still holds is all there is
            damage.breaks_off = _reason(error)
            break
        if packet is None:
            return
        if packet.has_sidedata("encryption_info"):
            raise InputError(f"{path}: the video is encrypted (DRM): decrypt it first")
        if slices is not None and packet.pts is not None and not slices.is_whole(packet):
            damage.corrupt.add(packet.pts)
        try:
            frames = decoder.decode(packet)
        except _FAILURES:  # one damaged packet
            damage.failed.append(packet.pts)
            continue
        yield from _noting_corruption(frames, damage)
    try:
        frames = decoder.decode(None)
    except _FAILURES:
        return
    yield from _noting_corruption(frames, damage)


def _noting_corruption(frames: list[av.VideoFrame], damage: Damage) -> Iterator[av.VideoFrame]:
    for frame in frames:
        if frame.is_corrupt and frame.pts is not None:
            damage.corrupt.add(frame.pts)
        yield frame


def check_size(frame: av.VideoFrame, index: int, *, size: tuple[int, int], path: Path) -> None:
    """Raise `InputError` when frame ``index`` has not the ``size`` (height, width) of the first one."""
    if (frame.height, frame.width) != size:
        height, width = size
        raise InputError(
            f"{path}: frame {index} is {frame.width}x{frame.height}, those before it are {width}x{height}: "
            f"cut the file there and restore the parts one by one"
        )


def no_frame(path: Path) -> InputError:
    """The error for a video without a single frame that decodes, one of which is a size above the limit."""
    limit = Limits.from_environment().max_megapixels
    return InputError(
        f"{path}: not one frame can be decoded: check that it is complete, not encrypted, "
        f"and below {limit:g} megapixels (REELPRIOR_MAX_MEGAPIXELS)"
    )


def _reason(error: Exception) -> str:
    """The cause in a few words and one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
