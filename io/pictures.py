"""Single pictures in memory: encoded at 8 bit for a web page or a mask file, and scaled down.

Pictures that are frames of a clip go through the readers and writers of this layer: they keep the bit depth.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import OutputError

__all__ = ["encode_jpeg", "encode_png", "enlarge", "shrink"]


def encode_png(pixels: NDArray[np.floating]) -> bytes:
    """Encode a picture losslessly at 8 bit.

    Parameters
    ----------
    pixels
        (3, H, W) R'G'B'; values outside [0, 1] are clipped.
    """
    return _encode(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])


def encode_jpeg(pixels: NDArray[np.floating], *, quality: int = 90) -> bytes:
    """Encode a picture as JPEG, with chroma at full resolution so that coloured edges stay where they are.

    Parameters
    ----------
    pixels
        (3, H, W) R'G'B'; values outside [0, 1] are clipped.
    quality
        1 to 100.
    """
    full_chroma = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encode(pixels, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, *full_chroma])


def shrink(pixels: NDArray[np.float32], *, max_width: int) -> NDArray[np.float32]:
    """Scale a picture down by area averaging until it is at most ``max_width`` wide; never up.

    Averaging is linear, so the difference of two shrunk pictures is their shrunk difference.

    Parameters
    ----------
    pixels
        (3, H, W) float32.

    Returns
    -------
    NDArray
        (3, h, w) float32 with w = min(W, max_width) and the same aspect ratio to the nearest row.
    """
    _, height, width = pixels.shape
    if width <= max_width:
        return pixels
    size = (max_width, max(1, round(height * max_width / width)))
    small = cv2.resize(np.ascontiguousarray(pixels.transpose(1, 2, 0)), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)  # (h, w, 3) -> (3, h, w)


def enlarge(pixels: NDArray[np.float32], *, factor: int) -> NDArray[np.float32]:
    """Scale a picture up by bicubic interpolation: (3, H, W) in [0, 1] to (3, H * factor, W * factor)."""
    if factor == 1:
        return pixels
    _, height, width = pixels.shape
    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    large = cv2.resize(rows, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large.transpose(2, 0, 1).clip(0, 1), dtype=np.float32)  # -> (3, h, w)


def _encode(pixels: NDArray[np.floating], suffix: str, parameters: list[int]) -> bytes:
    levels = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
    blue_green_red = np.ascontiguousarray(levels[::-1].transpose(1, 2, 0))  # (3, H, W) -> (H, W, 3)
    encoded, data = cv2.imencode(suffix, blue_green_red, parameters)
    if not encoded:
        _, height, width = pixels.shape
        raise OutputError(f"a picture of {width}x{height} cannot be encoded as {suffix}")
    return bytes(data)
