"""Colour: exact conversion between the pixel formats of video and R'G'B' floats.

The conversion is done here, not by swscale, by measurement (FFmpeg 8.1): its way to gbrpf32le is off by up
to 1/256 of full scale at every bit depth, clips, and comes back up to 15 codes of 12 bit away in full range.

Transfer and primaries are carried, not applied: pixels stay in the source's own R'G'B'. PQ and HLG stay as
they are coded, too: both are made so that a step of a code looks alike at every brightness, which is what a
squared error should mean; in linear light the highlights alone would count. Chroma is taken to
lie on the even columns in limited range (MPEG-2, H.264, H.265), between columns in full range (JPEG): PyAV
does not tell.
"""

from functools import lru_cache
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from reelprior.io.chroma import Subsampling, multiply
from reelprior.io.layout import Layout, layout_of
from reelprior.io.planes import Reorder, alpha_of, planes_of
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.samples import Kept
from reelprior.io.tags import ColourTags, colour_tags, set_colour_tags, tags_for

__all__ = ["STAND_IN", "FromRgb", "ToRgb", "is_exact"]

# (Kr, Kb) of ITU-T H.273 table 4. BT.601 is bt470bg (625 lines) and smpte170m (525 lines).
_LUMA = {
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}

STAND_IN = "bt2020nc"
"""By what the codes of a matrix that is no linear function of R'G'B' are converted, both ways."""


def is_exact(matrix: str) -> bool:
    """Whether the R'G'B' made with a matrix are its true colours, not those of a stand-in.

    Constant luminance (bt2020c), ICtCp and their like are no linear function of R'G'B'. A clip of that kind is
    worked on in its own coded signal: converted by the stand-in and back by the same, which loses nothing
    as long as the output is coded like the source. Its R'G'B' are not the colours a viewer would see.
    """
    return matrix in _LUMA or matrix in ("ycgco", "gbr")


@lru_cache(maxsize=64)
def _yuv_to_rgb(matrix: str, value_range: str, bits: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Conversion of code values: R'G'B' = A @ (Y, Cb, Cr) + b, A (3, 3), b (3, 1) (ITU-T H.273, 8.3)."""
    if matrix == "ycgco":
        from_chroma = np.array([[1.0, -1.0, 1.0], [1.0, 1.0, 0.0], [1.0, -1.0, -1.0]])
    else:
        kr, kb = _LUMA.get(matrix, _LUMA[STAND_IN])
        kg = 1 - kr - kb
        from_chroma = np.array(
            [
                [1.0, 0.0, 2 * (1 - kr)],
                [1.0, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg],
                [1.0, 2 * (1 - kb), 0.0],
            ]
        )
    step = 2.0 ** (bits - 8)
    if value_range == "full":
        scale = np.full(3, 1 / (2.0**bits - 1))
        zero = np.array([0.0, 128 * step, 128 * step])
    else:
        scale = 1 / np.array([219 * step, 224 * step, 224 * step])
        zero = np.array([16 * step, 128 * step, 128 * step])
    by_code = from_chroma * scale
    return by_code, -(by_code @ zero)[:, None]


def _subsampling(layout: Layout, colour: ColourTags) -> Subsampling:
    return Subsampling(layout.horizontal, layout.vertical, centred=colour.range == "full")


class ToRgb:
    """Convert decoded frames of any pixel format to (3, H, W) float32 R'G'B'.

    Parameters
    ----------
    colour
        Tags to go by; ``None`` reads those of each frame (see `colour_tags`).
    reading
        What overrules the tags of the frames.
    clip
        Whether to clip to [0, 1]. Without it, YUV outside the R'G'B' cube survives the way there and back.

    Raises
    ------
    InputError
        When called with a frame that FFmpeg cannot lay out in planes.
    """

    def __init__(
        self, colour: ColourTags | None = None, *, reading: Reading = AS_TAGGED, clip: bool = True
    ) -> None:
        self._colour = colour
        self._reading = reading
        self._clip = clip
        self._reorder = Reorder()

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.float32]:
        """Return the pixels of a frame, (3, H, W) float32 in [0, 1]; grey has three equal channels."""
        layout = layout_of(frame.format.name)
        colour = self._colour or colour_tags(frame, self._reading)
        height, width = frame.height, frame.width
        planes = planes_of(self._reorder(frame, layout.planar), layout)
        pixels = np.empty((3, height, width), np.float32)
        if layout.kind == "yuv":
            chroma = _subsampling(layout, colour)
            pixels[0] = planes[0]
            for channel in (1, 2):
                pixels[channel] = chroma.up(planes[channel].astype(np.float32), (height, width))
            by_code, offset = _yuv_to_rgb(colour.matrix, colour.range, layout.bits)
            pixels = _affine(by_code, pixels, offset)
        else:
            scale, zero = _one_channel(layout, colour)
            for channel in range(3):
                np.multiply(planes[channel % len(planes)], np.float32(scale), out=pixels[channel])
            if zero:
                pixels -= np.float32(zero * scale)
        if self._clip:
            np.clip(pixels, 0, 1, out=pixels)
        return pixels


