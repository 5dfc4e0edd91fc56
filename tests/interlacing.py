"""Interlaced and telecined clips for the tests: a texture that moves fast enough to comb."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

__all__ = ["interlaced", "moving", "pulldown", "write_frames"]


def moving(count, *, size=(240, 48), step=3):
    """(T, H, W, 3) uint8: a blurred random texture that moves by ``step`` pixels a picture, sideways."""
    height, width = size
    random = np.random.default_rng(3)
    texture = cv2.GaussianBlur(random.normal(0, 1, (height, width + step * count)), (0, 0), 2.0)
    texture = np.clip(127 + 160 * texture / texture.std() / 3, 0, 255).astype(np.uint8)
    views = [texture[:, step * t : step * t + width] for t in range(count)]
    return np.stack([np.repeat(view[..., None], 3, -1) for view in views])


def interlaced(pictures, *, bottom_first=False):
    """Weave every two pictures into one frame."""
    first = 1 if bottom_first else 0
    frames = pictures[0::2].copy()
    frames[:, 1 - first :: 2] = pictures[1::2][:, 1 - first :: 2]
    return frames


def pulldown(film):
    """Five video frames of every four of the film: A, B, B/C, C/D, D."""

    def woven(top, bottom):
        frame = top.copy()
        frame[1::2] = bottom[1::2]
        return frame

    frames = []
    for start in range(0, len(film), 4):
        a, b, c, d = film[start : start + 4]
        frames += [a, b, woven(b, c), woven(c, d), d]
    return np.stack(frames)


def write_frames(path, frames, *, rate=25, codec="ffv1", pix_fmt="yuv422p") -> Path:
    """Write (T, H, W, 3) uint8 R'G'B' as a video."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, 1 / Fraction(rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return Path(path)
