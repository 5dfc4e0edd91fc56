"""Structure in the residual comes back, noise does not."""

import pytest
import torch
from photographs import photograph
from torch.nn import functional

from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.residual import add_back_structure

VARIANCE = 0.002
NOISE = NoiseModel(0.0, VARIANCE)


def observed(clean, *, known=None, seed=0):
    random = torch.Generator().manual_seed(seed)
    size = (1, 1, *clean.shape[2:])
    return Observation(
        clean + VARIANCE**0.5 * torch.randn(clean.shape, generator=random),
        torch.ones(size) if known is None else known,
        torch.full(size, VARIANCE),
    )


def error(pixels, clean):
    return (pixels - clean).square().mean().item()


def test_of_pure_noise_almost_nothing_is_added():
    clean = torch.full((1, 3, 96, 96), 0.5)
    added = error(add_back_structure(clean, observed(clean), NOISE), clean)
    # the energy is measured over some 50 pixels x 3 channels: it exceeds its mean by a tenth here and there
    assert added < 0.02 * VARIANCE


def test_structure_that_the_fit_missed_comes_back():
    clean = torch.from_numpy(photograph(96, 128))[None]
    missed = functional.avg_pool2d(clean, 7, 1, 3, count_include_pad=False)
    seen = observed(clean)
    restored = add_back_structure(missed, seen, NOISE)
    assert error(restored, clean) < 0.5 * error(missed, clean)
    assert error(restored, clean) < error(seen.image, clean)


def test_where_nothing_was_observed_the_fit_stays_as_it_is():
    clean = torch.from_numpy(photograph(48, 64))[None]
    known = torch.ones(1, 1, 48, 64)
    known[..., 10:20, 20:40] = 0
    fit = torch.full_like(clean, 0.4)
    restored = add_back_structure(fit, observed(clean, known=known), NOISE)
    assert torch.equal(restored[..., 10:20, 20:40], fit[..., 10:20, 20:40])
    assert not torch.equal(restored[..., 30:, :], fit[..., 30:, :])


def test_a_picture_that_is_not_observed_at_all_stays_as_it_is():
    fit = torch.from_numpy(photograph(16, 16))[None]
    seen = observed(torch.zeros_like(fit), known=torch.zeros(1, 1, 16, 16))
    assert torch.equal(add_back_structure(fit, seen, NOISE), fit)


def test_the_veil_of_clipped_noise_is_not_taken_for_structure():
    noise = NoiseModel(0.0, 0.01, clipped=True)
    black = torch.zeros(1, 3, 64, 64)
    image = (0.1 * torch.randn(black.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    seen = Observation(image, torch.ones(1, 1, 64, 64), noise.variance(black[:, :1]))
    # comparing with black itself would add the mean of the veil, 0.04
    assert add_back_structure(black, seen, noise).mean() < 0.004


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (1, 40)])
def test_frames_smaller_than_the_window_work(size):
    clean = torch.from_numpy(photograph(*size))[None]
    restored = add_back_structure(torch.full_like(clean, 0.4), observed(clean), NOISE)
    assert restored.shape == clean.shape
    assert restored.min() >= 0 and restored.max() <= 1
