"""What pictures are coded as: the suffix, what the user asked for and the source decide. Pure decisions and tables."""

from pathlib import Path

import cv2

from reelprior.io.coding import Coding, target_kind
from reelprior.io.errors import OutputError
from reelprior.io.layout import layout_of

__all__ = ["encoder_parameters", "image_format"]

# suffix: deepest samples it holds
_BITS = {".png": 16, ".tif": 16, ".tiff": 16, ".jpg": 8, ".jpeg": 8, ".bmp": 8, ".webp": 8}
_WITH_ALPHA = {".png", ".tif", ".tiff", ".webp"}
_CODEC_OF_SUFFIX = {".tif": "tiff", ".jpg": "jpeg"}
_FOLDER_SUFFIXES = {"png": ".png", "tiff": ".tiff", "tif": ".tif"}
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    97,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]
_PARAMETERS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],  # above 100: lossless
}


def encoder_parameters(suffix: str) -> list[int]:
    """What OpenCV's encoder is told for a suffix, so that as little as possible is lost."""
    return list(_PARAMETERS.get(suffix, ()))


def image_format(path: str | Path, coding: Coding, *, source_pix_fmt: str) -> tuple[str, str]:
    """Suffix and pixel format ("gray", "rgb24", "rgba", or these with 16 bit) of the pictures of an output.

    Raises
    ------
    OutputError
        For a codec or a pixel format that pictures do not have.
    """
    suffix = Path(path).suffix.lower()
    if target_kind(path) == "folder":
        codec = coding.codec or "png"
        if codec not in _FOLDER_SUFFIXES:
            raise OutputError(
                f"{path}: a folder holds pictures, not {codec!r}: use png or tiff, or name a video file"
            )
        suffix = _FOLDER_SUFFIXES[codec]
    elif coding.codec not in (None, suffix[1:], _CODEC_OF_SUFFIX.get(suffix)):
        raise OutputError(f"{path}: codec {coding.codec!r} does not go with {suffix}: leave out the codec")
    if coding.options:
        raise OutputError(f"{path}: pictures have no encoder options: leave out {', '.join(coding.options)}")
    names = ("gray", "gray16le", "rgb24", "rgb48le", "rgba", "rgba64le")
    supported = [
        name
        for name in names
        if layout_of(name).bits <= _BITS[suffix] and (suffix in _WITH_ALPHA or not layout_of(name).has_alpha)
    ]
    if coding.pix_fmt is not None:
        if coding.pix_fmt not in supported:
            raise OutputError(
                f"{path}: {suffix} pictures are not written as {coding.pix_fmt!r}: use {', '.join(supported)}"
            )
        return suffix, coding.pix_fmt
    stored = layout_of(source_pix_fmt)
    deep = min(stored.bits, _BITS[suffix]) > 8
    if stored.has_alpha and suffix in _WITH_ALPHA:
        return suffix, "rgba64le" if deep else "rgba"
    if stored.has_alpha and not coding.drop_incompatible:
        raise OutputError(
            f"{path}: {suffix} pictures have no opacity, and {source_pix_fmt} has one: "
            "use .png or .tiff, or --drop-incompatible"
        )
    if stored.kind == "grey":
        return suffix, "gray16le" if deep else "gray"
    return suffix, "rgb48le" if deep else "rgb24"
