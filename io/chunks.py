"""Chunk files: restored frames between a task and the assembly, lossless at 16 bits per sample.

FFV1 as planar R'G'B' in Matroska, without anything volatile in the header: equal frames give byte-identical
files, so that a hash tells whether two workers agree. Frames are streamed both ways; one is in memory.

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

__all__ = ["ffv1_options", "read_frames", "write_frames"]

_PIXEL_FORMAT = "gbrp16le"
_MAXIMUM = 65535
# Chunks know nothing of time: frames are numbered, one tick of Matroska's clock (1 ms) each.
_TICK = Fraction(1, 1000)

# What archives ask of FFV1: version 3, every frame on its own, checksums, range coder with the large context.
_FFV1 = {"level": "3", "g": "1", "slicecrc": "1", "coder": "1", "context": "1"}
# Slices that FFV1 knows, best first: 16 keep decoders busy and an error local; huge frames need more, tiny
# ones hold fewer.
_SLICES = (16, 24, 30, 12, 9, 6, 4)


def ffv1_options(width: int, height: int, pix_fmt: str) -> Mapping[str, str]:
    """Options of the FFV1 encoder for preservation, with the slices that a frame of this size permits."""
    for slices in _SLICES:
        encoder = av.CodecContext.create("ffv1", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
        encoder.time_base = _TICK
        encoder.options = {**_FFV1, "slices": str(slices)}
        try:
            encoder.open()
        except av.FFmpegError:
            continue
        return {**_FFV1, "slices": str(slices)}
    return {**_FFV1, "slices": "1"}


def write_frames(path: str | Path, frames: Iterable[NDArray[np.float32]]) -> None:
    """Write frames to a chunk file, atomically.

    Parameters
    ----------
    path
        File to write, ``.mkv``; replaced if it exists.
    frames
        (3, H, W) float32 R'G'B' in [0, 1], all of one size, at least one. Values are clipped to that range
        and rounded to 16 bits; k / 65535 comes back exactly.

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
    with atomic_path(path) as temporary:
        try:
            container = av.open(temporary, "w", format="matroska", container_options={"fflags": "+bitexact"})
            with closing(container):
                options = dict(ffv1_options(width, height, _PIXEL_FORMAT))
                stream = container.add_stream("ffv1", rate=1 / _TICK, options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, _PIXEL_FORMAT
                stream.codec_context.time_base = _TICK
                stream.codec_context.thread_type = ThreadType.SLICE
                for number, pixels in enumerate(chain([first], pending)):
                    if pixels.shape != first.shape:
                        raise ValueError(
                            f"frame {number} has shape {pixels.shape}, the first one {first.shape}"
                        )
                    frame = av.VideoFrame.from_ndarray(_to_levels(pixels, number), _PIXEL_FORMAT)
                    frame.pts, frame.time_base = number, _TICK
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise  # atomic_path words it
            raise OutputError(f"{path}: frames of {width}x{height} cannot be encoded ({error})") from error


def read_frames(path: str | Path) -> Iterator[NDArray[np.float32]]:
    """Read the frames of a chunk file one after the other, (3, H, W) float32 in [0, 1].

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
                levels = frame.to_ndarray(format=_PIXEL_FORMAT)
                yield np.ascontiguousarray(
                    (levels / np.float32(_MAXIMUM)).transpose(2, 0, 1), dtype=np.float32
                )
                number += 1
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{path}: not readable as a chunk after {number} frames ({error})") from error
    if number == 0:
        raise InputError(f"{path}: holds no frames")


def _to_levels(pixels: NDArray[np.float32], number: int) -> NDArray[np.uint16]:
    """(3, H, W) in [0, 1] -> (H, W, 3) levels of 16 bit."""
    scaled = pixels.transpose(1, 2, 0) * np.float32(_MAXIMUM)
    np.clip(scaled, 0, _MAXIMUM, out=scaled)
    if np.isnan(scaled).any():
        raise ValueError(f"frame {number} holds values that are not numbers")
    return np.ascontiguousarray(np.rint(scaled, out=scaled).astype(np.uint16))
