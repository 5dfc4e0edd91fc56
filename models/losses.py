"""The two terms of the energy: fidelity to the observations and consistency along the flow."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation

__all__ = ["consistency_term", "data_term", "expected_data_term"]

#: Charbonnier's scale: residuals well below this (two grey levels) count by their square, larger ones linearly.
_CHARBONNIER_SCALE = 2 / 255


def data_term(latent: Tensor, observations: Sequence[Observation], noise: NoiseModel) -> Tensor:
    """Precision-weighted squared error, per unit of weight.

    sum_k sum w_k (E[A_k x + noise] - y_k)^2 / sum_k sum w_k, averaged over channels: at the truth it is near the
    variance of the noise, whatever the units of the weights.

    Parameters
    ----------
    latent
        x, (1, 3, H, W).
    observations
        y_k with weights and operators.
    noise
        Gives the mean of a noisy sample, which differs from the clean one where noise was clipped.
    """
    error = torch.zeros((), device=latent.device)
    weights = torch.zeros((), device=latent.device)
    for observation in observations:
        residual = noise.expected(observation.operator(latent)) - observation.image
        error = error + (observation.weight * residual.square()).mean()
        weights = weights + observation.weight.mean()
    return error / weights


def expected_data_term(observations: Sequence[Observation]) -> float:
    """What `data_term` is at the truth: sum_k sum w_k var_k / sum_k sum w_k."""
    error = sum(float((observation.weight * observation.variance).mean()) for observation in observations)
    return error / sum(float(observation.weight.mean()) for observation in observations)


def consistency_term(latent: Tensor, reference: Tensor, visible: Tensor) -> Tensor:
    """Charbonnier distance to the motion-compensated result of another frame, where that frame shows the same.

    rho(d) = s (sqrt((d / s)^2 + 1) - 1), s two grey levels.

    Parameters
    ----------
    latent, reference
        (1, 3, H, W); the reference is constant (no gradient reaches the frame it came from).
    visible
        (1, 1, H, W) in [0, 1].
    """
    scaled = (latent - reference.detach()) / _CHARBONNIER_SCALE
    return _CHARBONNIER_SCALE * (visible * (torch.sqrt(scaled.square() + 1) - 1)).mean()
