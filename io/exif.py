"""EXIF, as far as copying it takes: the orientation, and the directories of a TIFF file.

EXIF is a small TIFF file without a picture: directories of entries, whose longer values lie anywhere behind
them. To move it to another place, or to another file, its directories are read and laid out anew. Values are
never interpreted but for the orientation. Only what that takes of TIFF 6.0 and EXIF 3.0 is here.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "Entry",
    "directory_at",
    "laid_out",
    "orientation",
    "read_tiff",
    "reordered",
    "upright",
    "with_header",
]

ORIENTATION = 0x0112
_DIRECTORIES = {0x8769: "EXIF", 0x8825: "GPS", 0xA005: "interoperability"}  # tags that point to directories
# Bytes of a value by its type: BYTE ASCII SHORT LONG RATIONAL SBYTE UNDEFINED SSHORT SLONG SRATIONAL FLOAT DOUBLE IFD
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_ENTRIES = 1000
_MAX_DEPTH = 4
_LONG = 4

ByteOrder = Literal["<", ">"]
Directory = Mapping[int, "Entry"]


@dataclass(frozen=True)
class Entry:
    """One entry of a directory: its type, and its bytes as they were; or the directory it points to."""

    kind: int
    data: bytes = b""
    directory: Directory | None = None


def read_tiff(data: bytes) -> tuple[ByteOrder, Directory] | None:
    """The first directory of a TIFF file or an EXIF block, and its byte order; ``None`` for anything else."""
    orders: dict[bytes, ByteOrder] = {b"II*\0": "<", b"MM\0*": ">"}
    order = orders.get(data[:4])
    if order is None or len(data) < 8:
        return None
    return order, directory_at(data, struct.unpack_from(f"{order}I", data, 4)[0], order)


def directory_at(data: bytes, offset: int, order: ByteOrder, depth: int = 0) -> Directory:
    """The entries of a directory, as far as they are whole."""
    entries: dict[int, Entry] = {}
    if depth == _MAX_DEPTH or not 0 < offset <= len(data) - 2:
        return entries
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    for number in range(min(count, _MAX_ENTRIES)):
        at = offset + 2 + 12 * number
        if at + 12 > len(data):
            break
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, at)
        size = values * _TYPE_BYTES.get(kind, 0)
        place = at + 8 if size <= _LONG else struct.unpack_from(f"{order}I", data, at + 8)[0]
        if size == 0 or place + size > len(data):
            continue
        if tag in _DIRECTORIES and kind in (4, 13):
            inner = struct.unpack_from(f"{order}I", data, place)[0]
            entries[tag] = Entry(_LONG, directory=directory_at(data, inner, order, depth + 1))
        else:
            entries[tag] = Entry(kind, data[place : place + size])
    return entries


def laid_out(directory: Directory, order: ByteOrder, *, offset: int) -> bytes:
    """A directory and all its values as bytes that will stand at ``offset`` (even) of a file."""
    values_at = offset + 2 + 12 * len(directory) + 4
    head = [struct.pack(f"{order}H", len(directory))]
    tail = b""
    for tag in sorted(directory):
        entry = directory[tag]
        place = values_at + len(tail)
        if entry.directory is not None:
            head.append(struct.pack(f"{order}HHII", tag, _LONG, 1, place))
            tail += laid_out(entry.directory, order, offset=place)
            continue
        count = len(entry.data) // _TYPE_BYTES[entry.kind]
        head.append(struct.pack(f"{order}HHI", tag, entry.kind, count))
        if len(entry.data) <= _LONG:
            head.append(entry.data.ljust(_LONG, b"\0"))
        else:
            head.append(struct.pack(f"{order}I", place))
            tail += entry.data
        tail += b"\0" * (len(tail) % 2)
    return b"".join(head) + bytes(4) + tail  # no directory follows


def with_header(directory: Directory, order: ByteOrder) -> bytes:
    """An EXIF block of a directory."""
    start = 8
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", start) + laid_out(directory, order, offset=start)


def reordered(directory: Directory, order: ByteOrder, wanted: ByteOrder) -> Directory:
    """The same directory with its numbers in another byte order."""
    if order == wanted:
        return directory
    return {
        tag: replace(entry, directory=reordered(entry.directory, order, wanted))
        if entry.directory is not None
        else replace(entry, data=_swapped(entry))
        for tag, entry in directory.items()
    }


def _swapped(entry: Entry) -> bytes:
    size = _TYPE_BYTES[entry.kind]
    size = _LONG if entry.kind in (5, 10) else size  # a fraction is two numbers
    return b"".join(entry.data[at : at + size][::-1] for at in range(0, len(entry.data), size))


def orientation(exif: bytes) -> int:
    """How the stored picture is to be turned, 1 (as it is) to 8; 1 where nothing valid says so."""
    found = read_tiff(exif)
    if found is None:
        return 1
    order, directory = found
    entry = directory.get(ORIENTATION)
    if entry is None or entry.kind != 3 or len(entry.data) < 2:
        return 1
    (value,) = struct.unpack_from(f"{order}H", entry.data)
    return value if 1 <= value <= 8 else 1


def upright(exif: bytes) -> bytes:
    """The same block, for a picture that has been turned as it said. Nothing else in it is touched."""
    if orientation(exif) == 1:
        return exif
    order = "<" if exif[:2] == b"II" else ">"
    start = struct.unpack_from(f"{order}I", exif, 4)[0]
    for at in _entry_places(exif, start, order):
        if struct.unpack_from(f"{order}H", exif, at)[0] == ORIENTATION:
            return exif[: at + 8] + struct.pack(f"{order}HH", 1, 0) + exif[at + 12 :]
    return exif


def _entry_places(data: bytes, start: int, order: str) -> Iterable[int]:
    (count,) = struct.unpack_from(f"{order}H", data, start)
    return range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12)
