"""Forward operators: linear, with gradients that are their adjoints, and each with the meaning it claims."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import photograph
from torch.nn import functional

from reelprior.models.operators import Blur, Compose, Downsample, Identity, Mask, Warp
from reelprior.models.reductions import LANCZOS, PointSpread

SIZE = (12, 18)
#: What pictures may have been reduced by.
SPREADS = [LANCZOS, PointSpread("bicubic"), PointSpread("box"), PointSpread("gaussian", sigma=0.4)]


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wavy_flow(*, strength=3.0):
    return strength * random(1, 2, *SIZE, seed=9)


OPERATORS = {
    "identity": Identity(),
    "mask": Mask((random(1, 1, *SIZE, seed=8) > 0).double()),
    "warp": Warp(wavy_flow()),
    "blur": Blur(1.3),
    "downsample by 2": Downsample(2),
    "downsample by 3": Downsample(3),
    "bicubic by 3": Downsample(3, PointSpread("bicubic")),
    "measured, by 2": Downsample(2, PointSpread("kernel", rows=((1, 2, 0, 1), (3, 9, 9, 3)), factor=2)),
    "composed": Compose((Warp(wavy_flow(strength=1.0)), Blur(0.8), Downsample(2))),
}

every_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())


@every_operator
def test_operators_are_linear(operator):
    x, y = random(2, 3, *SIZE, seed=1), random(2, 3, *SIZE, seed=2)
    # float64 rounding over some hundred sums
    torch.testing.assert_close(operator(2 * x - 3 * y), 2 * operator(x) - 3 * operator(y), atol=1e-12, rtol=0)


@every_operator
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_gradient_is_the_adjoint(operator, seed):
    """<A x, y> = <x, A^T y>."""
    x = random(1, 3, *SIZE, seed=seed)
    observed, transpose = torch.func.vjp(operator, x)
    y = random(*observed.shape, seed=seed + 1)
    # float64 rounding over some hundred sums of unit size
    assert torch.sum(observed * y).item() == pytest.approx(torch.sum(x * transpose(y)[0]).item(), abs=1e-10)


@pytest.mark.parametrize(
    "operator", [Blur(2.0), *(Downsample(n, s) for n in (1, 2, 3, 4, 6) for s in SPREADS)], ids=repr
)
def test_an_even_picture_stays_even(operator):
    seen = operator(torch.full((1, 3, *SIZE), 0.3, dtype=torch.float64)[..., :12, :12])
    torch.testing.assert_close(seen, torch.full_like(seen, 0.3), atol=1e-12, rtol=0)


@pytest.mark.parametrize("spread", SPREADS, ids=lambda spread: spread.name)
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_downsampling_takes_the_centre_of_each_block(factor, spread):
    """A ramp keeps its value at the block's centre: no shift by half a pixel, for odd factors neither."""
    ramp = torch.arange(48, dtype=torch.float64).expand(1, 1, 48, 48)
    centres = factor * torch.arange(48 // factor, dtype=torch.float64) + (factor - 1) / 2
    inner = slice(2, -2)  # edges are repeated: the ramp ends there
    small = Downsample(factor, spread)(ramp)[0, 0, 5]
    torch.testing.assert_close(small[inner], centres[inner], atol=1e-9, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downsampling_keeps_what_the_lower_resolution_holds(factor):
    """A wave of eight small pixels keeps its phase, and its height within 5 %: Lanczos 2 droops a little there."""
    period = 8 * factor
    at = torch.arange(16 * factor, dtype=torch.float64)
    small = Downsample(factor)(torch.cos(2 * math.pi * at / period).expand(1, 1, 16 * factor, -1))[0, 0, 8]
    centres = factor * torch.arange(16, dtype=torch.float64) + (factor - 1) / 2
    expected = torch.cos(2 * math.pi * centres / period)
    torch.testing.assert_close(small[2:-2], expected[2:-2], atol=0.05, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downsampling_takes_away_what_would_alias(factor):
    """The finest stripes become grey; plain subsampling keeps them, at full height, as a false pattern."""
    stripes = torch.tensor([0.0, 1.0], dtype=torch.float64).repeat(6 * factor).expand(1, 1, 12 * factor, -1)
    small = Downsample(factor)(stripes)[..., 2:-2]
    assert (small - 0.5).abs().max() < 0.05


def test_the_box_is_the_mean_of_a_block_and_bicubic_that_of_other_programs():
    picture = photograph(48, 64)
    small = Downsample(2, PointSpread("box"))(torch.from_numpy(picture)[None])[0].numpy()
    np.testing.assert_allclose(small, picture.reshape(3, 24, 2, 32, 2).mean((2, 4)), atol=1e-6)
    other = functional.interpolate(
        torch.from_numpy(picture)[None], scale_factor=1 / 4, mode="bicubic", antialias=True
    )
    small = Downsample(4, PointSpread("bicubic"))(torch.from_numpy(picture)[None])
    # At the edges it leaves taps out where this repeats pixels.
    torch.testing.assert_close(small[..., 2:-2, 2:-2], other[..., 2:-2, 2:-2], atol=1e-4, rtol=0)


def test_a_gaussian_has_the_width_it_says():
    for sigma in (0.3, 0.5, 1.0):
        taps = PointSpread("gaussian", sigma=sigma).taps(4, like=torch.zeros(1, dtype=torch.float64))
        at = (torch.arange(len(taps)) - (len(taps) - 1) / 2) / 4
        assert (taps * at**2).sum().sqrt().item() == pytest.approx(sigma, rel=0.03)  # cut off at three sigma


def test_a_measured_spread_does_what_the_named_one_does_and_is_coarsened_for_smaller_factors():
    """Lanczos for 4, given as measured: by 4 the same, by 2 what 4 says of it."""
    picture = torch.from_numpy(photograph(48, 64))[None].double()
    along = LANCZOS.taps(4, like=picture)
    rows = tuple(tuple(row) for row in torch.outer(along, along).tolist())
    measured = PointSpread("kernel", rows=rows, factor=4)
    torch.testing.assert_close(Downsample(4, measured)(picture), Downsample(4)(picture), atol=1e-9, rtol=0)
    torch.testing.assert_close(Downsample(2, measured)(picture), Downsample(2)(picture), atol=0.03, rtol=0)


def test_downsampling_refuses_a_size_that_is_not_a_multiple():
    with pytest.raises(ValueError, match=r"18x13 is not a multiple of the factor 4"):
        Downsample(4)(torch.zeros(1, 3, 13, 18))


def test_a_mask_sets_what_is_missing_to_zero():
    known = torch.tensor([[[[1.0, 0.0]]]])
    assert Mask(known)(torch.tensor([[[[0.4, 0.7]]]])).tolist() == [[[[pytest.approx(0.4), 0.0]]]]


def test_blur_has_the_standard_deviation_it_says():
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[..., 20, 20] = 1
    spread = Blur(2.0)(point)[0, 0].sum(0)
    at = torch.arange(41, dtype=torch.float64) - 20
    # cut off at three standard deviations, a Gaussian has 0.987 of its standard deviation
    assert (spread * at.square()).sum().sqrt().item() == pytest.approx(2.0, rel=0.02)


def test_composition_applies_the_first_operator_first():
    x = random(1, 3, *SIZE)
    mask = Mask(torch.zeros(1, 1, SIZE[0] // 2, SIZE[1] // 2, dtype=torch.float64))
    assert not Compose((Downsample(2), mask))(x).any()  # the other way round the sizes would not fit
