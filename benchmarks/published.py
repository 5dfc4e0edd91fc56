"""Super-resolution as published (Ulyanov et al. 2017): one picture, a network fitted through the reduction.

Five scales of 128 channels with skips of 4 at the full resolution, a code of 32 channels with noise of 0.03, squared
error after reduction by Lanczos' kernel of two lobes, Adam at 0.01; the last of 2000 iterations for a factor of 4.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.operators import Downsample
from reelprior.pipeline.presets import load_settings

__all__ = ["enlarge_as_published"]

_ITERATIONS = 2000
_SETTINGS = ("fit.average=0", "fit.code_noise=0.03", "fit.learning_rate=0.01")
#: Of the samples, which are taken to have no noise: any will do, as they all count the same.
_VARIANCE = 1.0


def enlarge_as_published(small: NDArray[np.uint8], factor: int) -> tuple[NDArray[np.uint8], float]:
    """A picture (H, W, 3) uint8 enlarged by ``factor``, and the seconds that it took."""
    settings = load_settings("reference", overrides=(f"fit.iterations={_ITERATIONS}", *_SETTINGS))
    compute = Compute(settings.compute)
    image = compute.tensor(
        np.ascontiguousarray(small.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(255)
    )
    same = torch.full_like(image[:, :1], _VARIANCE)
    observation = Observation(image, same, same, Downsample(factor))
    size = (small.shape[0] * factor, small.shape[1] * factor)
    prior = Prior(settings, compute, size=size, guide_channels=0, seed=settings.seed)
    started = time.perf_counter()
    latent = fit(
        prior,
        Problem((observation,), None, NoiseModel.from_sigma_8bit(0), observation),
        iterations=_ITERATIONS,
        learning_rate=settings.fit.learning_rate,
        to_the_end=True,
        on_iteration=lambda done, loss: None,
    )
    seconds = time.perf_counter() - started
    picture = (255 * latent[0].clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return picture, seconds
