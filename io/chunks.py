"""Chunk files: restored frames between a task and the assembly, in steps of 1/65535.

FFV1 as planar R'G'B' in Matroska, without anything volatile in the header: equal frames give byte-identical
files, so that a hash tells whether two workers agree. Frames are streamed both ways; one is in memory.

Values of video may reach beyond [0, 1]: brighter than white, or colours that only Y'CbCr can express. A file of
such frames has a fourth plane, the one for opacity: the 16 bits of a sample count within [0, 1], and this plane
counts, in four bits a channel, how many whole ranges the value lies outside.

Whoever needs to know that a chunk is undamaged compares its `sha256`: FFmpeg patches a slice with a wrong
checksum from the frame before and tells nobody but its log.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.context import ThreadType
from numpy.typing import NDArray

from reelprior.io.errors import InputError, OutputError
from reelprior.io.files import atomic_path
from reelprior.io.layout import layout_of
from reelprior.io.planes import alpha_of, planes_of

__all__ = ["ffv1_options", "read_frames", "write_frames"]

_WITHIN, _BEYOND = "gbrp16le", "gbrap16le"
_MAXIMUM = 65535
_LEVELS = 65536
_RANGES = 8  # on either side of [0, 1]: Y'CbCr codes reach from -1.3 to 2.3
# Chunks know nothing of time: frames are numbered, one tick of Matroska's clock (1 ms) each.
_TICK = Fraction(1, 1000)

# What archives ask of FFV1: version 3, every frame on its own, checksums, range coder with the large context.
_FFV1 = {"level": "3", "g": "1", "slicecrc": "1", "coder": "1", "context": "1"}
# Slices that FFV1 knows, best first: 16 keep decoders busy and an error local; huge frames need more, tiny
# ones hold fewer.
_SLICES = (16, 24, 30, 12, 9, 6, 4)


def ffv1_options(width: int, height: int, pix_fmt: str) -> Mapping[str, str]:
    """Options of the FFV1 encoder for preservation, with the slices that a frame of this size permits."""
    # FFmpeg's slices can miss the last column of chroma that counts for four columns of luma.
    is_at_risk = layout_of(pix_fmt).horizontal == 4 and width % 4 != 0
    for slices in _SLICES:
        options = {**_FFV1, "slices": str(slices)}
        encoder = _encoder(width, height, pix_fmt, options)
        if encoder is not None and not (is_at_risk and _loses_samples(encoder)):
            return options
    return {**_FFV1, "slices": "1"}


def _encoder(
    width: int, height: int, pix_fmt: str, options: Mapping[str, str]
) -> av.VideoCodecContext | None:
    encoder = av.CodecContext.create("ffv1", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
    encoder.time_base = _TICK
    encoder.options = dict(options)
    try:
        encoder.open()
    except av.FFmpegError:
        return None
    return encoder


def _loses_samples(encoder: av.VideoCodecContext) -> bool:
    """Whether a frame of random codes comes back from an encoder as another one."""
    assert encoder.pix_fmt is not None  # it has been opened
    frame = av.VideoFrame(encoder.width, encoder.height, encoder.pix_fmt)
    random = np.random.default_rng(0)
    layout = layout_of(frame.format.name)
    planes = planes_of(frame, layout)
    for plane in planes:
        plane[:] = random.integers(0, 2**layout.bits, plane.shape)
    frame.pts, frame.time_base = 0, _TICK
    packets = encoder.encode(frame) + encoder.encode(None)
    decoder = av.CodecContext.create("ffv1", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata, decoder.width, decoder.height = encoder.extradata, encoder.width, encoder.height
    decoded = [found for packet in [*packets, None] for found in decoder.decode(packet)]
    return any((one != other).any() for one, other in zip(planes, planes_of(decoded[0], layout), strict=True))


def write_frames(path: str | Path, frames: Iterable[NDArray[np.float32]], *, clip: bool = True) -> None:
    """Write frames to a chunk file, atomically.

    Parameters
    ----------
    path
        File to write, ``.mkv``; replaced if it exists.
    frames
        (3, H, W) float32 R'G'B', all of one size, at least one. Values are rounded to k / 65535 with a whole
        k.
    clip
        Whether to clip them to [0, 1]; else they may reach from -8 to 8, at the price of a fourth plane.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ValueError
        If there are no frames, if their sizes differ, or if one holds values that are not numbers.
    """
    pending = iter(frames)
    first = next(pending, None)
    if first is None:
        raise ValueError(f"no frames to write to {path}")
    _, height, width = first.shape
    pix_fmt = _WITHIN if clip else _BEYOND
    with atomic_path(path) as temporary:
        try:
            container = av.open(temporary, "w", format="matroska", container_options={"fflags": "+bitexact"})
            with closing(container):
                options = dict(ffv1_options(width, height, pix_fmt))
                stream = container.add_stream("ffv1", rate=1 / _TICK, options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
                stream.codec_context.time_base = _TICK
                stream.codec_context.thread_type = ThreadType.SLICE
                for number, pixels in enumerate(chain([first], pending)):
                    if pixels.shape != first.shape:
                        raise ValueError(
                            f"frame {number} has shape {pixels.shape}, the first one {first.shape}"
                        )
                    frame = _to_frame(pixels, pix_fmt, number)
                    frame.pts, frame.time_base = number, _TICK
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise  # atomic_path words it
            raise OutputError(f"{path}: frames of {width}x{height} cannot be encoded ({error})") from error


def read_frames(path: str | Path) -> Iterator[NDArray[np.float32]]:
    """Read the frames of a chunk file one after the other, (3, H, W) float32.

    Raises
    ------
    InputError
        If the file is missing, not a video or without frames.
    """
    number = 0
    try:
        # Not threads per frame: those can hang when the caller stops in the middle.
        with av.open(path, "r", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            stream.thread_type = ThreadType.SLICE
            for frame in container.decode(stream):
                if frame.format.name not in (_WITHIN, _BEYOND):
                    raise InputError(f"{path}: holds {frame.format.name}: not a chunk")
                yield _to_pixels(frame)
                number += 1
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{path}: not readable as a chunk after {number} frames ({error})") from error
    if number == 0:
        raise InputError(f"{path}: holds no frames")


def _to_frame(pixels: NDArray[np.float32], pix_fmt: str, number: int) -> av.VideoFrame:
    codes = np.rint(pixels * np.float32(_MAXIMUM))
    if np.isnan(codes).any():
        raise ValueError(f"frame {number} holds values that are not numbers")
    layout = layout_of(pix_fmt)
    frame = av.VideoFrame(pixels.shape[2], pixels.shape[1], pix_fmt)
    alpha = alpha_of(frame, layout)
    limits = (0, _MAXIMUM) if alpha is None else (-_RANGES * _LEVELS, _RANGES * _LEVELS - 1)
    codes = np.clip(codes, *limits, out=codes).astype(np.int32)
    for plane, channel in zip(planes_of(frame, layout), codes, strict=True):
        plane[:] = channel & _MAXIMUM
    if alpha is not None:
        ranges = codes // _LEVELS & 15  # -8 to 7, in four bits with a sign
        alpha[:] = ranges[0] | ranges[1] << 4 | ranges[2] << 8
    return frame


def _to_pixels(frame: av.VideoFrame) -> NDArray[np.float32]:
    layout = layout_of(frame.format.name)
    alpha = alpha_of(frame, layout)
    pixels = np.empty((3, frame.height, frame.width), np.float32)
    for channel, plane in enumerate(planes_of(frame, layout)):
        codes: NDArray[np.integer] = plane
        if alpha is not None:
            ranges = (alpha >> 4 * channel & 15).astype(np.int32)
            codes = plane + ((ranges ^ _RANGES) - _RANGES) * _LEVELS
        np.divide(codes, np.float32(_MAXIMUM), out=pixels[channel], casting="unsafe")
    return pixels
