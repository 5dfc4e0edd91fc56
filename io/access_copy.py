"""Access copies: small files that every player and browser shows, made from a restored master.

The master stays what it is; a copy is made from it as often as one likes, without restoring anything again. Pictures
become H.264 with AAC sound (``.mp4``) or AV1 with Opus sound (``.webm``), 4:2:0 in limited range. Not kept: subtitles,
attachments, data streams, and the last row or column of pictures with an odd side. Who wants those has the master.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from reelprior.io.colour import FromRgb
from reelprior.io.container import open_container
from reelprior.io.cropping import Crop
from reelprior.io.encoders import open_encoder
from reelprior.io.errors import OutputError
from reelprior.io.files import atomic_path
from reelprior.io.frame import Frame
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reader import open_reader
from reelprior.io.streams import film_tags, stream_tags
from reelprior.io.tags import ColourTags, set_colour_tags, tags_for

__all__ = ["SUFFIXES", "check_access_copy", "write_access_copy"]


@dataclass(frozen=True)
class _Kind:
    """A container and what goes into it."""

    container: str
    encoder: str
    options: dict[str, str]
    deep: bool
    """Whether more than 8 bits are played everywhere this kind is."""
    sound: str
    sound_rate: int | None
    """Samples per second that the sound must have; None keeps the source's."""


# Quality for looking at, not for keeping: about a tenth of a master's size.
_KINDS = {
    ".mp4": _Kind(
        "mp4", "libx264", {"crf": "20", "preset": "medium"}, deep=False, sound="aac", sound_rate=None
    ),
    ".webm": _Kind(
        "webm", "libsvtav1", {"crf": "30", "preset": "7"}, deep=True, sound="libopus", sound_rate=48000
    ),
}
SUFFIXES = tuple(_KINDS)

_BITS_PER_SECOND_AND_CHANNEL = 96_000
# What both kinds of sound can say; anything else is mixed to it.
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def check_access_copy(path: str | Path, *, overwrite: bool) -> None:
    """Refuse before any work what could not be written after it.

    Raises
    ------
    OutputError
        For another suffix, a missing folder, or a file that exists.
    """
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise OutputError(f"{path}: an access copy is {' or '.join(SUFFIXES)}: name it so")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist: create it first")
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path}: exists already: use --overwrite to replace it, or name another access copy"
        )


def write_access_copy(path: str | Path, master: str | Path) -> None:
    """Make an access copy of a video file or of a sequence of pictures.

    Parameters
    ----------
    path
        The file to write, ``.mp4`` or ``.webm``; replaced if it exists.
    master
        What to copy.

    Raises
    ------
    reelprior.io.errors.InputError
        If the master cannot be read.
    OutputError
        If the copy cannot be written.
    """
    path = Path(path)
    kind = _KINDS[path.suffix.lower()]
    info = probe(master)
    with ExitStack() as stack:
        reader = stack.enter_context(open_reader(master))
        temporary = stack.enter_context(atomic_path(path))
        try:
            with av.open(
                f"file:{temporary}", "w", format=kind.container, container_options=_options(kind)
            ) as output:
                picture = _Pictures(output, info, kind)
                sound = stack.enter_context(closing(_sound(output, info, kind)))
                output.metadata.update(film_tags(info.metadata, container=kind.container))
                _interleave(picture.packets(reader.read(0)), sound, output)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise  # atomic_path words it
            raise OutputError(f"{path}: this access copy cannot be made of {master} ({error})") from error


def _options(kind: _Kind) -> dict[str, str]:
    # A browser can begin to show an MP4 file whose index comes first.
    return {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if kind.container == "mp4" else {})


