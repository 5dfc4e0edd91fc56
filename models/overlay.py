"""Half-transparent logos: what is behind them is dimmed, not hidden, and can be told.

A pixel under such a logo shows ``transmission * scene + added``. The scene under it is not known, but it can be guessed
from around (Telea's inpainting), and over many frames what a pixel shows follows the guess with a slope: the
transmission. A guess errs, which makes the slope too small or too large; by how much is seen beside the logo, where
its shape laid over other parts of the same frames leaves the scene known. There it is also tried out whether the scene
behind a logo of that transmission can be told better than guessed; if not, the logo stays a hole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlay", "find_overlay"]

#: Less of the scene than this is lost in noise and rounding; more than the other is hardly a logo.
_LEAST, _MOST = 0.2, 0.9
#: Squared error of the scene as told, over that of the guess, from which on the guess is kept.
_WORTH = 0.4
#: Rounds in which pixels are left out unless the logo explains them with so much of the error without it, and the share
#: that has to stay.
_ROUNDS, _EXPLAINED, _COVERED = 3, 0.5, 0.5
#: How many times as far off as the middle one a pixel may be in the mean of all frames, and a step of 8 bits.
_OFF, _ROUNDING = 3.0, 1 / 255
#: Pixels around a found logo that its soft rim may reach: guesses begin outside of them.
_RIM = 2
#: Places beside the logo without which nothing can be said.
_LEAST_PLACES = 2
#: How far strokes of one logo may be apart, as a share of the picture's diagonal.
_GAP = 0.04
#: Of what guesses look at.
_RADIUS = 3
#: A guess that follows the scene less than this says nothing.
_LEAST_SLOPE = 0.05
_NOTHING = np.zeros((3, 1), np.float32)

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
#: Rows and columns of a rectangle.
Place = tuple[slice, slice]
#: The same frames, some of the whole clip, within a rectangle of rows and columns: (T, 3, h, w).
Read = Callable[[slice, slice], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Overlay:
    """Where and how a clip's pixels show the scene through a logo.

    Attributes
    ----------
    transmission
        (H, W) in (0, 1]: the share of the scene in what is shown; 1 where no logo is seen through.
    added
        (3, H, W): what the logo adds, on the scale of the frames; 0 there.
    """

    transmission: Plane
    added: Plane

    @property
    def covered(self) -> Mask:
        """(H, W), True where the scene is seen through a logo."""
        return np.asarray(self.transmission < 1)

    def cut(self, rows: slice, columns: slice) -> "Overlay":
        """The part within a rectangle."""
        return Overlay(self.transmission[rows, columns], self.added[:, rows, columns])

    def taken_off(self, frames: Plane) -> Plane:
        """The scene of frames (T, 3, H, W), in [0, 1] behind the logo; elsewhere they are as they were, bit by bit."""
        scene = frames.copy()
        where = self.covered
        told = (frames[:, :, where] - self.added[:, where]) / self.transmission[where]
        scene[:, :, where] = told.clip(0, 1)
        return scene


def find_overlay(logo: Mask, read: Read) -> Overlay | None:
    """Find out how much of the scene a logo lets through.

    Parameters
    ----------
    logo
        (H, W), True where it was found (see `reelprior.models.logo`).
    read
        Gives frames from all over the clip within a rectangle; called once for each logo.

    Returns
    -------
    Overlay | None
        None where no part of the logo is half transparent, or nothing better than a guess can be told.
    """
    transmission = np.ones(logo.shape, np.float32)
    added = np.zeros((3, *logo.shape), np.float32)
    for part in _parts(logo):
        seen = _see_through(part, logo, read)
        if seen is not None:
            transmission[seen.place][seen.where] = seen.transmission
            added[:, *seen.place][:, seen.where] = seen.added
    return Overlay(transmission, added) if (transmission < 1).any() else None


@dataclass(frozen=True, eq=False)
class _Seen:
    """The transmission of one logo, and what it adds, (3, 1), where it lies in a rectangle, (h, w)."""

    transmission: float
    added: Plane
    place: Place
    where: Mask


def _see_through(part: Mask, logo: Mask, read: Read) -> _Seen | None:
    """One part of all that is logo, or None."""
    rows, columns = _box(_with_rim(part), _RADIUS + _RIM)
    hidden, inner = _with_rim(part)[rows, columns], _inner(part)[rows, columns]
    places = _places(_with_rim(logo), rows, columns)
    if not inner.any() or len(places) < _LEAST_PLACES:
        return None
    frames, around = _read_all(read, [(rows, columns), *places])
    under, *beside = (_Guessed.of(frames[:, :, *place], hidden, inner) for place in around)
    for _ in range(_ROUNDS):
        transmission, added = _estimated(under, beside)
        covered = under.explained(transmission, added) < _EXPLAINED * under.explained(1.0, _NOTHING)
        # What is covered by half, as at rims, stays off in all frames.
        off = np.abs(under.beyond(transmission).mean(axis=0) - added).mean(axis=0)
        covered &= off < _OFF * np.median(off) + _ROUNDING
        if covered.mean() < _COVERED:
            return None
        under, beside = under.at(covered), [place.at(covered) for place in beside]
    transmission, added = _estimated(under, beside)
    if not _LEAST <= transmission <= _MOST:
        return None
    told = guessed = 0.0
    for at, place in enumerate(beside):
        # A logo like this one over a part of the clip that is known, seen through by what the other places tell.
        tried = place.under(transmission, added)
        found, also = _estimated(tried, beside[:at] + beside[at + 1 :])
        scene = (tried.shown - also) / np.float32(max(found, _LEAST))
        told += float(np.square(scene - place.shown).sum())
        guessed += float(np.square(place.guess - place.shown).sum())
    return _Seen(transmission, added, (rows, columns), under.shape) if told < _WORTH * guessed else None


def _estimated(under: "_Guessed", beside: list["_Guessed"]) -> tuple[float, Plane]:
    """Transmission and what is added, (3, 1), under a logo; ``beside``, nothing is over the scene."""
    covariance, variance = np.sum([place.products for place in beside], axis=0)
    slope = max(float(covariance / max(variance, 1e-9)), _LEAST_SLOPE)
    transmission = under.slope / slope
    return transmission, under.beyond(transmission).mean(axis=(0, 2))[:, None]


@dataclass(frozen=True, eq=False)
class _Guessed:
    """What pixels under a logo's shape show, and what is guessed from around them: (T, 3, P) in [0, 1]."""

    shown: Plane
    guess: Plane
    shape: Mask
    """(h, w), True at the pixels."""

    @classmethod
    def of(cls, frames: NDArray[np.uint8], hidden: Mask, inner: Mask) -> "_Guessed":
        mask = hidden.astype(np.uint8)
        pictures = np.ascontiguousarray(frames.transpose(0, 2, 3, 1))
        filled = [cv2.inpaint(picture, mask, _RADIUS, cv2.INPAINT_TELEA)[inner].T for picture in pictures]
        return cls(_unit(frames[:, :, inner]), _unit(np.stack(filled)), inner)

    def at(self, kept: Mask) -> "_Guessed":
        """The same at some of its pixels, (P,)."""
        shape = self.shape.copy()
        shape[self.shape] = kept
        return _Guessed(self.shown[:, :, kept], self.guess[:, :, kept], shape)

    def beyond(self, transmission: float) -> Plane:
        """(T, 3, P): what is shown besides the guess seen through."""
        return self.shown - np.float32(transmission) * self.guess

    def explained(self, transmission: float, added: Plane) -> Plane:
        """(P,): the squared error of what is shown, if it is the guess under such a logo."""
        error: Plane = np.square(self.beyond(transmission) - added).mean(axis=(0, 1))
        return error

    def under(self, transmission: float, added: Plane) -> "_Guessed":
        """The same with a logo over it."""
        return _Guessed(np.float32(transmission) * self.shown + added, self.guess, self.shape)

    @property
    def products(self) -> tuple[float, float]:
        """Covariance of what is shown with the guess, and variance of the guess, summed up."""
        guess = self.guess - self.guess.mean(axis=(0, 2), keepdims=True)
        return float((self.shown * guess).sum()), float(np.square(guess).sum())

    @property
    def slope(self) -> float:
        """By how much what is shown follows the guess."""
        covariance, variance = self.products
        return covariance / max(variance, 1e-9)


