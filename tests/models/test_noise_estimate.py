"""Measuring noise: how strong it is in each channel, whether it grows with the light, was clipped, or is correlated."""

import numpy as np
import pytest
from photographs import grainy, noisy, photograph
from skimage import data

from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping, estimate_noise


def cat_photograph():
    """A photograph as taken, not reduced, with hardly any noise of its own: (1, 3, 300, 451)."""
    return np.ascontiguousarray(data.chelsea().astype(np.float32).transpose(2, 0, 1) / 255)[None]


def gaussian(shape, seed=1):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def recorded(frames):
    """Clipped and rounded to 8 bits."""
    return (np.rint(np.clip(frames, 0, 1) * 255) / 255).astype(np.float32)


def sensor_noise(clean, gain, sigma_8bit):
    return recorded(clean + np.sqrt(gain * clean + (sigma_8bit / 255) ** 2) * gaussian(clean.shape))


@pytest.mark.parametrize("sigma_8bit", [2, 5, 10, 25, 50, 75])
def test_constant_noise_is_measured_within_10_percent_in_every_channel(sigma_8bit):
    """The promise for footage. At 75 much of the noise is cut off."""
    estimate = estimate_noise(noisy(cat_photograph(), sigma_8bit))
    assert estimate.kind == "constant"
    assert [255 * sigma for sigma in estimate.noise.sigmas()] == pytest.approx([sigma_8bit] * 3, rel=0.1)


@pytest.mark.parametrize(("gain", "sigma_8bit"), [(0.005, 10), (0.01, 3), (0.02, 10)])
def test_noise_that_grows_with_the_light_is_told_from_constant_noise_and_measured(gain, sigma_8bit):
    """Within 10 % over the grey levels that the picture has, where the noise matters."""
    clean = cat_photograph()
    estimate = estimate_noise(sensor_noise(clean, gain, sigma_8bit))
    assert estimate.kind == "poisson-gaussian"
    for channel in range(3):
        for level in np.quantile(clean[:, channel], (0.1, 0.5, 0.9)):
            truth = np.sqrt(gain * level + (sigma_8bit / 255) ** 2)
            assert estimate.noise.sigmas(float(level))[channel] == pytest.approx(truth, rel=0.1)


def test_channels_may_differ():
    sigmas = np.array([4, 8, 24], np.float32)
    clean = cat_photograph()
    frames = recorded(clean + sigmas[:, None, None] / 255 * gaussian(clean.shape))
    assert [255 * sigma for sigma in estimate_noise(frames).noise.sigmas()] == pytest.approx(sigmas, rel=0.1)


def test_bars_of_one_value_do_not_count_as_a_picture_without_noise():
    frames = np.pad(noisy(cat_photograph(), 10), ((0, 0), (0, 0), (40, 40), (0, 0)), constant_values=16 / 255)
    assert estimate_noise(frames).noise.sigma * 255 == pytest.approx(10, rel=0.1)


def test_independent_noise_is_not_called_correlated():
    assert not estimate_noise(noisy(cat_photograph(), 10)).is_correlated


@pytest.mark.parametrize("blur", [0.6, 1.0])
def test_noise_that_was_smoothed_is_called_correlated(blur):
    assert estimate_noise(grainy(cat_photograph(), 12, blur=blur)).is_correlated


def test_the_strength_of_smoothed_noise_is_more_than_that_of_its_finest_detail():
    """Within a quarter: low frequencies, which chose the blocks, have to be guessed from those next to them."""
    estimate = estimate_noise(grainy(cat_photograph(), 12, blur=0.6))
    assert estimate.noise.sigma * 255 == pytest.approx(12, rel=0.25)


def test_a_picture_of_one_value_has_the_noise_of_rounding_at_most():
    assert estimate_noise(np.full((2, 3, 32, 32), 0.5, np.float32)).noise == NoiseModel(0.0, 0.0)


def test_a_channel_of_one_value_is_given_the_noise_of_the_others():
    frames = noisy(cat_photograph(), 10)
    frames[:, 2] = 0
    assert estimate_noise(frames).noise.sigmas()[2] * 255 == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3), (5, 7), (8, 8), (9, 30)])
def test_frames_of_a_few_pixels_have_a_noise(size):
    estimate = estimate_noise(noisy(photograph(*size), 10)[None])
    assert np.isfinite(estimate.noise.sigmas()).all() and np.isfinite(estimate.correlation)


# --- clipping


def clean_with_shadows():
    return photograph(96, 128, top=0, left=20)[None]


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


def test_black_bars_are_not_clipped_noise():
    clean = 0.3 + 0.4 * clean_with_shadows()
    frames = (clean + 10 / 255 * gaussian(clean.shape)).astype(np.float32)
    frames = np.pad(frames, ((0, 0), (0, 0), (30, 30), (0, 0)))
    assert not detect_clipping(NoiseModel.from_sigma_8bit(10), frames).clipped


def scattered(shape, share):
    return np.random.default_rng(5).random(shape) < share


def crossed(shape):
    """Bars of 12 pixels across the picture, here and there."""
    missing = np.zeros(shape, bool)
    missing[:, 40:52], missing[:, :, 100:112] = True, True
    return missing


@pytest.mark.parametrize(
    "holes", [crossed, lambda shape: scattered(shape, 0.02), lambda shape: scattered(shape, 0.5)]
)
@pytest.mark.parametrize("sigma_8bit", [5, 25])
def test_what_is_missing_is_no_noise(sigma_8bit, holes):
    """Whatever stands in its place: here black and white in turns, on which half of the pixels cannot be measured."""
    frames = noisy(cat_photograph(), sigma_8bit)
    missing = holes((1, *frames.shape[2:]))
    spoilt = np.where(missing[:, None], gaussian(frames.shape) > 0, frames).astype(np.float32)
    estimate = estimate_noise(spoilt, missing)
    assert [255 * sigma for sigma in estimate.noise.sigmas()] == pytest.approx([sigma_8bit] * 3, rel=0.2)
    assert estimate.noise.clipped == estimate_noise(frames).noise.clipped


def test_of_which_hardly_a_pixel_is_known_has_no_noise():
    frames = noisy(cat_photograph(), 25)
    assert estimate_noise(frames, scattered((1, *frames.shape[2:]), 0.98)).noise.sigma == 0
