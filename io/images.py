"""Image files as a source: which files belong to it and in what order, and their pixels.

OpenCV decodes. The names are the order: numbers in them count as numbers ("2.png" before "10.png"), and where
the files are numbered through, a missing number is an error, since a clip with a hole in it is rarely what
somebody wanted.
"""

import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.container import check_file
from reelprior.io.errors import InputError
from reelprior.io.headers import check_picture
from reelprior.io.layout import layout_of

__all__ = ["SEQUENCE_RATE", "is_images", "list_images", "read_alpha", "read_image", "richness"]

SEQUENCE_RATE = Fraction(25)
"""Frames per second of a sequence, which has no times of its own."""

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
_PATTERN = re.compile(r"%(?:0(\d+))?d")
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def is_images(path: Path) -> bool:
    """Whether a source is read as images: a folder, a pattern, or a file with the suffix of an image."""
    return path.is_dir() or path.suffix.lower() in _SUFFIXES


def list_images(path: str | Path) -> list[Path]:
    """The images of a source in order: those of a folder, those that match a pattern, or one image file.

    Raises
    ------
    InputError
        When there is none, or a number is missing or doubled in a numbered series.
    """
    path = Path(path)
    pattern = _PATTERN.search(path.name)
    if path.is_dir():
        images = [p for p in _listing(path) if p.suffix.lower() in _SUFFIXES]
        if not images:
            raise InputError(
                f"{path}: no images in this folder: it needs {', '.join(sorted(_SUFFIXES))} files"
            )
        images.sort(key=_natural_order)
    elif pattern and not path.exists():
        before, after = path.name[: pattern.start()], path.name[pattern.end() :]
        digits = f"\\d{{{int(pattern[1] or 1)},}}"
        fits = re.compile(re.escape(before) + digits + re.escape(after))
        images = sorted((p for p in _listing(path.parent) if fits.fullmatch(p.name)), key=_natural_order)
        if not images:
            raise InputError(
                f"{path}: no image matches this pattern: check the folder and the number of digits"
            )
    else:
        check_file(path)
        return [path]
    _check_numbers(path, images)
    return images


def read_image(path: Path) -> tuple[NDArray[np.float32], str]:
    """Decode an image, turned as its EXIF orientation says. Alpha is left out.

    Returns ------- (3, H, W) float32 R'G'B' in [0, 1] (three equal channels for grey), and FFmpeg's name for
    how it is stored: "gray", "rgb24", "gray16le", "rgb48le", "grayf32le" or "gbrpf32le".

    Raises
    ------
    InputError
        When it cannot be decoded, or has samples of another kind than 8 bit, 16 bit or float.
    """
    samples = _decode(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    is_grey = samples.ndim == 2
    planes = samples[None] if is_grey else samples.transpose(2, 0, 1)[::-1]  # (H, W, BGR) -> (RGB, H, W)
    pixels = np.empty((3, *samples.shape[:2]), np.float32)
    match samples.dtype:
        case np.uint8:
            np.multiply(planes, np.float32(1 / 255), out=pixels)
            return pixels, "gray" if is_grey else "rgb24"
        case np.uint16:
            np.multiply(planes, np.float32(1 / 65535), out=pixels)
            return pixels, "gray16le" if is_grey else "rgb48le"
        case np.float32 | np.float64:
            pixels[:] = np.clip(np.nan_to_num(planes, nan=0.0), 0, 1)
            return pixels, "grayf32le" if is_grey else "gbrpf32le"
    raise InputError(f"{path}: samples of type {samples.dtype}: convert the image to 8 or 16 bit first")


def read_alpha(path: Path) -> NDArray[np.float32] | None:
    """The opacity of an image, (H, W) float32 in [0, 1], or ``None`` where it has no alpha channel."""
    samples = _decode(path, cv2.IMREAD_UNCHANGED)
    if samples.ndim != 3 or samples.shape[2] != 4:
        return None
    opaque = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(samples.dtype, 1)
    return samples[..., 3].astype(np.float32) / np.float32(opaque)


def richness(pix_fmt: str) -> tuple[bool, int]:
    """Sort key of how images are stored: colour holds grey, more bits hold fewer."""
    layout = layout_of(pix_fmt)
    return layout.kind != "grey", layout.bits


def _decode(path: Path, flags: int) -> NDArray[np.generic]:
    check_file(path)
    log_level = cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # an error is ours to report
    try:
        check_picture(path)
        samples = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except (cv2.error, OSError) as error:
        raise InputError(f"{path}: not readable as an image: check that it is complete") from error
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if samples is None:
        raise InputError(f"{path}: not an image that OpenCV can decode: convert it to PNG or TIFF first")
    return np.asarray(samples)


def _listing(folder: Path) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file()]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}: check the folder and its permissions") from error


def _natural_order(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key that takes runs of digits as numbers; the name itself settles ties."""
    parts = re.split(r"(\d+)", path.stem.lower())
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], path.name


def _check_numbers(source: Path, images: list[Path]) -> None:
    """Raise `InputError` where a numbered series (names equal but for one number) has a hole or a double."""
    matches = [_NUMBERED.fullmatch(image.stem) for image in images]
    if not all(matches) or len({(m[1], m[3]) for m in matches if m}) > 1:
        return
    numbers = [int(m[2]) for m in matches if m]
    for number, follower, image in zip(numbers, numbers[1:], images[1:], strict=False):
        if follower == number:
            raise InputError(
                f"{source}: number {number} is there twice, see {image.name}: keep one of the two"
            )
        if follower != number + 1:
            missing = str(number + 1) if follower == number + 2 else f"{number + 1} to {follower - 1}"
            raise InputError(
                f"{source}: number {missing} is missing before {image.name}: add it, or renumber the images"
            )