class FromRgb:
    """Convert (3, H, W) float32 R'G'B' to frames of one pixel format, the inverse of `ToRgb`.

    Parameters
    ----------
    pix_fmt
        Any software pixel format of FFmpeg. Alpha, where there is one, is that of the source, or opaque.
    colour
        Tags of the source or the target; `tags_for` makes them fit the format. The frames carry the result.

    Raises
    ------
    InputError
        For a pixel format without samples.
    """

    def __init__(self, pix_fmt: str, colour: ColourTags) -> None:
        self.pix_fmt = pix_fmt
        self._colour = colour
        self._layout = layout_of(pix_fmt)
        self._reorder = Reorder()

    def __call__(self, pixels: NDArray[np.float32], kept: Kept | None = None) -> av.VideoFrame:
        """Return a frame without pts. Values outside [0, 1] go as far as the codes of the format reach.

        Parameters
        ----------
        pixels
            (3, H, W) float32 R'G'B'.
        kept
            What the frame takes over from its source: opacity, and the samples that are not changed.
        """
        layout = self._layout
        _, height, width = pixels.shape
        colour = tags_for(self.pix_fmt, self._colour, height=height)
        frame = av.VideoFrame(width, height, layout.planar)
        planes = planes_of(frame, layout)
        if not (kept and kept.changes_nothing and kept.source.is_stored_like(layout, colour)):
            for plane, codes in zip(planes, self._codes(pixels, colour), strict=True):
                _store(plane, codes, layout)
        alpha = alpha_of(frame, layout)
        if kept is not None:
            kept.put_into(planes, layout, colour)
        if alpha is not None and kept is not None:
            kept.put_alpha_into(alpha, layout)
        elif alpha is not None:
            alpha[:] = 1 if layout.is_float else 2**layout.bits - 1
        frame = self._reorder(frame, self.pix_fmt)
        set_colour_tags(frame, colour)
        return frame

    def _codes(self, pixels: NDArray[np.float32], colour: ColourTags) -> list[NDArray[np.float32]]:
        """The planes as fractional code values: R, G, B, or Y, Cb, Cr at their own sizes, or grey."""
        layout = self._layout
        if layout.kind == "rgb":
            scale, _ = _one_channel(layout, colour)
            return [channel / np.float32(scale) for channel in pixels]
        by_code, offset = _yuv_to_rgb(colour.matrix, colour.range, layout.bits)
        by_rgb = np.linalg.inv(by_code).astype(np.float64)
        if layout.kind == "grey":
            scale, zero = _one_channel(layout, colour)
            luma_weights = by_rgb[:1] / by_rgb[0].sum()
            return list(_affine(luma_weights / scale, pixels, np.full((1, 1), zero)))
        luma, *chroma = _affine(by_rgb, pixels, -(by_rgb @ offset))
        return [luma, *map(_subsampling(layout, colour).down, chroma)]


def _affine(
    matrix: NDArray[np.float64], planes: NDArray[np.float32], offset: NDArray[np.float64]
) -> NDArray[np.float32]:
    """``matrix @ planes + offset`` over the channels, (n, 3) x (3, H, W) -> (n, H, W)."""
    _, height, width = planes.shape
    out = np.empty((len(matrix), height * width), np.float32)
    multiply(matrix.astype(np.float32), planes.reshape(3, -1), out)
    out += offset.astype(np.float32)
    return out.reshape(-1, height, width)


def _one_channel(layout: Layout, colour: ColourTags) -> tuple[float, float]:
    """Value of one code, and the code of black, for grey and R'G'B' samples."""
    if layout.is_float:
        return 1.0, 0.0
    if layout.kind == "grey" and colour.range == "limited":
        step = 2.0 ** (layout.bits - 8)
        return 1 / (219 * step), 16 * step
    return 1 / (2.0**layout.bits - 1), 0.0


def _store(target: NDArray[Any], values: NDArray[np.float32], layout: Layout) -> None:
    if layout.is_float:
        target[:] = values
        return
    codes = np.rint(values)
    target[:] = np.clip(codes, 0, 2**layout.bits - 1, out=codes)
