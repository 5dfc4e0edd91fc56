"""What of the source goes into restored frames."""

import numpy as np
import pytest

from reelprior.models.flicker import ToneCurve
from reelprior.pipeline.mixing import blended, mixed, without_flicker

SIZE = (1, 3, 24, 32)


def blend(restored, source, missing=None, *, sigma=0.02, strength=1.0, only_missing=False):
    done = mixed(restored.copy(), source, missing, sigma=sigma, only_missing=only_missing)
    return blended(done, source, strength)


def test_noise_around_black_is_not_put_back():
    noise = np.random.default_rng(0).normal(0, 0.02, SIZE).astype(np.float32)
    np.testing.assert_array_equal(blend(np.full(SIZE, 0.1, np.float32), noise), np.float32(0.1))


@pytest.mark.parametrize("level", [1.08, -0.3])
def test_what_lies_beyond_the_range_is_carried_around_the_fit(level):
    source = np.full(SIZE, 0.5, np.float32)
    source[..., 4:20, 4:20] = level
    done = blend(np.clip(source, 0, 1), source)
    np.testing.assert_allclose(done[..., 6:18, 6:18], level, atol=1e-6)  # rounding of float32
    np.testing.assert_array_equal(done[..., :2], 0.5)


def test_what_is_missing_brings_nothing_from_beyond():
    source = np.full(SIZE, 1.5, np.float32)
    missing = np.ones((1, 24, 32), np.bool_)
    np.testing.assert_array_equal(blend(np.full(SIZE, 0.7, np.float32), source, missing), np.float32(0.7))


def test_a_grey_frame_gets_no_colour_and_a_coloured_one_keeps_it():
    random = np.random.default_rng(0)
    restored = random.random((2, *SIZE[1:]), dtype=np.float32)
    source = np.broadcast_to(np.float32(0.5), restored.shape).copy()
    source[1, 0, 3, 3] = 0.6
    done = blend(restored, source)
    assert np.ptp(done[0], axis=0).max() == 0
    np.testing.assert_array_equal(done[1], restored[1])


@pytest.mark.parametrize("is_grey", [True, False])
def test_a_lost_frame_is_as_grey_as_the_others(is_grey):
    restored = np.random.default_rng(0).random((3, *SIZE[1:]), dtype=np.float32)
    source = np.full_like(restored, 0.5)
    source[1, 0] = 0.9  # what stands in the place of the lost frame says nothing
    if not is_grey:
        source[::2, 0] = 0.6
    missing = np.zeros((3, 24, 32), np.bool_)
    missing[1] = True
    has_colour = np.ptp(blend(restored, source, missing)[1], axis=0).any()
    assert bool(has_colour) is not is_grey


def test_strength_blends_and_only_what_is_missing_may_change():
    source, restored = np.full(SIZE, 0.2, np.float32), np.full(SIZE, 0.6, np.float32)
    np.testing.assert_allclose(blend(restored, source, strength=0.25), 0.3, atol=1e-6)  # rounding
    missing = np.zeros((1, 24, 32), np.bool_)
    missing[0, 5, 6] = True
    done = blend(restored, source, missing, only_missing=True)
    assert (done[0, :, 5, 6] == np.float32(0.6)).all()
    assert (done == np.float32(0.2)).sum() == done.size - 3


def test_a_feathered_hole_fades_into_the_source_and_ends_there():
    source, restored = np.full(SIZE, 0.2, np.float32), np.full(SIZE, 0.6, np.float32)
    missing = np.zeros((1, 24, 32), np.bool_)
    missing[0, 10:14, 10:14] = True
    done = mixed(restored, source, missing, sigma=0.02, only_missing=True, feather=2)
    row = done[0, 0, 12, 6:11]
    assert (row[:2] == np.float32(0.2)).all()
    assert row[1] < row[2] < row[3] < row[4]
    assert row[4] == pytest.approx(0.6, abs=1e-6)  # rounding


def test_without_flicker_what_lies_beyond_the_range_stays_beyond():
    frames = np.full((2, 3, 4, 4), 0.5, np.float32)
    frames[:, :, 0] = 1.25
    toned = without_flicker(frames, [ToneCurve(), ToneCurve(gain=0.5)])
    np.testing.assert_array_equal(toned[0], frames[0])
    np.testing.assert_allclose(toned[1, :, 0], 0.75)
    np.testing.assert_allclose(toned[1, :, 1:], 0.25)
