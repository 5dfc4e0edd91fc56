"""What a still image says beside its pixels: EXIF, ICC profile, XMP. Read, made to fit, and written again.

OpenCV writes them to WebP and, XMP aside, to JPEG; it knows none of them in TIFF, and puts XMP where nobody looks for
it in PNG. What it does not write is written here, and reading is done here without decoding a picture. The pixels of
this program are turned upright and are never CMYK: an orientation is set back to 1, and a profile of another kind of
colour is left out.
"""

import logging
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.exif import Entry, laid_out, orientation, read_tiff, reordered, upright, with_header

__all__ = ["StillMetadata", "encode_with", "is_tiff", "metadata_of"]

_log = logging.getLogger(__name__)

_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_IN_JPEG = b"Exif\0\0"
_ICC_IN_JPEG = b"ICC_PROFILE\0"
_XMP_IN_PNG = b"XML:com.adobe.xmp\0"
_MAX_SEGMENT_BYTES = 65533
_MAX_BLOCK_BYTES = 1 << 26  # of a compressed block: far beyond any profile

_XMP_TAG, _ICC_TAG = 700, 34675
# The entries of a TIFF file that describe the picture, not how its samples are stored: document name, description,
# maker, model, orientation, resolution, page, software, date, artist, host, IPTC, copyright, EXIF, GPS.
_DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 274, 282, 283, 285, 296, 297, 305, 306, 315, 316, 33432, 33723, 34665, 34853}
)
_CAN_HOLD = {
    ".png": {"exif", "icc", "xmp"},
    ".jpg": {"exif", "icc", "xmp"},
    ".webp": {"exif", "icc", "xmp"},
    ".tiff": {"exif", "icc", "xmp"},
}
_ALIASES = {".jpeg": ".jpg", ".tif": ".tiff"}


@dataclass(frozen=True)
class StillMetadata:
    """The blocks of an image file, as they stand in it; empty where it has none.

    Attributes
    ----------
    exif
        A TIFF structure without a picture.
    icc
        An ICC profile.
    xmp
        An XML document.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""

    @property
    def orientation(self) -> int:
        """How the stored picture is to be turned: 1 to 8 as in EXIF."""
        return orientation(self.exif)

    def for_output(self, *, is_grey: bool) -> "StillMetadata":
        """The same for pixels that stand upright, R'G'B' or grey."""
        wanted = b"GRAY" if is_grey else b"RGB "
        icc = self.icc if self.icc[16:20] == wanted else b""  # the data colour space of ICC.1:2022, 7.2
        return StillMetadata(upright(self.exif), icc, self.xmp)

    def lost_in(self, suffix: str) -> list[str]:
        """What a kind of file has no place for: "exif", "icc", "xmp"."""
        held = _CAN_HOLD.get(_ALIASES.get(suffix, suffix), set())
        return [name for name in ("exif", "icc", "xmp") if getattr(self, name) and name not in held]


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF file, whatever its name says."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*")


def metadata_of(path: Path) -> StillMetadata:
    """Read the blocks of an image file; what is damaged counts as absent."""
    data = path.read_bytes()
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data)
    if (found := read_tiff(data)) is not None:
        order, directory = found
        kept = {tag: entry for tag, entry in directory.items() if tag in _DESCRIPTIVE}
        icc, xmp = (directory.get(tag, Entry(1)).data for tag in (_ICC_TAG, _XMP_TAG))
        return StillMetadata(with_header(kept, order) if kept else b"", icc, xmp)
    if data[:4] == b"\x89PNG":
        return _of_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_webp(data)
    return StillMetadata()


def _of_png(data: bytes) -> StillMetadata:
    exif = icc = xmp = b""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"eXIf":
            exif = content
        elif kind == b"iCCP":
            _, _, packed = content.partition(b"\0")  # the name; then one byte for the method
            icc = _inflated(packed[1:])
        elif kind == b"iTXt" and content.startswith(_XMP_IN_PNG):
            is_packed, rest = content[len(_XMP_IN_PNG)], content[len(_XMP_IN_PNG) + 2 :]
            text = rest.split(b"\0", 2)[-1]  # behind the language and the translated keyword
            xmp = _inflated(text) if is_packed else text
        at += 12 + length
    return StillMetadata(exif, icc, xmp)


def _of_webp(data: bytes) -> StillMetadata:
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        found[data[at : at + 4]] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    exif = found.get(b"EXIF", b"").removeprefix(_EXIF_IN_JPEG)  # some writers leave it there
    return StillMetadata(exif, found.get(b"ICCP", b""), found.get(b"XMP ", b""))


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MAX_BLOCK_BYTES)
    except zlib.error:
        return b""


