"""Observations: what an image tells about the latent frame, and the exact fusion of those that share its grid."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reelprior.models.operators import ForwardOperator, Identity

__all__ = ["Observation", "fuse"]


@dataclass(frozen=True, eq=False)
class Observation:
    """y = A(x) + noise.

    Attributes
    ----------
    image
        y, (1, 3, H', W').
    weight
        (1, 1 or 3, H', W'), visibility over variance: how much each sample counts; 0 where it says nothing.
    variance
        (1, 1 or 3, H', W'), expected variance of the noise in ``image``.
    operator
        A, from the latent frame to the observed one.
    """

    image: Tensor
    weight: Tensor
    variance: Tensor
    operator: ForwardOperator = field(default_factory=Identity)


def fuse(observations: Sequence[Observation]) -> Observation:
    """Fuse observations through the identity exactly into one.

    sum_k w_k (x - y_k)^2 = W (x - y)^2 + constant, with W = sum_k w_k and y = sum_k w_k y_k / W. A mask is a weight
    of 0; a warp whose picture was fetched onto the latent grid is the identity with a visibility. Neighbours then
    cost nothing per iteration.

    Parameters
    ----------
    observations
        At least one, all through `Identity`, of equal size, with independent noise.

    Returns
    -------
    Observation
        Weight W; where W is 0, the first observation's image. The variance is that of the weighted mean.
    """
    if not all(isinstance(observation.operator, Identity) for observation in observations):
        raise ValueError(
            "only observations through the identity fuse into one; keep the others as terms of their own"
        )
    total = torch.stack([o.weight for o in observations]).sum(0)
    safe = total.clamp(min=torch.finfo(total.dtype).tiny)
    image = torch.stack([o.weight * o.image for o in observations]).sum(0) / safe
    # Shares are squared, not weights: the square of a small weight is 0 in float32.
    variance = torch.stack([(o.weight / safe).square() * o.variance for o in observations]).sum(0)
    seen = total > 0
    return Observation(
        image=torch.where(seen, image, observations[0].image),
        weight=total,
        variance=torch.where(seen, variance, observations[0].variance),
    )
