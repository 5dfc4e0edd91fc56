"""Photographs at full depth with their metadata: JPEG, PNG, TIFF and what else OpenCV reads, camera RAW, HEIC.

Pixels stay as they are stored, not turned as EXIF asks, so that the block can go back unchanged. RAW (with the extra
``raw``) is developed by LibRaw into linear light: black and white level, white balance and demosaicing, no tone
curve. HEIC (with the extra ``heic``) is decoded by libheif.
"""

import logging
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.container import check_file
from reelprior.io.errors import InputError, OutputError
from reelprior.io.files import atomic_path
from reelprior.io.image_coding import encoder_parameters
from reelprior.io.shot import Shot, shot_of
from reelprior.io.still_metadata import StillMetadata, encode_with, metadata_of

__all__ = [
    "Photograph",
    "check_photograph_output",
    "display_curve",
    "is_photograph",
    "read_photograph",
    "read_shot",
    "write_photograph",
]

_log = logging.getLogger(__name__)

_RAW = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf"})
_HEIF = frozenset({".heic", ".heif", ".hif"})
_DECODED_BY_OPENCV = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
#: Largest depth of what can be written.
_WRITABLE = {".png": 16, ".tif": 16, ".tiff": 16, ".jpg": 8, ".jpeg": 8}
_CMYK_IN_TIFF = 5

Bits = Literal[8, 16]


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph.

    Attributes
    ----------
    path
        Where it came from.
    pixels
        (3, H, W) float32 in [0, 1], as stored; three equal channels for grey.
    bits
        8 or 16: how deep the result has to be to lose nothing.
    is_grey, is_linear
        Whether it has one channel; whether it is in linear light (RAW) rather than under a display curve.
    metadata
        EXIF, ICC profile and XMP, as they stand in the file.
    """

    path: Path
    pixels: NDArray[np.float32]
    bits: Bits
    is_grey: bool
    is_linear: bool
    metadata: StillMetadata

    @property
    def shot(self) -> Shot:
        """How it was taken."""
        return shot_of(self.metadata.exif)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.pixels.shape[1], self.pixels.shape[2]


def is_photograph(path: Path) -> bool:
    """Whether the suffix is one of a photograph that can be read here, extras counted."""
    return path.suffix.lower() in _RAW | _HEIF | _DECODED_BY_OPENCV


def read_photograph(path: str | Path) -> Photograph:
    """Decode a photograph.

    Raises
    ------
    InputError
        When it cannot be read whole, is CMYK or animated, or needs an extra that is not installed.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() in _RAW:
        return _read_raw(path)
    if path.suffix.lower() in _HEIF:
        return _read_heif(path)
    return _read_by_opencv(path)


def read_shot(path: str | Path) -> Shot:
    """How a photograph was taken, without decoding it; an empty one where that cannot be told."""
    path = Path(path)
    try:
        if path.suffix.lower() in _HEIF:
            return shot_of(_exif_of_heif(_extra("pillow_heif", "heic", path).open_heif(str(path))))
        return shot_of(metadata_of(path).exif)
    except (OSError, ValueError, InputError):
        return Shot()


def check_photograph_output(path: str | Path, *, overwrite: bool, bits: int | None = None) -> None:
    """Refuse an output that could not be written, before the work.

    Raises
    ------
    OutputError
        For an unknown suffix, a depth that the format does not have, or a file that is there already.
    """
    path = Path(path)
    depth = _WRITABLE.get(path.suffix.lower())
    if depth is None:
        raise OutputError(f"{path}: photographs are written as {', '.join(_WRITABLE)}: choose one of these")
    if bits is not None and bits > depth:
        raise OutputError(f"{path}: {path.suffix} holds {depth} bits, not {bits}: choose .tif or .png")
    if path.is_dir() or (path.exists() and not overwrite):
        raise OutputError(f"{path}: exists already: choose another name, or --overwrite")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist: create it first")


def write_photograph(
    path: str | Path, pixels: NDArray[np.float32], *, like: Photograph, bits: Bits | None = None
) -> None:
    """Write a photograph with the metadata of another, whole or not at all.

    Parameters
    ----------
    path
        PNG, TIFF or JPEG, by its suffix.
    pixels
        (3, H, W) in [0, 1]; clipped.
    like
        Where metadata, greyness and, unless ``bits`` says otherwise, depth come from. Its orientation still holds:
        pixels are as stored there.
    bits
        8 or 16; never more than the format holds.

    Raises
    ------
    OutputError
        If it cannot be encoded or written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    depth = min(bits or like.bits, _WRITABLE[suffix])
    pixels = np.clip(pixels, 0, 1)
    if like.is_linear and depth == 8:
        pixels = display_curve(pixels)  # 8 bits of linear light would be black below 1/255
    largest = 255 if depth == 8 else 65535
    image = np.rint(pixels * np.float32(largest)).astype(np.uint8 if depth == 8 else np.uint16)
    # (3, H, W) R'G'B' -> (H, W, 3) B'G'R', or (H, W)
    stored = image[0] if like.is_grey else np.ascontiguousarray(image[::-1].transpose(1, 2, 0))
    if lost := like.metadata.lost_in(suffix):
        _log.warning("%s: %s holds no %s: left out", path, suffix, ", ".join(lost))
    data = encode_with(suffix, stored, like.metadata, encoder_parameters(suffix))
    if data is None:
        height, width = pixels.shape[1:]
        raise OutputError(f"{path}: {width}x{height} cannot be encoded as {suffix}: use .tif")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def display_curve(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] under the curve of sRGB (IEC 61966-2-1)."""
    curved = np.where(
        pixels <= 0.0031308, 12.92 * pixels, 1.055 * np.maximum(pixels, 1e-9) ** (1 / 2.4) - 0.055
    )
    return curved.astype(np.float32)


