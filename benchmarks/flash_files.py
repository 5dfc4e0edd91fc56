"""Flash pairs as files: written as a camera would, restored as the command does, and what became of their metadata."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from flash_scenes import Picture
from numpy.typing import NDArray
from session import Session

from reelprior.pipeline.photographs import PairJob, PhotoResult, restore_pair
from reelprior.pipeline.presets import load_settings

__all__ = ["metadata_blocks", "restore", "write_samples"]

#: What is asked is whether bytes stay the same, so that no block has to say much.
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
#: Keyword of its chunk, and how it goes on: not packed, no language, no translation.
_XMP_HEAD = b"XML:com.adobe.xmp\0" + bytes(4)
_SIGNATURE_AND_HEADER = 8 + 25  # bytes at the start of a PNG file


def write_samples(path: Path, picture: Picture) -> None:
    """(3, H, W) in [0, 1] with 16 bits."""
    cv2.imwrite(str(path), _samples(picture))


def restore(
    session: Session, flash: Path, ambient: Path, output: Path, *, overrides: tuple[str, ...] = ()
) -> PhotoResult:
    """As `reelprior flash` does, within this process."""
    settings = load_settings("flash", overrides=(*overrides, *session.overrides))
    job = PairJob(
        flash=str(flash), ambient=str(ambient), output=str(output), settings=settings, overwrite=True
    )
    return restore_pair(job)


def metadata_blocks(session: Session, ambient: Picture, flash: Picture, folder: Path) -> dict[str, bool]:
    """Whether the depth and each block of a 16-bit PNG come out as they went in; read here, not by the program."""
    source, other, output = (folder / f"blocks-{name}.png" for name in ("ambient", "flash", "restored"))
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP], [_exif(), _icc()]
    cv2.imwriteWithMetadata(
        str(source), _samples(ambient), kinds, [np.frombuffer(block, np.uint8) for block in blocks]
    )
    # OpenCV would write XMP as a text of another kind, which no other program looks for.
    content = b"iTXt" + _XMP_HEAD + _XMP
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    data = source.read_bytes()
    source.write_bytes(data[:_SIGNATURE_AND_HEADER] + chunk + data[_SIGNATURE_AND_HEADER:])
    write_samples(other, flash)
    restore(session, other, source, output, overrides=("fit.iterations=5",))
    before, after = (_blocks(path) for path in (source, output))
    return {
        "16 bits": np.asarray(cv2.imread(str(output), cv2.IMREAD_UNCHANGED)).dtype == np.uint16,
        **{name: before[name] == after.get(name) for name in ("EXIF", "ICC", "XMP")},
    }


def _blocks(path: Path) -> dict[str, bytes]:
    """EXIF, ICC profile and XMP of a PNG file."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        if kind == b"eXIf":
            found["EXIF"] = content
        elif kind == b"iCCP":
            found["ICC"] = zlib.decompress(content[content.index(b"\0") + 2 :])
        elif kind == b"iTXt" and content.startswith(_XMP_HEAD):
            found["XMP"] = content[len(_XMP_HEAD) :]
        at += 12 + length
    return found


def _samples(picture: Picture) -> NDArray[np.uint16]:
    samples = np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)
    return np.ascontiguousarray(samples[::-1].transpose(1, 2, 0))  # (3, H, W) R'G'B' -> (H, W, 3) B'G'R'


def _exif() -> bytes:
    """A TIFF structure with a maker and an ISO value."""
    maker = b"A camera\0"
    entries = struct.pack("<HHII", 0x010F, 2, len(maker), 38) + struct.pack("<HHIHH", 0x8827, 3, 1, 3200, 0)
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + maker


def _icc() -> bytes:
    """sRGB, as Pillow makes it."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
