"""The samples of decoded frames as arrays: plane by plane, sharing their memory.

swscale is used for moving samples between layouts of the same depth and kind (packed to planar, palettes, big
endian), which it does exactly; never for colours.
"""

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.layout import Layout, layout_of

__all__ = ["Reorder", "alpha_of", "planes_of"]


class Reorder:
    """swscale, for moving samples between layouts of the same depth and kind; never for colours."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # one for all frames: a new one per frame leaks memory

    def __call__(self, frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
        """The same samples laid out as ``pix_fmt``; the frame itself where it is laid out so already."""
        if frame.format.name == pix_fmt:
            return frame
        layout = layout_of(pix_fmt)
        height, width = frame.height, frame.width
        even = (
            -(-height // layout.vertical) * layout.vertical,
            -(-width // layout.horizontal) * layout.horizontal,
        )
        # swscale forgets the last chroma samples of odd sizes.
        if even == (height, width):
            return self._moved(frame, pix_fmt)
        return _resized(self._moved(_resized(frame, *even), pix_fmt), height, width)

    def _moved(self, frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
        try:
            return self._reformatter.reformat(
                frame,
                format=pix_fmt,
                src_colorspace=Colorspace.ITU601,  # the same on both sides: nothing to convert
                dst_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
                threads=1,
            )
        except (OSError, ValueError) as error:
            names = f"from {frame.format.name} to {pix_fmt}"
            raise InputError(f"FFmpeg cannot convert {names}: choose another pixel format") from error


def _resized(frame: av.VideoFrame, height: int, width: int) -> av.VideoFrame:
    """The same bytes under another size that needs as many chroma samples: what is added is undefined."""
    target = av.VideoFrame(width, height, frame.format.name)
    for old, new in zip(frame.planes, target.planes, strict=True):
        source = np.frombuffer(memoryview(old), np.uint8).reshape(old.height, -1)
        place = np.frombuffer(memoryview(new), np.uint8).reshape(new.height, -1)
        rows, columns = min(old.height, new.height), min(source.shape[1], place.shape[1])
        place[:rows, :columns] = source[:rows, :columns]
    return target


def planes_of(frame: av.VideoFrame, layout: Layout) -> list[NDArray[Any]]:
    """The colour planes of a frame in the layout's planar format: R, G, B, or Y, Cb, Cr, or grey.

    Each is (height, width) and shares the memory of the frame.
    """
    if layout.kind == "grey" and layout.has_alpha:
        return [_rows(frame, 0, layout, 2 * frame.width)[:, ::2]]
    return [_plane(frame, number, layout) for number in layout.plane_order]


def alpha_of(frame: av.VideoFrame, layout: Layout) -> NDArray[Any] | None:
    """The opacity plane (H, W) of a frame in the layout's planar format, or ``None`` where it has none."""
    if not layout.has_alpha:
        return None
    if layout.kind == "grey":
        return _rows(frame, 0, layout, 2 * frame.width)[:, 1::2]
    return _plane(frame, 3, layout)


def _plane(frame: av.VideoFrame, number: int, layout: Layout) -> NDArray[Any]:
    return _rows(frame, number, layout, frame.planes[number].width)


def _rows(frame: av.VideoFrame, number: int, layout: Layout, count: int) -> NDArray[Any]:
    plane = frame.planes[number]
    samples: NDArray[Any] = np.frombuffer(memoryview(plane), layout.dtype)
    return samples.reshape(plane.height, -1)[:, :count]
