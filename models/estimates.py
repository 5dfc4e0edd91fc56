"""Estimates of one picture, and the best mixture of them as pixels tell that none of them has seen.

Filters err differently from a fitted generator: their mean is better than any of them. How much of each is decided by
the hidden pixels, whose noise is independent of every estimate, so that no ground truth is needed.
"""

from collections.abc import Sequence
from itertools import combinations

import cv2
import kornia
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.noise import NoiseModel

__all__ = ["fill_hidden", "guided_estimate", "mixture_weights", "unbiased"]

#: Points of the table by which the mean of clipped samples is turned back into the clean value.
_TABLE = 1024


def fill_hidden(
    picture: NDArray[np.float32], hidden: NDArray[np.float32], *, sigma_px: float
) -> NDArray[np.float32]:
    """The picture with its hidden pixels replaced by a Gaussian mean of the others around them.

    Parameters
    ----------
    picture
        (3, H, W).
    hidden
        (H, W), 1 at the hidden pixels.
    sigma_px
        Of the Gaussian; about half the side of the hidden blocks.
    """
    seen = 1 - hidden
    share = cv2.GaussianBlur(seen, (0, 0), sigma_px)
    mean = np.stack([cv2.GaussianBlur(channel * seen, (0, 0), sigma_px) for channel in picture])
    return np.where(hidden > 0, mean / np.maximum(share, 1e-6), picture).astype(np.float32)


def guided_estimate(noisy: Tensor, guide: Tensor, *, radius: int, flatness: float) -> Tensor:
    """Guided filter with a colour guide (He et al., ECCV 2010; Kornia).

    Parameters
    ----------
    noisy, guide
        (1, 3, H, W).
    radius
        Of the window, in pixels.
    flatness
        Variance of the guide below which a window counts as flat (the paper's epsilon).
    """
    # A window must fit into the reflected picture.
    radius = min(radius, min(noisy.shape[-2:]) - 1)
    filtered: Tensor = kornia.filters.guided_blur(guide, noisy, 2 * radius + 1, flatness)
    return filtered


def unbiased(mean: Tensor, noise: NoiseModel) -> Tensor:
    """The clean picture whose noisy samples have this local mean: `NoiseModel.expected` turned round, in [0, 1]."""
    if not noise.clipped:
        return mean.clamp(0, 1)
    clean = torch.linspace(0, 1, _TABLE)
    expected = noise.expected(clean.expand(1, 3, 1, _TABLE))[0, :, 0]
    channels = [
        np.interp(channel, table, clean.numpy())
        for channel, table in zip(mean[0].cpu().numpy(), expected.numpy(), strict=True)
    ]
    return torch.from_numpy(np.stack(channels).astype(np.float32))[None].to(mean.device)


def mixture_weights(estimates: Sequence[Tensor], observed: Tensor, noise: NoiseModel) -> NDArray[np.float64]:
    """The weights, none below 0 and 1 in all, with the least error at the hidden pixels.

    The error is counted in units of the noise's variance. Every subset is solved with its weights adding up to one; the
    best without a negative weight wins.

    Parameters
    ----------
    estimates
        (C, N) each, at the hidden pixels; a handful.
    observed
        (C, N): what was captured there.
    noise
        Of the captured samples.

    Returns
    -------
    NDArray[np.float64]
        One weight per estimate.
    """
    middle = torch.stack(list(estimates)).mean(0).clamp(0, 1)
    # As (1, C, 1, N), so that the noise of the channels may differ.
    scale = noise.variance(middle[None, :, None]).sqrt()[0, :, 0]
    target = (observed / scale).flatten().double().cpu().numpy()
    columns = np.stack(
        [
            (noise.expected(estimate[None, :, None])[0, :, 0] / scale).flatten().double().cpu().numpy()
            for estimate in estimates
        ],
        axis=1,
    )
    residuals = columns - target[:, None]
    gram = residuals.T @ residuals / max(1, len(target))
    best: NDArray[np.float64] = np.eye(len(estimates))[0]
    for size in range(1, len(estimates) + 1):
        for chosen in combinations(range(len(estimates)), size):
            weights = _least(gram, chosen)
            if weights.min() >= 0 and weights @ gram @ weights < best @ gram @ best:
                best = weights
    return best


def _least(gram: NDArray[np.float64], chosen: tuple[int, ...]) -> NDArray[np.float64]:
    """Minimum of w' G w with sum w = 1, w = 0 outside the chosen: w is proportional to the inverse of G times ones."""
    part = gram[np.ix_(chosen, chosen)]
    part = part + 1e-6 * np.trace(part) * np.eye(len(chosen))
    solution = np.linalg.solve(part, np.ones(len(chosen)))
    weights: NDArray[np.float64] = np.zeros(len(gram))
    weights[list(chosen)] = solution / solution.sum()
    return weights
