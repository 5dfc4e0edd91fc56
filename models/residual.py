"""Structure that the generator left in the residual, added back: nearly free, and never fooled by noise it knows of."""

import kornia
import torch
from torch import Tensor

from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation

__all__ = ["add_back_structure"]

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
    seen = (fused.weight > 0).to(latent.dtype)
    residual = (fused.image - noise.expected(latent)) * seen
    energy = _local_mean((residual.square() / fused.variance).mean(1, keepdim=True))
    energy = energy / _local_mean(seen.mean(1, keepdim=True)).clamp(min=1e-6)
    gain = (1 - 1 / energy.clamp(min=torch.finfo(energy.dtype).tiny)).clamp(min=0)
    return (latent + gain * residual).clamp(0, 1)


def _local_mean(x: Tensor) -> Tensor:
    # The edge is repeated: reflection would refuse frames smaller than the window.
    smoothed: Tensor = kornia.filters.gaussian_blur2d(
        x, (_WINDOW, _WINDOW), (_WINDOW_SIGMA, _WINDOW_SIGMA), border_type="replicate"
    )
    return smoothed
