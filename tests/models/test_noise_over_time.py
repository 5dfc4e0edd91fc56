"""Correlated noise, by what changes from frame to frame: its strength and its spectrum."""

import numpy as np
import pytest
from photographs import grainy, noisy, panned, photograph

from reelprior.models.noise_estimate import estimate_noise
from reelprior.models.noise_over_time import measure_over_time


@pytest.fixture(scope="module")
def clean():
    return panned(6, 144, 160)


def measured(frames, *, is_coded=False):
    pairs = np.stack([frames[:-1], frames[1:]], axis=1)
    return measure_over_time(pairs, estimate_noise(frames), is_coded=is_coded)


def sigmas_8bit(estimate):
    return [255 * sigma for sigma in estimate.noise.sigmas()]


@pytest.mark.parametrize("blur", [0.5, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("sigma_8bit", [4, 12])
def test_correlated_noise_is_measured_in_a_moving_scene(clean, sigma_8bit, blur):
    """Within a seventh; of the strongest blur single frames show a third."""
    frames = grainy(clean, sigma_8bit, blur=blur)
    assert sigmas_8bit(measured(frames)) == pytest.approx([sigma_8bit] * 3, rel=0.14)


def test_the_spectrum_is_that_of_the_noise(clean):
    """A Gaussian of s pixels passes exp(-(2 pi f s)^2) of the power at f periods a pixel, in both directions."""
    of_channels = np.reshape(measured(grainy(clean, 12, blur=0.7)).noise.spectrum, (3, 8, 8))
    assert (of_channels == of_channels[0]).all(), "red, green and blue have noise of their own"
    spectrum = of_channels[0]
    frequency = np.arange(8) / 16
    along = np.exp(-np.square(2 * np.pi * frequency * 0.7))
    wanted = np.outer(along, along)
    assert spectrum.mean() == pytest.approx(1, abs=0.01)
    # Of all but the lowest frequencies, where blocks show what lies between them.
    assert spectrum[1:5, 1:5] == pytest.approx((wanted / wanted.mean())[1:5, 1:5], rel=0.3)


def test_noise_that_colours_have_little_of_is_told_from_such_that_they_have(clean):
    """As after 4:2:0: red, green and blue are alike in most of their noise."""
    own, common = grainy(clean, 4, blur=0.7) - clean, grainy(clean[:, :1], 12, blur=0.7) - clean[:, :1]
    powers = np.reshape(measured((clean + own + common).astype(np.float32)).noise.spectrum, (3, 64)).mean(1)
    # Of luminance 3 * 12^2 + 4^2, of both others 4^2.
    assert powers == pytest.approx(np.array([448, 16, 16]) / 160, abs=0.1)


@pytest.mark.parametrize("sigma_8bit", [2, 10, 40])
def test_white_noise_is_left_to_single_frames(clean, sigma_8bit):
    frames = noisy(clean, sigma_8bit)
    assert measured(frames) == estimate_noise(frames)


def test_of_coded_frames_no_noise_is_taken_for_white(clean):
    """A codec's errors look white in flat blocks, and are stronger than these show."""
    frames = noisy(clean, 6)
    assert measured(frames).noise.spectrum is None
    assert measured(frames, is_coded=True).noise.spectrum is not None
    assert sigmas_8bit(measured(frames, is_coded=True)) == pytest.approx([6] * 3, rel=0.1)


def test_noise_that_grows_with_the_light_goes_on_growing(clean):
    light = 0.5 + clean  # the square of the deviation, up to a factor
    frames = clean + (grainy(np.full_like(clean, 0.5), 10, blur=0.7) - 0.5) * np.sqrt(light)
    frames = frames.astype(np.float32)
    estimate, over_time = estimate_noise(frames), measured(frames)
    assert over_time.kind == estimate.kind
    assert 255 * over_time.noise.sigma == pytest.approx(10, rel=0.15)


def test_flicker_is_no_noise(clean):
    frames = grainy(clean, 8, blur=0.7)
    frames = np.clip(frames + 0.03 * np.array([0, 1, 0, -1, 0, 1], np.float32)[:, None, None, None], 0, 1)
    assert sigmas_8bit(measured(frames)) == pytest.approx([8] * 3, rel=0.15)


def test_a_frame_that_is_shown_twice_tells_nothing(clean):
    frames = grainy(clean[:1], 8, blur=0.7).repeat(4, axis=0)
    assert measured(frames) == estimate_noise(frames)


def test_pictures_of_different_things_tell_nothing():
    frames = np.stack(
        [photograph(96, 128, top=top, left=left) for top, left in ((0, 0), (150, 120), (60, 60))]
    )
    frames = grainy(frames, 8, blur=0.7)
    assert measured(frames) == estimate_noise(frames)


@pytest.mark.parametrize("size", [(1, 1), (8, 40), (20, 20)])
def test_small_pictures_tell_nothing(size):
    frames = grainy(panned(3, 40, 40), 8, blur=0.7)[:, :, : size[0], : size[1]]
    assert measured(frames) == estimate_noise(frames)


def test_what_is_missing_tells_nothing(clean):
    """Nor does it hide what the rest tells."""
    frames = grainy(clean, 12, blur=1.0)
    missing = np.zeros((6, *frames.shape[2:]), bool)
    missing[:, 50:66] = True
    spoilt = np.where(missing[:, None], np.random.default_rng(1).random(frames.shape, np.float32), frames)
    pairs, holes = (np.stack([seen[:-1], seen[1:]], axis=1) for seen in (spoilt, missing))
    estimate = measure_over_time(pairs, estimate_noise(spoilt, missing), is_coded=False, missing=holes)
    assert sigmas_8bit(estimate) == pytest.approx([12] * 3, rel=0.14)
