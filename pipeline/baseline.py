"""The cheap filter that every result is put beside: what classical filtering makes of the same frame at once.

Holes are filled from their surroundings (Telea 2004) and noise is reduced by non-local means (Buades et al. 2005),
frame by frame, both OpenCV's. A restoration that takes hours has to show more than that, or its report says so.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reelprior.models.noise import NoiseModel
from reelprior.models.spatial import fill_holes, quick_denoise
from reelprior.pipeline.job import Job

__all__ = ["NAME", "cheap_filter"]

#: For people, in a sentence.
NAME = "OpenCV's non-local means with the same noise level; holes filled from their surroundings"


def cheap_filter(
    job: Job, noise: NoiseModel
) -> Callable[[NDArray[np.float32], NDArray[np.bool_] | None], NDArray[np.float32]]:
    """The filter for a job: frame (3, H, W) in [0, 1] and missing pixels (H, W) -> (3, H, W) in [0, 1]."""

    def apply(frame: NDArray[np.float32], missing: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        filled = fill_holes(frame, missing)
        return filled if job.restores_only_the_mask else quick_denoise(filled, sigma=noise.sigma)

    return apply
