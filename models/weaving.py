"""Fields as observations: what is shown between the rows of one, by the rows around and by the other fields.

Three kinds of witnesses speak of a row that the other field has: the rows above and below, interpolated; the fields
around in time, along the flow; and the two next to it as they stand, which is the truth where nothing moves. None is
right everywhere, and each says by itself how wrong it is in a place. Rows that were captured are predicted from those
two rows away, which measures interpolation. What a witness lacks in agreement with the field itself, where that was
captured, and elsewhere with the best estimate so far, beyond noise and what interpolation explains, is its own error.
The inverse of these variances weighs them: still places get the rows of the other field as they were captured, moving
ones what was found along the motion, and where that fails the rows above and below.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.observation import Observation, fuse
from reelprior.models.residual import local_mean

__all__ = ["FieldPicture", "Witness", "interpolate_field", "weigh"]

#: Of cubic interpolation half-way between samples (Keys 1981), from the nearest sample outwards on either side.
_TAPS = (9 / 16, -1 / 16)
#: What interpolation leaves of the variance of independent noise.
_NOISE_LEFT = 2 * sum(tap**2 for tap in _TAPS)
#: The error of interpolating over one row against that over two. Where the energy of details falls with the square of
#: their frequency, as in pictures of the world, it grows with the distance.
_NEARER = 1 / 2
#: Estimates of the field, from the rows around it on, against which witnesses are measured.
_ROUNDS = 2
#: Least variance, so that footage without noise divides by something.
_LEAST = 1e-8


@dataclass(frozen=True, eq=False)
class FieldPicture:
    """A field on the grid of its frame.

    Attributes
    ----------
    picture
        (3, H, W): its rows, and between them what they interpolate to.
    error
        (H, W): variance of what is between the rows, without that of noise.
    """

    picture: NDArray[np.float32]
    error: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Witness:
    """Another field, fetched onto the grid of the one in question.

    Attributes
    ----------
    image
        (1, 3, H, W).
    variance
        (1, 1 or 3, H, W), of its noise.
    visible
        (1, 1, H, W) in [0, 1]: how far it is believed to show the same surface.
    interpolation
        (1, 1, H, W): variance of the error where it was fetched from between its rows.
    """

    image: Tensor
    variance: Tensor
    visible: Tensor
    interpolation: Tensor


def interpolate_field(
    frame: NDArray[np.float32], rows: NDArray[np.bool_], known: NDArray[np.bool_], noise_variance: float
) -> FieldPicture:
    """Interpolate between the rows of a field, and measure the error.

    Parameters
    ----------
    frame
        (3, H, W); the rows of the field have no holes left.
    rows
        (H,), True for those of the other field.
    known
        (H, W), False where nothing was captured.
    noise_variance
        Of the captured samples.

    Returns
    -------
    FieldPicture
        Beyond the first and the last row of the field these are repeated.
    """
    own, other = np.flatnonzero(~rows), np.flatnonzero(rows)

    def between(at: NDArray[np.intp], distance: int) -> NDArray[np.float32]:
        """Rows interpolated from those at a distance on both sides, and those three times as far."""
        total = np.zeros((len(frame), len(at), frame.shape[2]), np.float32)
        for tap, far in zip(_TAPS, (distance, 3 * distance), strict=True):
            for side in (at - far, at + far):
                # Clipping keeps the parity: the first and the last row are rows of the field.
                total += np.float32(tap) * frame[:, side.clip(own[0], own[-1])]
        return total

    picture = frame.copy()
    picture[:, other] = between(other, 1)
    squares = np.zeros(frame.shape[1:], np.float32)
    squares[own] = np.square(frame[:, own] - between(own, 2)).mean(axis=0)
    seen = torch.from_numpy(known.astype(np.float32))[None, None]
    share = local_mean(seen)
    error = local_mean(torch.from_numpy(squares)[None, None] * seen) / share.clamp(min=_LEAST)
    error = torch.where(share > _LEAST, error, error[share > _LEAST].mean())
    error = _NEARER * (error - (1 + _NOISE_LEFT) * noise_variance).clamp(min=0)
    return FieldPicture(picture, error[0, 0].numpy())


def weigh(
    own: Observation, field: FieldPicture, witnesses: Sequence[Witness], *, holes: Tensor
) -> tuple[Observation, list[Observation]]:
    """All that is known of a field's frame as observations of it, weighed by their measured errors.

    Parameters
    ----------
    own
        The field as captured; of no weight in the rows of the other one.
    field
        The same interpolated.
    witnesses
        Other fields.
    holes
        (1, 1, H, W), 1 in holes of the field that are not rows of the other one.

    Returns
    -------
    tuple[Observation, list[Observation]]
        The rows around, which say nothing in and next to holes; and the witnesses.
    """
    captured = own.weight > 0
    noise = own.variance.mean(1, keepdim=True)
    # Interpolation reaches three rows far.
    sound = 1 - functional.max_pool2d(holes, (7, 1), 1, (3, 0))
    error = torch.from_numpy(field.error).to(noise)[None, None]
    spread = error + _NOISE_LEFT * noise
    around = Observation(
        torch.from_numpy(field.picture).to(own.image)[None],
        torch.where(captured, 0, sound / (spread + _LEAST)),
        _NOISE_LEFT * own.variance,
    )
    image = torch.where(captured, own.image, around.image)
    judges = (1 - holes).clamp(min=_LEAST)
    measured: list[Observation] = []
    for _ in range(_ROUNDS):
        spread = torch.where(captured, noise, spread)
        measured = []
        for witness in witnesses:
            explained = witness.interpolation + witness.variance.mean(1, keepdim=True)
            excess = (witness.image - image).square().mean(1, keepdim=True) - spread - explained
            excess = (local_mean(excess * judges) / local_mean(judges)).clamp(min=0)
            weight = witness.visible / (excess + witness.interpolation + witness.variance + _LEAST)
            measured.append(Observation(witness.image, weight, witness.variance))
        best = fuse([around, *measured])
        image = torch.where(captured, own.image, best.image)
        spread = 1 / (best.weight.mean(1, keepdim=True) + _LEAST)
    return around, measured
