"""Turning pixels as EXIF's orientation says, and back: 1 to 8, as in EXIF 3.0, 4.6.5."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["turned", "turned_like"]

#: How often to turn counter-clockwise by 90 degrees, after mirroring left and right where it says so.
_TURNS = {
    1: (False, 0),
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}
#: What undoes each: a mirrored turn undoes itself.
_INVERSE = {6: 8, 8: 6}


def turned(pixels: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """(C, H, W) or (H, W) as stored -> as it is to be looked at."""
    mirrored, turns = _TURNS[orientation]
    picture = pixels[..., ::-1] if mirrored else pixels
    return np.ascontiguousarray(np.rot90(picture, turns, axes=(-2, -1)))


def turned_like(pixels: NDArray[np.float32], orientation: int, wanted: int) -> NDArray[np.float32]:
    """A picture stored in one orientation, as it would be stored in another."""
    if orientation == wanted:
        return pixels
    return turned(turned(pixels, orientation), _INVERSE.get(wanted, wanted))
