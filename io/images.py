"""Image files as a source: which files belong to it and in what order, and their pixels.

OpenCV decodes. The names are the order: numbers in them count as numbers ("2.png" before "10.png"), and where
the files are numbered through, a missing number is an error, since a clip with a hole in it is rarely what
somebody wanted.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.animation import is_animated
from reelprior.io.container import check_file
from reelprior.io.errors import InputError
from reelprior.io.headers import check_picture
from reelprior.io.layout import layout_of
from reelprior.io.samples import Samples
from reelprior.io.still_metadata import is_tiff, metadata_of
from reelprior.io.tags import ColourTags

__all__ = [
    "SEQUENCE_RATE",
    "has_image_suffix",
    "image_numbers",
    "is_images",
    "list_images",
    "natural_order",
    "pixels_of",
    "read_alpha",
    "read_image",
    "read_samples",
    "richness",
]

SEQUENCE_RATE = Fraction(25)
"""Frames per second of a sequence, which has no times of its own."""

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
_PATTERN = re.compile(r"%(?:0(\d+))?d")
_PIXEL_FORMATS = {
    np.uint8: {1: "gray", 2: "ya8", 3: "rgb24", 4: "rgba"},
    np.uint16: {1: "gray16le", 2: "ya16le", 3: "rgb48le", 4: "rgba64le"},
    np.float32: {1: "grayf32le", 3: "gbrpf32le", 4: "gbrapf32le"},
    np.float64: {1: "grayf32le", 3: "gbrpf32le", 4: "gbrapf32le"},
}
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def is_images(path: Path) -> bool:
    """Whether a source is read as images: a folder, a pattern, or one image; a file of several frames is a video."""
    return path.is_dir() or (has_image_suffix(path) and not is_animated(path))


def has_image_suffix(path: Path) -> bool:
    """Whether a name is that of an image, by its suffix."""
    return path.suffix.lower() in _SUFFIXES


def list_images(path: str | Path, *, allow_gaps: bool = False) -> list[Path]:
    """The images of a source in order: those of a folder, those that match a pattern, or one image file.

    Parameters
    ----------
    allow_gaps
        Whether numbers may be missing in a numbered series.

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
        images.sort(key=natural_order)
    elif pattern and not path.exists():
        before, after = path.name[: pattern.start()], path.name[pattern.end() :]
        digits = f"\\d{{{int(pattern[1] or 1)},}}"
        fits = re.compile(re.escape(before) + digits + re.escape(after))
        images = sorted((p for p in _listing(path.parent) if fits.fullmatch(p.name)), key=natural_order)
        if not images:
            raise InputError(
                f"{path}: no image matches this pattern: check the folder and the number of digits"
            )
    else:
        check_file(path)
        return [path]
    _check_numbers(path, images, allow_gaps=allow_gaps)
    return images


def image_numbers(images: Sequence[str | Path]) -> list[int]:
    """The numbers of a numbered series (names equal but for one number); counted from 0 for any other images."""
    numbers = _series([Path(image) for image in images])
    return numbers if numbers and len(images) > 1 else list(range(len(images)))


def read_image(path: Path) -> tuple[NDArray[np.float32], str]:
    """Decode an image, turned as its EXIF orientation says. Alpha is left out.

    Returns
    -------
    (3, H, W) float32 R'G'B' in [0, 1] (three equal channels for grey), and FFmpeg's name for how it is stored: "gray",
    "rgb24", "rgba", "ya8", the same with 16 bit, "grayf32le", "gbrpf32le" or "gbrapf32le".

    Raises
    ------
    InputError
        When it cannot be decoded, or has samples of another kind than 8 bit, 16 bit or float.
    """
    samples, pix_fmt = read_samples(path)
    return pixels_of(samples), pix_fmt


def read_samples(path: Path) -> tuple[Samples, str]:
    """Decode an image as its code values, turned as its EXIF orientation says; and the name of `read_image`.

    Raises
    ------
    InputError
        As `read_image` does.
    """
    image = _decode(path, cv2.IMREAD_UNCHANGED)
    if not is_tiff(path):  # OpenCV turns those itself, in every mode
        image = _upright(image, metadata_of(path).orientation)
    image = image[..., None] if image.ndim == 2 else image
    channels = image.shape[2]
    names = _PIXEL_FORMATS.get(image.dtype.type)
    if names is None:
        raise InputError(f"{path}: samples of type {image.dtype}: convert the image to 8 or 16 bit first")
    pix_fmt = names.get(channels)
    if pix_fmt is None:
        raise InputError(f"{path}: an image of {channels} channels: convert it to grey or RGB first")
    planes = [image[..., channel] for channel in range(channels)]
    alpha = planes.pop() if channels in (2, 4) else None
    layout = layout_of(pix_fmt)
    return Samples(
        layout, ColourTags(matrix="gbr", range="full"), tuple(planes[::-1]), alpha
    ), pix_fmt  # blue was first


def pixels_of(samples: Samples) -> NDArray[np.float32]:
    """(3, H, W) float32 R'G'B' in [0, 1] of the code values of an image."""
    height, width = samples.planes[0].shape
    pixels = np.empty((3, height, width), np.float32)
    for channel in range(3):
        plane = samples.planes[channel % len(samples.planes)]
        if samples.layout.is_float:
            pixels[channel] = np.clip(np.nan_to_num(plane, nan=0.0), 0, 1)
        else:
            np.multiply(plane, np.float32(1 / (2**samples.layout.bits - 1)), out=pixels[channel])
    return pixels


def read_alpha(path: Path) -> NDArray[np.float32] | None:
    """The opacity of an image, (H, W) float32 in [0, 1], or ``None`` where it has no alpha channel."""
    samples, _ = read_samples(path)
    if samples.alpha is None:
        return None
    opaque = 1 if samples.layout.is_float else 2**samples.layout.bits - 1
    return samples.alpha.astype(np.float32) / np.float32(opaque)


def richness(pix_fmt: str) -> tuple[bool, int, bool]:
    """Sort key of how images are stored: colour holds grey, more bits hold fewer, opacity holds none."""
    layout = layout_of(pix_fmt)
    return layout.kind != "grey", layout.bits, layout.has_alpha


def _upright(image: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """An image turned and mirrored as its EXIF orientation (1 to 8) says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


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


def natural_order(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key that takes runs of digits as numbers; the name itself settles ties."""
    parts = re.split(r"(\d+)", path.stem.lower())
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], path.name


def _series(images: Sequence[Path]) -> list[int] | None:
    """The numbers of a series whose names are equal but for one number; ``None`` for other images."""
    matches = [_NUMBERED.fullmatch(image.stem) for image in images]
    if not all(matches) or len({(m[1], m[3]) for m in matches if m}) > 1:
        return None
    return [int(m[2]) for m in matches if m]


def _check_numbers(source: Path, images: list[Path], *, allow_gaps: bool) -> None:
    """Raise `InputError` where a numbered series has a hole or a double."""
    numbers = _series(images)
    if numbers is None:
        return
    for number, follower, image in zip(numbers, numbers[1:], images[1:], strict=False):
        if follower == number:
            raise InputError(
                f"{source}: number {number} is there twice, see {image.name}: keep one of the two"
            )
        if follower != number + 1 and not allow_gaps:
            missing = str(number + 1) if follower == number + 2 else f"{number + 1} to {follower - 1}"
            raise InputError(
                f"{source}: number {missing} is missing before {image.name}: add it, or allow it by --allow-gaps"
            )
