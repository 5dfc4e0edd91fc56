"""The quick look within one frame that guides fit and flow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import noisy, photograph, psnr

from reelprior.models.spatial import fill_holes, fill_smoothly, quick_denoise


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), share=st.floats(0, 1), height=st.integers(1, 12), width=st.integers(1, 12))
def test_known_pixels_stay_exactly_as_they_are(seed, share, height, width):
    """Bit for bit, although OpenCV fills holes in 8 bits."""
    random = np.random.default_rng(seed)
    frame = random.random((3, height, width), np.float32)
    missing = random.random((height, width)) < share
    filled = fill_holes(frame, missing)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[:, ~missing], frame[:, ~missing])


def test_a_hole_in_an_even_picture_is_closed_with_its_colour():
    even = np.empty((3, 32, 32), np.float32)
    even[:] = np.array([0.2, 0.4, 0.8])[:, None, None]  # each channel of its own: their order is kept
    missing = np.zeros((32, 32), bool)
    missing[10:20, 12:18] = True
    filled = fill_holes(np.where(missing, np.float32(1), even), missing)
    np.testing.assert_allclose(filled, even, atol=2.5 / 255)  # Telea's weighted mean, rounded to 8 bits


@pytest.mark.parametrize("missing", [None, np.zeros((8, 8), bool), np.ones((8, 8), bool)])
def test_without_holes_or_without_surroundings_the_frame_stays(missing):
    frame = photograph(8, 8)
    assert np.array_equal(fill_holes(frame, missing), frame)


@pytest.mark.parametrize(("sigma_8bit", "least_gain"), [(10, 1.0), (25, 3.0), (50, 5.0)])
def test_a_noisy_photograph_gets_nearer_to_the_clean_one(sigma_8bit, least_gain):
    """In dB; measured were 1.6, 4.0 and 6.1 with OpenCV 5.0."""
    clean = photograph(96, 128)
    frame = noisy(clean, sigma_8bit)
    quick = quick_denoise(frame, sigma=sigma_8bit / 255)
    assert psnr(quick, clean) > psnr(frame, clean) + least_gain


def test_without_noise_the_frame_stays():
    frame = photograph(16, 24)
    assert np.array_equal(quick_denoise(frame, sigma=0.0), frame)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (1, 40), (40, 1)])
def test_frames_of_a_few_pixels_work(size):
    assert quick_denoise(photograph(*size), sigma=0.1).shape == (3, *size)


def test_scattered_pixels_are_interpolated():
    """One pixel of fifty is known: the interpolation of a photograph, against its mean colour. Measured: 15.9 dB."""
    truth = photograph(64, 64)
    missing = np.random.default_rng(3).random((64, 64)) > 0.02
    filled = fill_holes(truth, missing)
    np.testing.assert_array_equal(filled[:, ~missing], truth[:, ~missing])
    mean = np.broadcast_to(truth.mean((1, 2), keepdims=True), truth.shape)
    assert psnr(filled, truth) > psnr(mean, truth) + 2


def test_a_plane_is_continued_smoothly_into_a_hole():
    """A ramp with a hole in its middle: within a twentieth of its range, which no copying of the rim achieves."""
    ramp = np.broadcast_to(np.linspace(0, 1, 48, dtype=np.float32), (2, 48, 48)).copy()
    missing = np.zeros((48, 48), bool)
    missing[20:28, 20:28] = True
    filled = fill_smoothly(ramp, missing)
    np.testing.assert_allclose(filled, ramp, atol=0.08)
