"""What flash pairs are compared with: classical filters, each at the setting that is best for it, and networks.

Pictures are (3, H, W) float32 in [0, 1]; the flash shot is on the ambient shot's grid.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.device import Compute
from reelprior.models.estimates import guided_estimate
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.settings import ComputeSettings
from reelprior.pipeline.presets import load_settings

__all__ = ["FILTERS", "NOTEBOOK_ITERATIONS", "bm3d_available", "notebook"]

Picture = NDArray[np.float32]
Filter = Callable[[Picture, Picture, NDArray[np.bool_], float], Picture]

NOTEBOOK_ITERATIONS = 601
#: At most, of the network that does not see the flash shot; hidden pixels end it earlier.
_ALONE_ITERATIONS = 600
#: Detail is divided by this much more than its base (Petschnigg et al. 2004, eq. 6).
_DETAIL_FLOOR = 0.02


def _nlm(strength: float) -> Filter:
    def run(noisy: Picture, _flash: Picture, _mask: NDArray[np.bool_], _sigma: float) -> Picture:
        samples = np.clip(np.rint(noisy[::-1].transpose(1, 2, 0) * 255), 0, 255).astype(np.uint8)
        done = cv2.fastNlMeansDenoisingColored(np.ascontiguousarray(samples), None, strength, strength, 7, 21)
        return done[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255)

    return run


def _guided(radius: int, flatness: float) -> Filter:
    def run(noisy: Picture, flash: Picture, _mask: NDArray[np.bool_], _sigma: float) -> Picture:
        pictures = (torch.from_numpy(np.ascontiguousarray(p))[None] for p in (noisy, flash))
        return guided_estimate(*pictures, radius=radius, flatness=flatness)[0].numpy()

    return run


def _petschnigg(reach: float, contrast: float) -> Filter:
    """Joint bilateral filter, detail transfer, and the mask of shadows and highlights, which is the true one here."""

    def run(noisy: Picture, flash: Picture, mask: NDArray[np.bool_], sigma: float) -> Picture:
        joint = _bilateral(noisy, flash, reach, contrast)
        base = _bilateral(noisy, noisy, reach, 3 * sigma)
        detail = (flash + _DETAIL_FLOOR) / (_bilateral(flash, flash, reach, contrast) + _DETAIL_FLOOR)
        share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
        return ((1 - share) * joint * detail + share * base).astype(np.float32)

    return run


def _bilateral(picture: Picture, guide: Picture, reach: float, contrast: float) -> Picture:
    radius = int(np.ceil(2 * reach))
    pad = ((0, 0), (radius, radius), (radius, radius))
    pictures, guides = (np.pad(p, pad, mode="reflect") for p in (picture, guide))
    height, width = picture.shape[1:]
    total, weights = np.zeros_like(picture), np.zeros((height, width), np.float32)
    for dy in range(2 * radius + 1):
        for dx in range(2 * radius + 1):
            place = (slice(None), slice(dy, dy + height), slice(dx, dx + width))
            distance = ((dy - radius) ** 2 + (dx - radius) ** 2) / (2 * reach**2)
            difference = ((guides[place] - guide) ** 2).sum(0) / (2 * contrast**2)
            weight = np.exp(-distance - difference)
            total += weight * pictures[place]
            weights += weight
    return total / weights


def bm3d_available() -> bool:
    """Whether the package bm3d (for non-commercial use; no dependency of ours) is installed."""
    return find_spec("bm3d") is not None


def _bm3d(factor: float) -> Filter:
    def run(noisy: Picture, _flash: Picture, _mask: NDArray[np.bool_], sigma: float) -> Picture:
        import bm3d

        done = bm3d.bm3d_rgb(noisy.transpose(1, 2, 0).astype(np.float64), factor * sigma)
        return np.asarray(done, np.float32).transpose(2, 0, 1)

    return run


def _alone(noisy: Picture, _flash: Picture, _mask: NDArray[np.bool_], sigma: float) -> Picture:
    """Deep Image Prior on the ambient shot by itself: our network and stopping rule, told the noise, and no guide."""
    settings = load_settings("flash")
    noise = NoiseModel(0.0, sigma**2, clipped=True)
    image = torch.from_numpy(np.ascontiguousarray(noisy))[None]
    prior = Prior(
        settings, Compute(settings.compute), size=(noisy.shape[1], noisy.shape[2]), guide_channels=0, seed=0
    )
    hidden = prior.hidden_pixels(settings.stopping.held_out)
    one = torch.ones_like(hidden)
    seen = Observation(image, one / sigma**2, one * sigma**2)
    fitted = fit(
        prior,
        Problem((seen,), None, noise, seen, hidden=hidden),
        iterations=_ALONE_ITERATIONS,
        learning_rate=settings.fit.learning_rate,
        on_iteration=lambda _done, _loss: None,
    )
    return fitted[0].cpu().numpy()


#: Every filter at several settings; the benchmark takes, at each level of noise, the one with the best mean PSNR.
FILTERS: Mapping[str, Mapping[str, Filter]] = {
    "OpenCV NLM": {f"h {h}": _nlm(h) for h in (8, 14, 20, 30)},
    "guided filter": {f"r {r}": _guided(r, 1e-3) for r in (2, 4, 7)},
    "joint bilateral, detail, mask": {
        f"{d}, {c}": _petschnigg(d, c) for d in (2.0, 4.0) for c in (0.05, 0.1)
    },
    "DIP without flash": {"": _alone},
    **({"BM3D": {f"{f} sigma": _bm3d(f) for f in (1.0,)}} if bm3d_available() else {}),
}


def notebook(noisy: Picture, flash: Picture, *, iterations: int) -> Picture:
    """The published settings for pairs: 128x5 / 4, the flash shot as the only input, Adam at 0.1, the last iterate."""
    settings = load_settings(
        "reference",
        overrides=("fit.code_noise=0", "network.code_channels=1", "network.code_scale=1e-6", "fit.average=0"),
    )
    noise = NoiseModel.from_sigma_8bit(1)
    image, guide = (torch.from_numpy(np.ascontiguousarray(p))[None] for p in (noisy, flash))
    one = torch.ones(1, 1, *noisy.shape[1:])
    observation = Observation(image, one, one)
    prior = Prior(settings, Compute(ComputeSettings()), size=noisy.shape[1:], guide_channels=3, seed=0)
    problem = Problem((observation,), guide, noise, observation)
    fitted = fit(
        prior, problem, iterations=iterations, learning_rate=0.1, on_iteration=lambda _done, _loss: None
    )
    return fitted[0].cpu().numpy()
