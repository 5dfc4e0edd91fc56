"""The noise model: what clipping does to noise, how strong it is, and whether it was clipped."""

import numpy as np
import pytest
import torch
from photographs import noisy, photograph
from skimage import data

from reelprior.models.noise import NoiseModel, detect_clipping, estimate_noise

LEVELS = torch.linspace(0, 1, 21, dtype=torch.float64)
DRAWS = 40_000


def drawn(noise):
    """Noisy samples of every grey level: (levels, draws), clipped if the model says so."""
    deviation = (noise.gain * LEVELS + noise.offset).sqrt()
    samples = torch.randn(len(LEVELS), DRAWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples = LEVELS[:, None] + deviation[:, None] * samples
    return samples.clamp(0, 1) if noise.clipped else samples


MODELS = [
    NoiseModel(0.0, 0.01, clipped=True),
    NoiseModel(0.04, 0.001, clipped=True),
    NoiseModel(0.0, 0.1, clipped=True),
    NoiseModel(0.02, 0.004),
]


@pytest.mark.parametrize("noise", MODELS, ids=str)
def test_the_mean_of_noisy_samples_is_as_expected(noise):
    # five standard errors of a mean of 40,000 draws
    tolerance = 5 * (noise.gain + noise.offset) ** 0.5 / DRAWS**0.5
    torch.testing.assert_close(noise.expected(LEVELS), drawn(noise).mean(1), atol=tolerance, rtol=0)


@pytest.mark.parametrize("noise", MODELS, ids=str)
def test_the_variance_of_noisy_samples_is_as_stated(noise):
    # a variance of 40,000 Gaussian draws has a relative standard error of 0.7 %, of clipped ones somewhat more
    torch.testing.assert_close(noise.variance(LEVELS), drawn(noise).var(1), atol=0, rtol=0.04)


def test_black_with_clipped_noise_looks_brighter_than_black():
    noise = NoiseModel(0.0, 0.01, clipped=True)
    # E[max(0, y)] of N(0, 0.1^2) is 0.1 / sqrt(2 pi)
    assert noise.expected(torch.zeros(1)).item() == pytest.approx(0.1 / (2 * np.pi) ** 0.5, rel=1e-5)


def test_noise_that_was_not_clipped_has_the_picture_as_its_mean():
    assert torch.equal(NoiseModel(0.01, 0.01).expected(LEVELS), LEVELS)


def test_a_picture_without_noise_has_a_variance_above_zero():
    """Weights are one over the variance: rounding to 8 bits, 1 / 12 of a squared grey level, is the least."""
    assert NoiseModel(0.0, 0.0).variance(LEVELS).min().item() == pytest.approx(1 / 12 / 255**2)


def test_expected_has_finite_gradients_at_black_and_white():
    ends = torch.tensor([0.0, 1.0], requires_grad=True)
    NoiseModel(0.01, 0.0, clipped=True).expected(ends).sum().backward()
    assert torch.isfinite(ends.grad).all()


def test_sigma_in_grey_levels_goes_in_and_out():
    noise = NoiseModel.from_sigma_8bit(25)
    assert noise.sigma * 255 == pytest.approx(25)
    assert noise.gain == 0


def cat_photograph():
    """A photograph as taken, not reduced: a reduced one has detail in the band in which noise is measured."""
    return np.ascontiguousarray(data.chelsea()[:256, 80:336].astype(np.float32).transpose(2, 0, 1) / 255)[
        None
    ]


@pytest.mark.parametrize("sigma_8bit", [10, 25, 50])
def test_noise_is_measured_within_15_percent(sigma_8bit):
    assert estimate_noise(noisy(cat_photograph(), sigma_8bit)).sigma * 255 == pytest.approx(
        sigma_8bit, rel=0.15
    )


def test_weak_noise_is_measured_together_with_the_grain_of_the_photograph():
    """The median of 8-bit differences comes in steps of 0.5 / 0.6745 = 0.74 grey levels: one step is allowed."""
    picture = cat_photograph()
    grain = estimate_noise(picture).sigma * 255
    measured = estimate_noise(noisy(picture, 5)).sigma * 255
    assert measured == pytest.approx((5**2 + grain**2) ** 0.5, abs=0.75)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3), (5, 7)])
def test_frames_of_a_few_pixels_have_a_noise(size):
    assert np.isfinite(estimate_noise(noisy(photograph(*size), 10)[None]).sigma)


# --- clipping


def clean_with_shadows():
    return photograph(96, 128, top=0, left=20)[None]


def gaussian(shape):
    return np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("sigma_8bit", [10, 25, 50])
def test_clipped_noise_in_the_shadows_is_recognised(sigma_8bit):
    frames = noisy(clean_with_shadows(), sigma_8bit)
    assert detect_clipping(NoiseModel.from_sigma_8bit(sigma_8bit), frames).clipped


@pytest.mark.parametrize("sigma_8bit", [10, 25, 50])
def test_noise_that_fades_towards_black_was_not_clipped(sigma_8bit):
    """Samples never reach the ends, which a constant noise would."""
    clean = 0.05 + 0.45 * clean_with_shadows()
    frames = clean * (1 + (sigma_8bit / 255) * gaussian(clean.shape))
    assert frames.min() > 0.003 and frames.max() < 0.997
    assert not detect_clipping(NoiseModel.from_sigma_8bit(sigma_8bit), frames.astype(np.float32)).clipped


@pytest.mark.parametrize("sigma_8bit", [5, 10, 20])
def test_noise_in_mid_greys_was_not_clipped(sigma_8bit):
    clean = 0.4 + 0.2 * clean_with_shadows()
    frames = (clean + sigma_8bit / 255 * gaussian(clean.shape)).astype(np.float32)
    assert frames.min() > 0 and frames.max() < 1
    assert not detect_clipping(NoiseModel.from_sigma_8bit(sigma_8bit), frames).clipped


def test_a_picture_without_noise_has_none_to_clip():
    assert detect_clipping(NoiseModel(0.0, 0.0), clean_with_shadows()) == NoiseModel(0.0, 0.0)
