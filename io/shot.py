"""How a photograph was taken, as EXIF says: flash, time, sensitivity, exposure. Absurd values count as absent."""

import math
import struct
from dataclasses import dataclass
from datetime import datetime

from reelprior.io.exif import Directory, Entry, orientation, read_tiff

__all__ = ["Shot", "shot_of"]

_EXIF_DIRECTORY = 0x8769
_FLASH, _TAKEN, _FRACTION, _CHANGED = 0x9209, 0x9003, 0x9291, 0x0132
_ISO, _EXPOSURE = 0x8827, 0x829A


@dataclass(frozen=True)
class Shot:
    """Facts of one photograph; None where EXIF does not say, or says nonsense."""

    orientation: int = 1
    """How the stored picture is to be turned: 1 to 8 as in EXIF."""
    flash_fired: bool | None = None
    taken: datetime | None = None
    """Local time of the camera, without a zone."""
    iso: int | None = None
    exposure_seconds: float | None = None


def shot_of(exif: bytes) -> Shot:
    """Read what there is."""
    found = read_tiff(exif)
    if found is None:
        return Shot()
    order, directory = found
    inner = directory.get(_EXIF_DIRECTORY, Entry(4)).directory or {}
    flash = _integer(inner, _FLASH, order)
    iso = _integer(inner, _ISO, order)
    return Shot(
        orientation=orientation(exif),
        flash_fired=None if flash is None else bool(flash & 1),
        taken=_time(inner, _TAKEN) or _time(directory, _CHANGED),
        iso=iso if iso is not None and 0 < iso < 10_000_000 else None,
        exposure_seconds=_fraction(inner, _EXPOSURE, order),
    )


def _integer(directory: Directory, tag: int, order: str) -> int | None:
    entry = directory.get(tag, Entry(0))
    kinds = {3: "H", 4: "I"}
    if entry.kind not in kinds:
        return None
    return int(struct.unpack_from(order + kinds[entry.kind], entry.data)[0])


def _fraction(directory: Directory, tag: int, order: str) -> float | None:
    entry = directory.get(tag, Entry(0))
    if entry.kind != 5:
        return None
    above, below = struct.unpack_from(f"{order}II", entry.data)
    value = above / below if below else math.inf
    return value if 0 < value < 1e5 else None


def _time(directory: Directory, tag: int) -> datetime | None:
    text = directory.get(tag, Entry(2)).data.rstrip(b"\0 ").decode("ascii", "replace")
    fraction = directory.get(_FRACTION, Entry(2)).data.rstrip(b"\0 ").decode("ascii", "replace")
    try:
        moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction.isdecimal() else moment
