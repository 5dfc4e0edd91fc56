"""The size of a picture by its header alone, so that a decompression bomb is refused before memory is taken.

Only what is read through OpenCV is looked at here: PNG, JPEG, TIFF, BMP and WebP. Other files go through FFmpeg, which
takes a limit itself; other kinds of pictures under one of these suffixes have OpenCV's own limit of 2^30 pixels.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from reelprior.io.limits import check_pixels

__all__ = ["check_picture", "picture_size"]

Size = tuple[int, int] | None

# Markers of JPEG that carry no length, and those that begin a frame (C4, C8 and CC are tables).
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}
_JPEG_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MAX_ENTRIES = 4096
_MAX_STRAY = 65536


def check_picture(path: Path) -> None:
    """Raise `InputError` for a picture whose header declares more pixels than the limit; `OSError` if unreadable."""
    size = picture_size(path)
    if size is not None:
        check_pixels(path, *size)


def picture_size(path: Path) -> Size:
    """(width, height) as the header declares them; ``None`` where it cannot be understood.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(32)
        for magic, offset, parse in _KINDS:
            if start[offset : offset + len(magic)] == magic:
                try:
                    return parse(start, file)
                except (struct.error, IndexError, ValueError, OverflowError):
                    return None  # cut off, or lying about where things are
    return None


def _png(start: bytes, _: BinaryIO) -> Size:
    width, height = struct.unpack(">II", start[16:24])
    return width, height


def _bmp(start: bytes, _: BinaryIO) -> Size:
    if struct.unpack("<I", start[14:18])[0] == 12:  # OS/2
        width, height = struct.unpack("<HH", start[18:22])
        return width, height
    width, height = struct.unpack("<ii", start[18:26])
    return abs(width), abs(height)  # a negative height counts from the top


def _jpeg(_: bytes, file: BinaryIO) -> Size:
    file.seek(2)
    stray = 0
    while (marker := file.read(2)) and len(marker) == 2:
        if marker[0] != 0xFF:  # decoders skip what stands between two markers
            stray += 1
            if stray > _MAX_STRAY:
                return None
            file.seek(-1, 1)
            continue
        if marker[1] == 0xFF:  # padding
            file.seek(-1, 1)
            continue
        if marker[1] in _JPEG_BARE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker[1] in _JPEG_FRAME:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        file.seek(max(length - 2, 0), 1)
    return None


def _webp(start: bytes, _: BinaryIO) -> Size:
    match start[12:16]:
        case b"VP8X":
            width = 1 + int.from_bytes(start[24:27], "little")
            return width, 1 + int.from_bytes(start[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(start[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack("<HH", start[26:30])
            return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(start: bytes, file: BinaryIO) -> Size:
    order = "<" if start[:2] == b"II" else ">"
    is_big = struct.unpack(f"{order}H", start[2:4])[0] == 43
    # BigTIFF has wider numbers everywhere: offset of the directory, count of entries, the entries.
    at = struct.unpack(f"{order}Q", start[8:16])[0] if is_big else struct.unpack(f"{order}I", start[4:8])[0]
    file.seek(at)
    count_format, entry_format = ("Q", "HHQ8s") if is_big else ("H", "HHI4s")
    (count,) = struct.unpack(f"{order}{count_format}", file.read(struct.calcsize(f"{order}{count_format}")))
    found = {}
    for _ in range(min(count, _MAX_ENTRIES)):
        entry = file.read(struct.calcsize(f"{order}{entry_format}"))
        tag, kind, _values, value = struct.unpack(f"{order}{entry_format}", entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_INTEGERS:
            number = _TIFF_INTEGERS[kind]
            (found[tag],) = struct.unpack(f"{order}{number}", value[: struct.calcsize(number)])
    return (found[_TIFF_WIDTH], found[_TIFF_HEIGHT]) if len(found) == 2 else None


_KINDS: tuple[tuple[bytes, int, Callable[[bytes, BinaryIO], Size]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"BM", 0, _bmp),
    (b"\xff\xd8", 0, _jpeg),
    (b"WEBP", 8, _webp),
    (b"II", 0, _tiff),
    (b"MM", 0, _tiff),
)
