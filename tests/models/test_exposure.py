import cv2
import numpy as np
import pytest
from photographs import photograph

from reelprior.models import exposure
from reelprior.models.exposure import expose, measure_beside, relative_noise
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import estimate_noise


def test_a_dark_shot_is_brought_to_a_working_exposure_with_its_noise():
    dark = photograph(96, 96) / 20
    noisy = (dark + np.random.default_rng(0).normal(0, 0.004, dark.shape)).astype(np.float32)
    exposed = expose(noisy)
    assert 10 < exposed.factor < 25
    np.testing.assert_allclose(exposed.pixels, noisy * exposed.factor, rtol=1e-6)
    # The median of the finest details sees some texture, too.
    assert exposed.noise.sigma == pytest.approx(0.004 * exposed.factor, rel=0.3)
    assert exposed.grain_px == 1


def test_a_given_noise_is_scaled_with_the_picture():
    exposed = expose(photograph(48, 48) / 10, noise=NoiseModel.from_sigma_8bit(2))
    assert exposed.noise.sigma == pytest.approx(2 / 255 * exposed.factor, rel=1e-5)


def test_grain_of_two_pixels_is_found():
    small = np.random.default_rng(0).normal(0, 0.1, (3, 96, 96))
    noise = small.repeat(2, axis=1).repeat(2, axis=2)
    noise += np.random.default_rng(1).normal(0, 0.02, noise.shape)
    assert expose(np.clip(0.5 + noise, 0, 1).astype(np.float32)).grain_px >= 2


def test_relative_noise_does_not_depend_on_the_exposure():
    picture = photograph(64, 64)
    noisy = (picture + np.random.default_rng(0).normal(0, 0.05, picture.shape)).clip(0, 1).astype(np.float32)
    bright, dark = (relative_noise(expose(noisy * factor)) for factor in (np.float32(1), np.float32(0.1)))
    # Clipping at white, which the dark one does not have, changes the estimate a little.
    assert dark == pytest.approx(bright, rel=0.15)


def test_texture_that_both_shots_show_is_no_noise():
    woven = cloth(128, 128)
    lit = (0.3 + 0.5 * woven).astype(np.float32)
    noisy = (woven + np.random.default_rng(0).normal(0, 0.02, woven.shape)).clip(0, 1).astype(np.float32)
    alone = expose(noisy)
    beside = measure_beside(alone, lit)
    assert alone.noise.sigma > 2 * 0.02 * alone.factor  # the texture is taken for noise
    # A tenth for the little noise that the guided filter takes along and the texture that it leaves.
    assert beside.noise.sigma == pytest.approx(0.02 * alone.factor, rel=0.1)
    assert beside.grain_px == 1


def test_another_shot_without_anything_in_common_changes_no_measurement():
    noisy = photograph(96, 96)
    noisy = (noisy + np.random.default_rng(0).normal(0, 0.05, noisy.shape)).clip(0, 1).astype(np.float32)
    exposed = expose(noisy)
    assert measure_beside(exposed, np.full_like(noisy, 0.5)) is exposed


def test_a_large_photograph_is_measured_on_a_part_of_it(monkeypatch):
    woven = cloth(600, 64)
    noisy = (woven + np.random.default_rng(0).normal(0, 0.02, woven.shape)).clip(0, 1).astype(np.float32)
    whole = measure_beside(expose(noisy), woven.astype(np.float32))
    looked_at = []
    monkeypatch.setattr(exposure, "_MOST_PIXELS", 20_000)
    monkeypatch.setattr(exposure, "estimate_noise", lambda f: looked_at.append(f.size) or estimate_noise(f))
    part = measure_beside(expose(noisy), woven.astype(np.float32))
    assert max(looked_at) <= 3 * 20_000
    assert part.noise.sigma == pytest.approx(whole.noise.sigma, rel=0.1)


def cloth(height, width):
    """(3, H, W): irregular threads, a few pixels wide, all over the picture."""
    threads = np.random.default_rng(5).normal(0, 1, (height, width))
    threads = cv2.GaussianBlur(threads, (0, 0), 0.7)
    return np.stack([level + 0.1 * threads / threads.std() for level in (0.6, 0.5, 0.4)]).clip(0, 1)
