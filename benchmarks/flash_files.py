"""Flash pairs as files: written as a camera would, restored as the command does, and what became of their metadata."""

import struct
from pathlib import Path

import cv2
import numpy as np
from flash_scenes import Picture
from numpy.typing import NDArray
from session import Session

from reelprior.pipeline.photographs import PairJob, PhotoResult, restore_pair
from reelprior.pipeline.presets import load_settings

__all__ = ["metadata_blocks", "restore", "write_samples"]

#: Blocks as OpenCV names them. What is asked is whether bytes stay the same, so none of them has to say much.
_BLOCKS = {
    "EXIF": cv2.IMAGE_METADATA_EXIF,
    "XMP": cv2.IMAGE_METADATA_XMP,
    "ICC": cv2.IMAGE_METADATA_ICCP,
}
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'


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
    """Whether each block of a 16-bit PNG comes out as it went in, read by OpenCV and not by the program under test."""
    source, other, output = (folder / f"blocks-{name}.png" for name in ("ambient", "flash", "restored"))
    values = {"EXIF": _exif(), "XMP": _XMP, "ICC": _icc()}
    data = [np.frombuffer(values[name], np.uint8) for name in _BLOCKS]
    cv2.imwriteWithMetadata(str(source), _samples(ambient), list(_BLOCKS.values()), data)
    write_samples(other, flash)
    restore(session, other, source, output, overrides=("fit.iterations=5",))
    before, after = (_read(path) for path in (source, output))
    return {
        "16 bits": cv2.imread(str(output), cv2.IMREAD_UNCHANGED).dtype == np.uint16,
        **{name: name in before and before[name] == after.get(name) for name in _BLOCKS},
    }


def _samples(picture: Picture) -> NDArray[np.uint16]:
    samples = np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)
    return np.ascontiguousarray(samples[::-1].transpose(1, 2, 0))  # (3, H, W) R'G'B' -> (H, W, 3) B'G'R'


def _read(path: Path) -> dict[str, bytes]:
    _, kinds, blocks = cv2.imreadWithMetadata(str(path))
    names = {kind: name for name, kind in _BLOCKS.items()}
    return {names[kind]: bytes(block) for kind, block in zip(kinds, blocks, strict=True) if kind in names}


def _exif() -> bytes:
    """A TIFF structure with a maker and an ISO value."""
    maker = b"A camera\0"
    entries = struct.pack("<HHII", 0x010F, 2, len(maker), 38) + struct.pack("<HHIHH", 0x8827, 3, 1, 3200, 0)
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + maker


def _icc() -> bytes:
    """sRGB, as Pillow makes it."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
