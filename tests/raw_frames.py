"""Frames of any pixel format, made of code values."""

import av
import numpy as np

from reelprior.io.layout import bit_depth

__all__ = ["MAX_CODE", "PLANAR", "frame_of", "planes", "random_frame"]

PLANAR = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "yuvj420p", "yuvj422p", "yuvj444p"),
    *(
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p10le",
        "yuv440p12le",
        "yuv420p12le",
        "yuv444p12le",
        "yuv444p16le",
    ),
    *("gray", "gray10le", "gray12le", "gray16le", "gbrp", "gbrp10le", "gbrp12le", "gbrp16le"),
]
MAX_CODE = {bits: 2**bits - 1 for bits in range(8, 17)}


def planes(frame):
    """The samples of a planar frame, one array per plane."""
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [
        np.frombuffer(memoryview(p), kind).reshape(p.height, -1)[:, : p.width].copy() for p in frame.planes
    ]


def frame_of(pix_fmt, size, values):
    """A planar frame whose planes are filled by ``values(plane number, shape)``."""
    frame = av.VideoFrame(size[1], size[0], pix_fmt)
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    for number, plane in enumerate(frame.planes):
        target = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        target[:, : plane.width] = values(number, (plane.height, plane.width))
    return frame


def random_frame(pix_fmt, size, seed):
    random = np.random.default_rng(seed)
    top = MAX_CODE[bit_depth(pix_fmt)]
    return frame_of(pix_fmt, size, lambda _, shape: random.integers(0, top, shape, endpoint=True))
