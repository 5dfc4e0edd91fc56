"""The symptoms: what each reacts to, and what it is blind for."""

import math

import cv2
import numpy as np
import pytest

from reelprior.pipeline.blind import Flicker, amount_misfit, noise_left, repetition, structure_removed

SHAPE = (3, 96, 128)


def noise(sigma_8bit, seed=0):
    return np.random.default_rng(seed).normal(0, sigma_8bit / 255, SHAPE).astype(np.float32)


def blurred(frame, sigma):
    return cv2.GaussianBlur(frame.transpose(1, 2, 0), (0, 0), sigma).transpose(2, 0, 1)


@pytest.fixture
def picture():
    """Smooth waves and a few hard edges."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    waves = 0.5 + 0.15 * np.sin(x / 9) * np.cos(y / 7)
    waves[30:60, 40:80] += 0.2
    return np.stack([waves] * 3).astype(np.float32)


def test_white_noise_is_measured_within_five_percent(picture):
    """The estimator's own spread at 3 x 3072 coefficients is about 1 %; the edges add a little."""
    assert noise_left(picture + noise(12)) == pytest.approx(12, rel=0.05)
    assert noise_left(picture) < 0.3


def test_a_single_pixel_has_no_noise_that_could_be_measured():
    assert math.isnan(noise_left(np.zeros((3, 1, 1), np.float32)))


def test_removing_white_noise_removes_no_structure(picture):
    """The sampling error is 7 / sqrt(3 * 96 * 128) = 0.036; twice that is allowed."""
    assert structure_removed(picture + noise(10), picture) < 0.072


@pytest.mark.parametrize("sigma", [0.7, 1.2, 3.0])
def test_a_blur_of_any_width_removes_structure(picture, sigma):
    noisy = picture + noise(10)
    assert structure_removed(noisy, blurred(noisy, sigma)) > 0.2


def test_structure_is_undefined_where_nothing_was_removed_or_the_picture_is_tiny(picture):
    assert math.isnan(structure_removed(picture, picture))
    assert math.isnan(structure_removed(picture[:, :6], picture[:, :6] * 0.5))


def test_noise_does_not_repeat_and_picture_that_stands_still_does(picture):
    """Correlations of 36864 independent values are within 0.02."""
    assert repetition(noise(10, 1), noise(10, 2)) < 0.02
    residuals = [picture + noise(10, seed) - blurred(picture + noise(10, seed), 2) for seed in (1, 2)]
    assert repetition(*residuals) > 0.1
    assert math.isnan(repetition(np.zeros_like(picture), noise(1)))


def test_too_little_and_too_much_are_a_misfit(picture):
    """White noise of 10 removed whole, by half, and with 10 more: 0, 5 and 4.1 (root of 2 times 10, less 10)."""
    noisy = picture + noise(10, 1)
    assert amount_misfit(noisy, picture) == pytest.approx(0.0, abs=0.4)
    assert amount_misfit(noisy, (noisy + picture) / 2) == pytest.approx(5.0, abs=0.4)
    assert amount_misfit(noisy, picture + noise(10, 2)) == pytest.approx(4.1, abs=0.4)


def test_what_fades_evenly_does_not_flicker(picture):
    flicker = Flicker()
    values = [flicker.add(picture * np.float32(1 - 0.01 * t)) for t in range(5)]
    assert values[:2] == [None, None]
    assert values[2:] == pytest.approx([0.0] * 3, abs=1e-4)  # float32 rounding of 0.5


def test_a_pulsing_brightness_flickers_by_its_swing(picture):
    flicker = Flicker()
    values = [flicker.add(picture + np.float32((t % 2) * 10 / 255)) for t in range(4)]
    assert values[2:] == pytest.approx([10.0, 10.0], abs=1e-3)


def test_a_new_scene_begins_anew(picture):
    flicker = Flicker()
    for _ in range(3):
        flicker.add(picture)
    assert flicker.add(1 - picture, new_scene=True) is None
    assert flicker.add(1 - picture) is None
    assert flicker.add(1 - picture) == 0.0
