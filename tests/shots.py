"""Photographs as files with metadata, for the tests: EXIF blocks, CMYK, animated and truncated files, a RAW."""

import struct
from datetime import datetime
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

__all__ = ["XMP", "exif_block", "icc_profile", "write_dng", "write_shot"]

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'


@cache
def icc_profile() -> bytes:
    """sRGB, as Pillow makes it; it holds the time, so it is made once."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(
    *, flash: bool | None = None, taken: datetime | None = None, orientation: int = 1, iso: int | None = None
) -> bytes:
    """A TIFF structure without a header of its own."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", orientation
    inner: dict[int, object] = {}
    if flash is not None:
        inner[0x9209] = 0x19 if flash else 0x10
    if taken is not None:
        inner[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if iso is not None:
        inner[0x8827] = iso
    if inner:
        exif[0x8769] = inner
    return exif.tobytes().removeprefix(b"Exif\0\0")


def write_shot(
    path: Path, pixels: NDArray[np.float32], *, bits: int = 8, exif: bytes = b"", whole: bool = True
) -> Path:
    """(3, H, W) in [0, 1] as PNG, TIFF or JPEG; with EXIF, and where ``whole`` says so profile and XMP, too."""
    largest = 255 if bits == 8 else 65535
    samples = (
        np.rint(np.clip(pixels, 0, 1) * largest)
        .astype(np.uint8 if bits == 8 else np.uint16)
        .transpose(1, 2, 0)
    )
    if bits == 16 or not exif:
        parameters = [cv2.IMWRITE_JPEG_QUALITY, 98] if path.suffix == ".jpg" else []
        assert cv2.imwrite(str(path), samples[..., ::-1], parameters)
        return path
    more = {"icc_profile": icc_profile(), "xmp": XMP} if whole else {}
    Image.fromarray(samples).save(path, exif=b"Exif\0\0" + exif, quality=98, **more)
    return path


def write_dng(path: Path, mosaic: NDArray[np.uint16], *, black: int, white: int) -> Path:
    """A minimal DNG: an uncompressed RGGB mosaic (H, W) with its levels, neutral camera colours."""
    height, width = mosaic.shape
    one = struct.pack("<II", 1, 1)
    matrix = b"".join(
        struct.pack("<ii", round(1e4 * v), 10_000)
        for v in (3.2405, -1.5371, -0.4985, -0.9693, 1.876, 0.0416, 0.0556, -0.204, 1.0572)
    )
    entries: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<H", 16)),
        (259, 3, 1, struct.pack("<H", 1)),
        (262, 3, 1, struct.pack("<H", 32803)),  # colour filter array
        (271, 2, 9, b"A camera\0"),
        (272, 2, 8, b"Model 1\0"),
        (273, 4, 1, b""),  # where the samples are: filled in below
        (274, 3, 1, struct.pack("<H", 1)),
        (277, 3, 1, struct.pack("<H", 1)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", mosaic.nbytes)),
        (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes([0, 1, 1, 2])),
        (50706, 1, 4, bytes([1, 4, 0, 0])),
        (50714, 4, 1, struct.pack("<I", black)),
        (50717, 4, 1, struct.pack("<I", white)),
        (50721, 10, 9, matrix),
        (50728, 5, 3, one * 3),
        (50778, 3, 1, struct.pack("<H", 21)),
    ]
    values_at = 8 + 2 + 12 * len(entries) + 4
    samples_at = values_at + sum(len(data) + len(data) % 2 for *_, data in entries if len(data) > 4)
    directory, values = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        data = struct.pack("<I", samples_at) if tag == 273 else value
        if len(data) > 4:
            directory += struct.pack("<HHII", tag, kind, count, values_at + len(values))
            values += data + b"\0" * (len(data) % 2)
        else:
            directory += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + values + mosaic.tobytes())
    return path