def _unit(levels: NDArray[np.uint8]) -> Plane:
    return levels.astype(np.float32) / np.float32(255)


def _parts(logo: Mask) -> Iterator[Mask]:
    """Logos that are far from each other, one by one."""
    side = round(_GAP * float(np.hypot(*logo.shape))) | 1
    joined = cv2.dilate(logo.astype(np.uint8), np.ones((side, side), np.uint8))
    number, labels = cv2.connectedComponents(joined, connectivity=8)
    for label in range(1, number):
        yield logo & (labels == label)


def _with_rim(logo: Mask) -> Mask:
    side = 2 * _RIM + 1
    return np.asarray(cv2.dilate(logo.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _inner(part: Mask) -> Mask:
    """Where the logo is as strong as it gets: its rim, which is softened, is not seen through."""
    return np.asarray(cv2.erode(part.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _box(mask: Mask, margin: int) -> Place:
    bounds = []
    for axis in (1, 0):
        at = np.flatnonzero(mask.any(axis=axis))
        bounds.append(slice(max(0, int(at[0]) - margin), min(mask.shape[1 - axis], int(at[-1]) + 1 + margin)))
    return bounds[0], bounds[1]


def _read_all(read: Read, places: list[Place]) -> tuple[NDArray[np.uint8], list[Place]]:
    """The frames of the rectangle that holds all places, and where they are in it."""
    top, left = (min(place[axis].start for place in places) for axis in (0, 1))
    bottom, right = (max(place[axis].stop for place in places) for axis in (0, 1))
    within = [
        (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        for rows, columns in places
    ]
    return read(slice(top, bottom), slice(left, right)), within


def _places(taken: Mask, rows: slice, columns: slice) -> list[Place]:
    """Rectangles of the same size around one, as far as the picture reaches, that hold nothing of any logo."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    found: list[Place] = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            top = min(max(rows.start + down * height, 0), taken.shape[0] - height)
            left = min(max(columns.start + right * width, 0), taken.shape[1] - width)
            place = slice(top, top + height), slice(left, left + width)
            # One that is moved into the picture may come to lie on another.
            is_new = all(
                abs(top - other[0].start) > height // 2 or abs(left - other[1].start) > width // 2
                for other in found
            )
            if is_new and not taken[place].any():
                found.append(place)
    return found
