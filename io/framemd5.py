"""A hash for every decoded frame, in FFmpeg's framemd5 format: what was in the file, whatever its container becomes.

Written by FFmpeg's own muxer, so that what an archivist makes with

    ffmpeg -noautorotate -i FILE -map 0:v:0 -copyts -enc_time_base demux -fflags +bitexact -f framemd5 FILE.framemd5

is the same, line for line. The frames are hashed as they are coded: planes of the decoder, before any conversion.
"""

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from reelprior.io.container import decode, open_container, video_stream
from reelprior.io.errors import InputError
from reelprior.io.files import atomic_path
from reelprior.io.images import SEQUENCE_RATE, is_images, list_images

__all__ = ["write_framemd5"]


def write_framemd5(path: str | Path, source: str | Path, *, frames: range | None = None) -> int:
    """Hash the frames of a source; how many there were.

    Parameters
    ----------
    path
        The text file to write; replaced if it exists.
    source
        A video file, a picture, a folder or a ``%04d`` pattern. Of a video the stream that is restored.
    frames
        A half-open range in steps of one: only these. All of them by default.

    Raises
    ------
    InputError
        If the source cannot be read, or has none of these frames.
    reelprior.io.errors.OutputError
        If the file cannot be written.
    """
    source = Path(source)
    pictures = _pictures(source) if is_images(source) else _video(source)
    wanted = islice(pictures, frames.start, frames.stop) if frames is not None else pictures
    count = 0
    with closing(pictures), atomic_path(path) as temporary:
        output: OutputContainer | None = None
        try:
            for frame in wanted:
                if output is None:
                    output = av.open(
                        f"file:{temporary}", "w", format="framemd5", container_options={"fflags": "+bitexact"}
                    )
                    stream = _add_stream(output, frame)
                _mux(output, stream, frame, count)
                count += 1
        finally:
            if output is not None:
                output.close()
        if not count:
            raise InputError(
                f"{source}: has no frames to hash{f' in {frames.start}:{frames.stop}' if frames else ''}"
            )
    return count


def _video(source: Path) -> Generator[av.VideoFrame]:
    with open_container(source) as container:
        yield from decode(container, video_stream(container, source), source)


def _pictures(source: Path) -> Generator[av.VideoFrame]:
    """Pictures at the rate of a sequence, each a file of its own."""
    for number, picture in enumerate(list_images(source)):
        with closing(_video(picture)) as decoded:
            frame = next(decoded, None)
        if frame is None:
            raise InputError(f"{picture}: cannot be decoded: check that it is a complete image file")
        frame.pts, frame.time_base, frame.duration = number, 1 / Fraction(SEQUENCE_RATE), 1
        yield frame


def _add_stream(output: OutputContainer, frame: av.VideoFrame) -> VideoStream:
    stream: VideoStream = output.add_stream("rawvideo")
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
    assert frame.time_base is not None  # every decoded frame has one
    stream.time_base = stream.codec_context.time_base = frame.time_base
    return stream


def _mux(output: OutputContainer, stream: VideoStream, frame: av.VideoFrame, number: int) -> None:
    # An encoder of its own for every frame: those of a sequence may differ in pixel format.
    encoder = av.CodecContext.create("rawvideo", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    assert frame.time_base is not None
    encoder.time_base = frame.time_base
    duration = frame.duration
    for packet in [*encoder.encode(frame), *encoder.encode(None)]:
        packet.stream = stream
        packet.dts = packet.pts = number if packet.pts is None else packet.pts
        packet.duration = duration
        output.mux_one(packet)