class _Pictures:
    """The video stream of a copy."""

    def __init__(self, output: OutputContainer, info: MediaInfo, kind: _Kind) -> None:
        video = info.video
        # What the master's container hides is cut off: MP4 files have no way that all players know to hide it.
        crop = video.crop or Crop(0, 0, 0, 0)
        shown = (video.height - crop.top - crop.bottom, video.width - crop.left - crop.right)
        self._size = (max(0, shown[0]) // 2 * 2, max(0, shown[1]) // 2 * 2)
        self._corner = (crop.top, crop.left)
        if not all(self._size):
            raise ValueError(f"{video.width}x{video.height} pixels are too few")
        pix_fmt = "yuv420p10le" if kind.deep and video.bit_depth > 8 else "yuv420p"
        colour = _limited(tags_for(pix_fmt, video.colour, height=video.height))
        self._from_rgb = FromRgb(pix_fmt, colour)
        stream: VideoStream = output.add_stream(kind.encoder, rate=video.average_rate or 25)  # type: ignore[assignment]
        encoder = stream.codec_context
        encoder.height, encoder.width = self._size
        encoder.pix_fmt = pix_fmt
        encoder.time_base = stream.time_base = video.time_base
        encoder.sample_aspect_ratio = video.sample_aspect_ratio
        encoder.options = dict(kind.options)
        set_colour_tags(encoder, colour)
        if video.rotation:
            stream.set_display_rotation(video.rotation)
        open_encoder(encoder)
        self._stream = stream

    def packets(self, frames: Iterator[Frame]) -> Iterator[av.Packet[Any]]:
        (height, width), (top, left) = self._size, self._corner
        durations: dict[int, int] = {}  # of the frames inside the encoder, by pts
        for frame in frames:
            picture = self._from_rgb(frame.pixels[:, top : top + height, left : left + width])
            picture.pts, picture.time_base, picture.duration = frame.pts, frame.time_base, frame.duration
            durations[frame.pts] = frame.duration
            yield from self._timed(self._stream.encode(picture), durations)
        yield from self._timed(self._stream.encode(None), durations)

    @staticmethod
    def _timed(packets: list[av.Packet[Any]], durations: dict[int, int]) -> Iterator[av.Packet[Any]]:
        for packet in packets:
            if packet.pts is not None:
                packet.duration = durations.pop(packet.pts, packet.duration)
            yield packet


def _limited(colour: ColourTags) -> ColourTags:
    """Full range is what players get wrong most often."""
    return replace(colour, range="limited")


def _sound(output: OutputContainer, info: MediaInfo, kind: _Kind) -> Generator[av.Packet[Any]]:
    """Packets of every sound stream, coded anew, in about the order of the master."""
    if info.kind != "video":
        return _transcoded(None, {}, ExitStack())  # pictures are silent
    resources = ExitStack()
    source = resources.enter_context(open_container(Path(info.path)))
    tracks = {stream.index: _Track(output, stream, kind) for stream in source.streams.audio}
    return _transcoded(source, tracks, resources)


def _transcoded(
    source: InputContainer | None, tracks: dict[int, _Track], resources: ExitStack
) -> Generator[av.Packet[Any]]:
    with resources:
        if source is None or not tracks:
            return
        for packet in source.demux([source.streams[index] for index in tracks]):
            yield from tracks[packet.stream.index].encode(packet)  # an empty one has no index
        for track in tracks.values():
            yield from track.flush()


class _Track:
    """One sound stream: decoded, resampled to what its encoder takes, encoded."""

    def __init__(self, output: OutputContainer, original: AudioStream, kind: _Kind) -> None:
        rate = kind.sound_rate or original.codec_context.sample_rate
        layout = _layout(original)
        self._stream: AudioStream = output.add_stream(kind.sound, rate=rate, layout=layout)  # type: ignore[assignment]
        self._stream.codec_context.bit_rate = _BITS_PER_SECOND_AND_CHANNEL * original.codec_context.channels
        self._stream.metadata.update(stream_tags(original.metadata))
        self._stream.disposition = original.disposition
        encoder = self._stream.codec_context
        encoder.open()  # only then it says how many samples a frame has
        self._resampler = av.AudioResampler(
            format=encoder.format, layout=layout, rate=rate, frame_size=encoder.frame_size
        )

    def encode(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        for frame in packet.decode():
            yield from self._encoded(self._resampler.resample(cast("av.AudioFrame", frame)))

    def flush(self) -> Iterator[av.Packet[Any]]:
        yield from self._encoded(self._resampler.resample(None))
        yield from self._stream.encode(None)

    def _encoded(self, frames: list[av.AudioFrame]) -> Iterator[av.Packet[Any]]:
        for frame in frames:
            yield from self._stream.encode(frame)


def _layout(original: AudioStream) -> str:
    """Where the loudspeakers stand; files that do not say have the usual ones."""
    codec = original.codec_context
    if codec.layout.name in _USUAL_LAYOUTS.values():
        return codec.layout.name
    if codec.channels not in _USUAL_LAYOUTS:
        raise ValueError(f"sound stream {original.index} has {codec.channels} channels")
    return _USUAL_LAYOUTS[codec.channels]


def _interleave(
    pictures: Iterator[av.Packet[Any]], sound: Iterator[av.Packet[Any]], output: OutputContainer
) -> None:
    """Mux both in order of time, so that neither is held back in memory."""
    waiting = next(sound, None)
    for packet in pictures:
        while waiting is not None and _seconds(waiting) <= _seconds(packet):
            output.mux_one(waiting)
            waiting = next(sound, None)
        output.mux_one(packet)
    while waiting is not None:
        output.mux_one(waiting)
        waiting = next(sound, None)


def _seconds(packet: av.Packet[Any]) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if time is None else time * Fraction(packet.time_base)
