"""What a JPEG file states about its own coding: quantisation tables and chroma subsampling, read from its markers.

ITU-T T.81, annex B. OpenCV decodes the pixels and does not tell the tables.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError

__all__ = ["JpegCoding", "read_jpeg_coding"]

#: Frames with Huffman coding of any kind: baseline, extended and progressive.
_FRAME_MARKERS = {0xC0, 0xC1, 0xC2}
_TABLES, _SCAN = 0xDB, 0xDA
#: Markers without a length.
_ALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True)
class JpegCoding:
    """How a JPEG file was coded.

    Attributes
    ----------
    tables
        One for each component (Y, Cb, Cr; or Y alone): 64 steps, row by row from the lowest frequency, in grey levels.
    is_subsampled
        Whether chroma has less resolution than luma.
    is_upright
        Whether rows and columns are those of the blocks: EXIF does not ask for the picture to be turned.
    """

    tables: tuple[tuple[int, ...], ...]
    is_subsampled: bool
    is_upright: bool


def read_jpeg_coding(path: str | Path) -> JpegCoding | None:
    """The coding of a JPEG file; None for a file of another kind.

    Raises
    ------
    InputError
        If the file cannot be read, or is a JPEG whose header is damaged.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: check the file and its permissions") from error
    if data[:2] != b"\xff\xd8":
        return None
    try:
        tables, components = _parse(data)
        chosen = tuple(tables[table] for _, table in components)
    except (IndexError, KeyError) as error:
        raise InputError(f"{path}: the JPEG header is damaged: save the picture anew, or as PNG") from error
    return JpegCoding(
        tables=chosen,
        is_subsampled=len({sampling for sampling, _ in components}) > 1,
        is_upright=_is_upright(data),
    )


def _parse(data: bytes) -> tuple[dict[int, tuple[int, ...]], list[tuple[int, int]]]:
    """Tables by number; sampling factors and number of the table of each component."""
    tables: dict[int, tuple[int, ...]] = {}
    components: list[tuple[int, int]] = []
    at = 2
    while True:
        if data[at] != 0xFF:
            raise IndexError("no marker where one has to be")
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        if marker == _TABLES:
            tables |= _read_tables(segment)
        elif marker in _FRAME_MARKERS:
            described = (segment[6 + 3 * i : 9 + 3 * i] for i in range(segment[5]))
            components = [(sampling, table) for _, sampling, table in described]
        elif marker == _SCAN:
            if not components:
                raise KeyError("a scan without a frame")
            return tables, components
        at += 2 + length


def _read_tables(segment: bytes) -> dict[int, tuple[int, ...]]:
    tables = {}
    at = 0
    while at < len(segment):
        width, number = 1 + (segment[at] >> 4), segment[at] & 15
        steps = [
            int.from_bytes(segment[at + 1 + width * k : at + 1 + width * (k + 1)], "big") for k in range(64)
        ]
        tables[number] = tuple(int(step) for step in np.array(steps)[_zigzag()])
        at += 1 + 64 * width
    return tables


def _zigzag() -> NDArray[np.intp]:
    """(64,): for each place, row by row, its position in the order in which coefficients are stored."""
    rows, columns = np.divmod(np.arange(64), 8)
    diagonal = rows + columns
    along = np.where(diagonal % 2 == 1, rows, columns)
    order = np.lexsort((along, diagonal))
    position = np.empty(64, np.intp)
    position[order] = np.arange(64)
    return position


def _is_upright(data: bytes) -> bool:
    """Whether OpenCV, which follows EXIF, gives the rows as they are stored."""
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    turned = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return stored is not None and turned is not None and np.array_equal(stored, turned)
