"""The noise model: its variance and mean, what clipping does to them, and channels that differ."""

import numpy as np
import pytest
import torch

from reelprior.models.noise import NoiseModel

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


@pytest.mark.parametrize("gain", [0.0, 0.02, (0.0, 0.01, 0.03)])
def test_the_gradient_of_the_expected_sample_is_that_of_its_differences(gain):
    noise = NoiseModel(gain, 0.002, clipped=True)
    clean = torch.linspace(0, 1, 36, dtype=torch.float64).reshape(1, 3, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(noise.expected, clean, eps=1e-6, atol=1e-6)


def test_sigma_in_grey_levels_goes_in_and_out():
    noise = NoiseModel.from_sigma_8bit(25)
    assert noise.sigma * 255 == pytest.approx(25)
    assert noise.gain == 0


# --- channels that differ

SENSOR = NoiseModel((0.01, 0.02, 0.03), (0.001, 0.002, 0.003), clipped=True)


def test_each_channel_has_the_variance_and_mean_of_its_own_numbers():
    clean = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    for channel, (gain, offset) in enumerate(zip(SENSOR.gain, SENSOR.offset, strict=True)):
        alone = NoiseModel(gain, offset, clipped=True)
        of_channel = clean[:, channel]
        torch.testing.assert_close(SENSOR.variance(clean)[:, channel], alone.variance(of_channel))
        torch.testing.assert_close(SENSOR.expected(clean)[:, channel], alone.expected(of_channel))


def test_sigma_is_the_root_mean_square_of_the_channels_at_mid_grey():
    # 0.5 * 0.02 + 0.002 is the mean variance
    assert SENSOR.sigma == pytest.approx(0.012**0.5)
    assert SENSOR.sigmas(0.0) == pytest.approx((0.001**0.5, 0.002**0.5, 0.003**0.5))


def test_the_balance_tells_how_much_of_the_noise_each_channel_has():
    # variances at mid-grey 0.006, 0.012, 0.018
    assert SENSOR.balance == pytest.approx((0.5, 1.0, 1.5))
    assert NoiseModel(0.01, 0.002).balance == NoiseModel(0.0, 0.0).balance == (1.0, 1.0, 1.0)


def test_lists_as_json_gives_them_make_the_same_model():
    assert NoiseModel(list(SENSOR.gain), list(SENSOR.offset), clipped=True) == SENSOR


def test_noise_that_falls_with_the_light_never_has_a_variance_below_that_of_rounding():
    noise = NoiseModel(-0.02, 0.01)
    assert noise.variance(LEVELS).min().item() == pytest.approx(1 / 12 / 255**2)


def test_white_noise_has_no_spectrum():
    assert NoiseModel.from_sigma_8bit(5).spectrum_of(8, torch.device("cpu")) is None


@pytest.mark.parametrize("patch", [2, 4, 8, 12, 16])
def test_a_spectrum_is_told_for_patches_of_any_size(patch):
    """The frequencies of its rows and columns stay what they are, and so does what each channel has of the noise."""
    known = np.outer(np.linspace(2, 0.1, 8), np.linspace(1, 0.5, 8))
    known /= known.mean()
    shares = np.array([2.4, 0.4, 0.2])
    noise = NoiseModel(0.0, 1e-3, spectrum=tuple(map(float, np.multiply.outer(shares, known).ravel())))
    power = noise.spectrum_of(patch, torch.device("cpu"))
    assert power.mean(1).numpy() == pytest.approx(shares, rel=1e-4)
    down, across = np.meshgrid(np.arange(patch) * 8 / patch, np.arange(patch) * 8 / patch, indexing="ij")
    wanted = np.interp(down, range(8), np.linspace(2, 0.1, 8)) * np.interp(
        across, range(8), np.linspace(1, 0.5, 8)
    )
    for share, of_channel in zip(shares, power.reshape(3, patch, patch), strict=True):
        np.testing.assert_allclose(of_channel, share * wanted / wanted.mean(), rtol=1e-4)


def test_along_rows_only_the_frequencies_across_count():
    down, across = np.linspace(2, 0.5, 8), np.linspace(1.5, 0.1, 8)
    of_channel = np.outer(down, across)
    noise = NoiseModel(0.0, 1e-3, spectrum=tuple(map(float, np.stack([of_channel] * 3).ravel())))
    of_rows = np.reshape(noise.along_rows().spectrum, (3, 8, 8))
    np.testing.assert_allclose(of_rows, np.tile(across * down.mean(), (3, 8, 1)), rtol=1e-5)
    assert NoiseModel(0.0, 1e-3).along_rows().spectrum is None


@pytest.mark.parametrize("spectrum", [None, tuple(np.linspace(1.8, 0.2, 192))])
def test_the_noise_of_grey_footage_is_luminance(spectrum):
    noise = NoiseModel(0.0, 1e-3, spectrum=spectrum)
    grey = noise.of_grey()
    assert grey.sigma == noise.sigma
    powers = np.reshape(grey.spectrum, (3, 64)).mean(1)
    assert powers == pytest.approx([3, 0, 0])
    assert grey.of_grey().spectrum == pytest.approx(grey.spectrum)
    of_patches = grey.spectrum_of(4, torch.device("cpu"))
    assert of_patches.mean(1).numpy() == pytest.approx([3, 0, 0])