def _of_jpeg(data: bytes) -> StillMetadata:
    exif = xmp = b""
    profile: dict[int, bytes] = {}
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        (length,) = struct.unpack_from(">H", data, at + 2)
        content = data[at + 4 : at + 2 + length]
        if content.startswith(_EXIF_IN_JPEG) and data[at + 1] == 0xE1:
            exif = exif or content[len(_EXIF_IN_JPEG) :]
        elif content.startswith(_XMP_IN_JPEG) and data[at + 1] == 0xE1:
            xmp = xmp or content[len(_XMP_IN_JPEG) :]
        elif content.startswith(_ICC_IN_JPEG) and data[at + 1] == 0xE2:
            number = len(_ICC_IN_JPEG)
            profile[content[number]] = content[number + 2 :]
        at += 2 + length
    return StillMetadata(exif, b"".join(profile[number] for number in sorted(profile)), xmp)


def encode_with(
    suffix: str, image: NDArray[np.generic], metadata: StillMetadata, parameters: list[int]
) -> bytes | None:
    """Encode a picture for OpenCV (blue first) together with metadata; ``None`` where the picture cannot be."""
    suffix = _ALIASES.get(suffix, suffix)
    added = {".tiff": _with_tiff_entries, ".png": _with_png_chunks}.get(suffix)
    if added is not None:
        plain = _encoded(suffix, image, {}, parameters)
        return plain and added(plain, metadata)
    if suffix not in _CAN_HOLD:
        return _encoded(suffix, image, {}, parameters)
    blocks = {cv2.IMAGE_METADATA_EXIF: metadata.exif, cv2.IMAGE_METADATA_ICCP: metadata.icc}
    if suffix == ".webp":
        blocks[cv2.IMAGE_METADATA_XMP] = metadata.xmp
    blocks = {kind: block for kind, block in blocks.items() if block}
    data = _encoded(suffix, image, blocks, parameters)
    if data is None and blocks:
        _log.warning("a profile or EXIF block that the %s encoder refuses is left out", suffix)
        data = _encoded(suffix, image, {}, parameters)
    if data is not None and suffix == ".jpg" and metadata.xmp:
        data = _with_xmp(data, metadata.xmp)
    return data


def _encoded(
    suffix: str, image: NDArray[Any], blocks: dict[int, bytes], parameters: list[int]
) -> bytes | None:
    try:
        if not blocks:
            done, data = cv2.imencode(suffix, image, parameters)
        else:
            arrays = [np.frombuffer(block, np.uint8) for block in blocks.values()]
            done, data = cv2.imencodeWithMetadata(suffix, image, list(blocks), arrays, parameters)
    except cv2.error:
        return None
    return bytes(data) if done else None


def _with_xmp(jpeg: bytes, xmp: bytes) -> bytes:
    """A JPEG file with an XMP segment behind the header segments that have to be first (JFIF, EXIF)."""
    content = _XMP_IN_JPEG + xmp
    if len(content) > _MAX_SEGMENT_BYTES:
        _log.warning("XMP of %d bytes does not fit into a segment of a JPEG file: left out", len(xmp))
        return jpeg
    at = 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1] in (0xE0, 0xE1):
        at += 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
    return jpeg[:at] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[at:]


def _with_png_chunks(png: bytes, metadata: StillMetadata) -> bytes:
    """A PNG file with the chunks of the metadata before its pixels, as the third edition of the standard has them."""
    chunks = []
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", _XMP_IN_PNG + bytes(4) + metadata.xmp))  # not packed, no language
    header_end = 8 + 12 + 13
    added = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    return png[:header_end] + b"".join(added) + png[header_end:]


def _with_tiff_entries(tiff: bytes, metadata: StillMetadata) -> bytes:
    """A TIFF file whose directory, laid out anew at its end, has the entries of the metadata, too."""
    found = read_tiff(tiff)
    if found is None or metadata == StillMetadata():
        return tiff
    order, directory = found
    entries = dict(directory)
    described = read_tiff(metadata.exif)
    if described is not None:
        entries |= {
            tag: e for tag, e in reordered(described[1], described[0], order).items() if tag in _DESCRIPTIVE
        }
    if metadata.icc:
        entries[_ICC_TAG] = Entry(7, metadata.icc)
    if metadata.xmp:
        entries[_XMP_TAG] = Entry(1, metadata.xmp)
    place = len(tiff) + len(tiff) % 2
    padding = bytes(place - len(tiff))
    return (
        tiff[:4]
        + struct.pack(f"{order}I", place)
        + tiff[8:]
        + padding
        + laid_out(entries, order, offset=place)
    )
