"""Sample layouts: where a pixel format keeps its samples, and which planar format numpy reads instead."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import av
import numpy as np

from reelprior.io.errors import InputError

__all__ = ["Layout", "bit_depth", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """How a pixel format keeps its samples, and the planar format of the same samples for numpy to read."""

    kind: Literal["yuv", "rgb", "grey"]
    planar: str
    bits: int
    is_float: bool
    horizontal: int
    vertical: int
    has_alpha: bool = False

    @property
    def dtype(self) -> type[np.generic]:
        """Of the planes of the planar format."""
        if self.is_float:
            return np.float32
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def plane_order(self) -> tuple[int, ...]:
        """Which plane holds R, G, B (or Y, U, V)."""
        return {"rgb": (2, 0, 1), "yuv": (0, 1, 2), "grey": (0,)}[self.kind]


@lru_cache(maxsize=64)
def layout_of(pix_fmt: str) -> Layout:
    """Look up a pixel format by name. Raises `InputError` for names without samples in memory."""
    try:
        pixel_format = av.VideoFormat(pix_fmt, 64, 64)
    except ValueError as error:
        raise InputError(f"unknown pixel format {pix_fmt!r}: name one of FFmpeg's") from error
    samples = [c for c in pixel_format.components if not c.is_alpha]
    if not samples:
        raise InputError(f"pixel format {pix_fmt!r} lives in hardware: choose a software format")
    has_alpha = len(samples) < len(pixel_format.components)
    bits = max(c.bits for c in samples)
    is_float = re.search(r"f(16|32)[bl]e$", pix_fmt) is not None
    if pixel_format.has_palette or pixel_format.is_bayer or pixel_format.is_rgb or pix_fmt.startswith("xyz"):
        bits = 16 if pixel_format.is_bayer and "16" in pix_fmt else bits
        stem = "gbrap" if has_alpha else "gbrp"
        return Layout("rgb", *_planar(stem, bits, is_float, pix_fmt), is_float, 1, 1, has_alpha)
    if len(samples) == 1:
        if has_alpha and not is_float:  # no planar format holds these two
            return Layout("grey", "ya8" if bits == 8 else "ya16le", bits, False, 1, 1, True)
        return Layout("grey", *_planar("gray", bits, is_float, pix_fmt), is_float, 1, 1)
    horizontal, vertical = 64 // samples[1].width, 64 // samples[1].height
    family = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411", (4, 4): "410", (1, 2): "440"}
    stem = f"yuv{'a' if has_alpha else ''}{family[horizontal, vertical]}p"
    planar, bits = _planar(stem, bits, False, pix_fmt)
    return Layout("yuv", planar, bits, False, horizontal, vertical, has_alpha)


def _planar(stem: str, bits: int, is_float: bool, pix_fmt: str) -> tuple[str, int]:
    """Name and depth of the smallest little-endian planar format that holds ``bits``."""
    is_planar = re.fullmatch(r"(yuv[aj]?4\d\dp|gbra?p|gray)(\d+le|f32le)?", pix_fmt) is not None
    if is_planar and (is_float or bits <= 16):
        return pix_fmt, bits  # alpha, where there is one, is a plane of its own
    if is_float:
        return f"{stem}f32le", 32
    for depth in (8, 9, 10, 12, 14, 16):
        name = stem if depth == 8 else f"{stem}{depth}le"
        if depth >= bits and _exists(name):
            return name, depth
    return f"{stem}16le", 16


def _exists(pix_fmt: str) -> bool:
    try:
        av.VideoFormat(pix_fmt)
    except ValueError:
        return False
    return True


def bit_depth(pix_fmt: str) -> int:
    """Bits per sample of a pixel format: 8 to 16, or 32 for floats."""
    return layout_of(pix_fmt).bits
