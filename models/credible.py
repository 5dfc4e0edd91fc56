"""Whom to believe of what a hole hides: neighbours that are near in time and of one opinion."""

from collections.abc import Mapping

import torch
from torch import Tensor

from reelprior.models.observation import Observation, fuse

__all__ = ["credible_in_holes", "told_by_several"]

#: A neighbour's pixel goes into a hole only if it is believed to this degree, and the others agree to this degree.
_BELIEVED, _AGREED = 0.6, 0.5
#: So many neighbours have to tell it where none has seen a pixel itself: what they were told may be wrong.
_WITNESSES = 3


def credible_in_holes(
    fetched: Mapping[int, Observation], hole: Tensor, *, frame: int, full_weight: Tensor, colour_scale: float
) -> dict[int, Observation]:
    """Neighbours that may speak where the frame itself says nothing: near in time, and of one opinion.

    Outside of holes the frame itself is the judge. Inside, a flow completed wrongly would be taken at its word: who
    does not agree with the mean is left out, and where nobody agrees the prior fills in.

    Parameters
    ----------
    fetched
        The neighbours' observations of a frame by their number, through the identity.
    hole
        (1, 1, H, W) bool, where the frame says nothing.
    frame
        Its number.
    full_weight
        (1, 1 or 3, H, W), that of a neighbour which is believed altogether.
    colour_scale
        Difference in [0, 1] at which opinions agree by half.

    Returns
    -------
    dict[int, Observation]
        The same with smaller weights in the hole.
    """
    nearest_first = {
        k: torch.where(hole, o.weight * (o.weight > _BELIEVED * full_weight) / abs(k - frame), o.weight)
        for k, o in fetched.items()
    }
    weighted = {k: Observation(o.image, nearest_first[k], o.variance) for k, o in fetched.items()}
    mean = fuse(list(weighted.values())).image
    credible = {}
    for k, o in weighted.items():
        difference = (o.image - mean).abs().mean(1, keepdim=True)
        agreement = 1 / (1 + (difference / colour_scale) ** 4)
        weight = torch.where(hole, o.weight * agreement * (agreement > _AGREED), o.weight)
        credible[k] = Observation(o.image, weight, o.variance)
    return credible


def told_by_several(told: Mapping[int, Observation]) -> list[Observation]:
    """Observations at second hand, where at least three neighbours have one."""
    witnesses = torch.stack([o.weight.amax(1, keepdim=True) > 0 for o in told.values()]).sum(0)
    return [Observation(o.image, o.weight * (witnesses >= _WITNESSES), o.variance) for o in told.values()]