def _read_by_opencv(path: Path) -> Photograph:
    data = path.read_bytes()
    _check_whole(path, data)
    metadata = metadata_of(path)
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # an error is ours to report
    try:
        if cv2.imcount(str(path)) > 1:
            raise InputError(f"{path}: holds several pictures: extract the one you mean first")
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: not readable as a photograph: check that it is complete") from error
    finally:
        cv2.utils.logging.setLogLevel(level)
    if samples is None:
        raise InputError(
            f"{path}: not readable as a photograph: check that it is complete, or convert it to PNG"
        )
    return _photograph(path, samples if samples.ndim == 2 else samples[..., ::-1], metadata)


def _photograph(
    path: Path, samples: NDArray[Any], metadata: StillMetadata, *, is_linear: bool = False
) -> Photograph:
    """From (H, W) or (H, W, 3) R'G'B' samples of 8 or 16 bits."""
    if samples.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: samples of type {samples.dtype}: convert it to 8 or 16 bits first")
    largest = np.float32(np.iinfo(samples.dtype).max)
    is_grey = samples.ndim == 2
    planes = samples[None] if is_grey else samples.transpose(2, 0, 1)
    pixels = np.empty((3, *samples.shape[:2]), np.float32)
    np.divide(planes, largest, out=pixels)
    return Photograph(path, pixels, 8 if samples.dtype == np.uint8 else 16, is_grey, is_linear, metadata)


def _check_whole(path: Path, data: bytes) -> None:
    """Refuse what OpenCV would decode in part or in wrong colours without a word."""
    if data[:2] == b"\xff\xd8":
        # In coded data 0xFF is followed by 0: these two bytes stand for the end and nothing else.
        if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
            raise InputError(f"{path}: this JPEG ends too early: get the whole file")
        if _components_of_jpeg(data) == 4:
            raise InputError(f"{path}: is CMYK: convert it to RGB first")
    elif data[:4] == b"\x89PNG":
        if b"IEND" not in data[-16:] and b"IEND" not in data:
            raise InputError(f"{path}: this PNG ends too early: get the whole file")
        if b"acTL" in data[: data.find(b"IDAT")]:
            raise InputError(f"{path}: is animated: extract the picture you mean first")
    elif data[:4] in (b"II*\0", b"MM\0*") and _photometric(data) == _CMYK_IN_TIFF:
        raise InputError(f"{path}: is CMYK: convert it to RGB first")


def _components_of_jpeg(data: bytes) -> int | None:
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of a frame
            return data[at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _photometric(data: bytes) -> int | None:
    from reelprior.io.exif import read_tiff

    found = read_tiff(data)
    entry = found[1].get(262) if found else None
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    return int.from_bytes(entry.data[:2], order) if entry else None


def _read_raw(path: Path) -> Photograph:
    rawpy = _extra("rawpy", "raw", path)
    try:
        with rawpy.imread(str(path)) as raw:
            samples = raw.postprocess(
                gamma=(1, 1), no_auto_bright=True, output_bps=16, use_camera_wb=True, user_flip=0
            )
    except rawpy.LibRawError as error:
        raise InputError(
            f"{path}: not readable as RAW ({_text(error)}): check that it is complete"
        ) from error
    return _photograph(path, samples, metadata_of(path), is_linear=True)


def _read_heif(path: Path) -> Photograph:
    heif = _extra("pillow_heif", "heic", path)
    try:
        # A file of 10 or 12 bits gives 16; the primary picture is the one that is meant.
        file = heif.open_heif(str(path), convert_hdr_to_8bit=False)
        samples = np.asarray(file)
    except (ValueError, OSError, EOFError, RuntimeError, SyntaxError) as error:
        raise InputError(
            f"{path}: not readable as HEIC ({_text(error)}): check that it is complete"
        ) from error
    # libheif has turned the picture already and says so in the block; opacity is left out.
    samples = samples[..., :3] if samples.ndim == 3 and samples.shape[2] >= 3 else samples
    xmp = file.info.get("xmp") or b""
    icc = file.info.get("icc_profile") or b""
    return _photograph(path, samples, StillMetadata(_exif_of_heif(file), icc, xmp))


def _exif_of_heif(file: Any) -> bytes:
    block: bytes = file.info.get("exif") or b""
    return block.removeprefix(b"Exif\0\0")


def _extra(module: str, extra: str, path: Path) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{path}: reading {path.suffix} needs {module.replace('_', '-')}: pip install 'reelprior[{extra}]'"
        ) from error


def _text(error: BaseException) -> str:
    """What a library says, in one line; LibRaw says it in bytes."""
    said = error.args[0] if error.args else type(error).__name__
    return (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)).strip() or type(
        error
    ).__name__
