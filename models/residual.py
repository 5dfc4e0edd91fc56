"""Structure that the generator left in the residual, added back: nearly free, and never fooled by noise it knows of."""

import kornia
import torch
from torch import Tensor

from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation

__all__ = ["add_back_structure", "local_mean", "structure_of"]

#: Standard deviation, in pixels, of the window in which residual energy is measured, and its width.
_WINDOW_SIGMA, _WINDOW = 2.0, 13


def add_back_structure(latent: Tensor, fused: Observation, noise: NoiseModel) -> Tensor:
    """Wiener shrinkage of the residual.

    r = fused - E[latent + noise]; E = local mean of r^2 / N over channels and window; N = expected variance of the
    fused noise. The result is latent + max(0, 1 - 1 / E) r: where the residual is no stronger than noise nothing is
    added.

    Parameters
    ----------
    latent
        (1, 3, H, W) in [0, 1].
    fused
        The fused observation on the same grid.
    noise
        Gives the mean of a noisy sample.

    Returns
    -------
    Tensor
        (1, 3, H, W) in [0, 1].
    """
    return (latent + structure_of(latent, fused, noise)).clamp(0, 1)


def structure_of(predicted: Tensor, observed: Observation, noise: NoiseModel) -> Tensor:
    """The part of an observation's residual that is stronger than its noise.

    Parameters
    ----------
    predicted
        (1, 3, H', W'): the latent frame through the observation's operator.
    observed
        The observation.
    noise
        Gives the mean of a noisy sample.

    Returns
    -------
    Tensor
        (1, 3, H', W'): max(0, 1 - 1 / E) r, see `add_back_structure`; 0 where nothing was observed.
    """
    seen = (observed.weight > 0).to(predicted.dtype)
    residual = (observed.image - noise.expected(predicted)) * seen
    energy = local_mean((residual.square() / observed.variance).mean(1, keepdim=True))
    energy = energy / local_mean(seen.mean(1, keepdim=True)).clamp(min=1e-6)
    gain = (1 - 1 / energy.clamp(min=torch.finfo(energy.dtype).tiny)).clamp(min=0)
    return gain * residual


def local_mean(x: Tensor) -> Tensor:
    """Maps (N, C, H, W) averaged over the window in which residual energy is measured."""
    # The edge is repeated: reflection would refuse frames smaller than the window.
    smoothed: Tensor = kornia.filters.gaussian_blur2d(
        x, (_WINDOW, _WINDOW), (_WINDOW_SIGMA, _WINDOW_SIGMA), border_type="replicate"
    )
    return smoothed
