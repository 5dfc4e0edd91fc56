"""Chroma resampling: exact there and back, and where the samples lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelprior.io.chroma import Subsampling, multiply

RATIOS = [(2, 2), (2, 1), (1, 2), (4, 1), (4, 4)]


@settings(max_examples=60, deadline=None)
@given(
    ratios=st.sampled_from(RATIOS),
    centred=st.booleans(),
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    seed=st.integers(0, 2**32 - 1),
)
def test_down_undoes_up_at_any_size(ratios, centred, height, width, seed):
    sampling = Subsampling(*ratios, centred=centred)
    plane = np.random.default_rng(seed).random((-(-height // ratios[1]), -(-width // ratios[0])), np.float32)
    back = sampling.down(sampling.up(plane, (height, width)))
    assert back.shape == plane.shape
    # float32 rounding, amplified a little by the inverse; half a code of 16 bit is 8e-6
    np.testing.assert_allclose(back, plane, atol=4e-6)


@pytest.mark.parametrize("ratios", RATIOS)
def test_an_even_colour_stays_even_both_ways(ratios):
    sampling = Subsampling(*ratios, centred=False)
    full = np.full((37, 53), 0.3, np.float32)
    small = sampling.down(full)
    np.testing.assert_allclose(small, 0.3, atol=1e-6)
    np.testing.assert_allclose(sampling.up(small, full.shape), 0.3, atol=1e-6)


def test_left_sited_samples_lie_on_the_even_columns():
    ramp = np.tile(np.arange(8, dtype=np.float32), (3, 1))
    up = Subsampling(2, 1, centred=False).up(ramp, (3, 16))
    np.testing.assert_allclose(up[0, :15], np.arange(15) / 2)


def test_centred_samples_lie_between_the_columns():
    ramp = np.tile(np.arange(8, dtype=np.float32), (3, 1))
    up = Subsampling(2, 1, centred=True).up(ramp, (3, 16))
    np.testing.assert_allclose(up[0, 1:15], (np.arange(1, 15) - 0.5) / 2)


def test_samples_lie_between_the_rows_whatever_the_columns():
    ramp = np.tile(np.arange(8, dtype=np.float32)[:, None], (1, 3))
    up = Subsampling(1, 2, centred=False).up(ramp, (16, 3))
    np.testing.assert_allclose(up[1:15, 0], (np.arange(1, 15) - 0.5) / 2)


def test_down_takes_away_what_chroma_cannot_hold():
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (4, 64))
    small = Subsampling(2, 1, centred=False).down(stripes)
    np.testing.assert_allclose(small[:, 8:-8], 0.5, atol=0.2)  # plain subsampling would say 0


def test_multiply_in_tiles_is_the_matrix_product():
    random = np.random.default_rng(0)
    matrix, columns = random.random((3, 3), np.float32), random.random((3, 200_000), np.float32)
    out = np.empty_like(columns)
    assert multiply(matrix, columns, out) is out
    np.testing.assert_allclose(out, matrix @ columns, rtol=1e-5)
