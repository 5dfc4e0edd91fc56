"""Fusion: many observations through the identity say exactly what one says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelprior.models.losses import data_term
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation, fuse
from reelprior.models.operators import Blur

SIZE = (6, 9)
PLAIN = NoiseModel(gain=0.01, offset=0.002)


def observations(count, *, seed, dtype=torch.float64):
    """Random pictures, some of their pixels without weight."""
    random = torch.Generator().manual_seed(seed)

    def uniform(channels):
        return torch.rand(1, channels, *SIZE, generator=random, dtype=dtype)

    return [
        Observation(uniform(3), 100 * uniform(1) * (uniform(1) > 0.3), 0.001 + 0.01 * uniform(1))
        for _ in range(count)
    ]


def weighted(image, weight, variance=0.01):
    size = (1, 1, *SIZE)
    return Observation(
        torch.full((1, 3, *SIZE), image), torch.full(size, float(weight)), torch.full(size, variance)
    )


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 7), seed=st.integers(0, 2**31), clipped=st.booleans())
def test_the_fused_term_has_the_gradient_of_all_terms(count, seed, clipped):
    """sum_k w_k (x - y_k)^2 differs from W (x - y)^2 by a constant only, clipping included."""
    terms = observations(count, seed=seed)
    latent = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    latent.requires_grad_()
    noise = NoiseModel(PLAIN.gain, PLAIN.offset, clipped=clipped)
    (apart,) = torch.autograd.grad(data_term(latent, terms, noise), latent)
    (fused,) = torch.autograd.grad(data_term(latent, [fuse(terms)], noise), latent)
    # float64, gradients of the size 1 / pixels
    torch.testing.assert_close(fused, apart, atol=1e-12, rtol=1e-9)


def test_fusing_one_observation_changes_nothing():
    (alone,) = observations(1, seed=0)
    fused = fuse([alone])
    torch.testing.assert_close(fused.image, alone.image)
    torch.testing.assert_close(fused.variance, alone.variance)
    assert torch.equal(fused.weight, alone.weight)


def test_where_nothing_counts_the_first_picture_stays():
    fused = fuse([weighted(0.2, 0, variance=0.5), weighted(0.8, 0)])
    assert fused.image.eq(0.2).all()
    assert fused.variance.eq(0.5).all()
    assert not fused.weight.any()


def test_a_picture_without_weight_adds_nothing():
    fused = fuse([weighted(0.2, 3), weighted(0.8, 0)])
    torch.testing.assert_close(fused.image, torch.full((1, 3, *SIZE), 0.2))


@pytest.mark.parametrize("weight", [1e-25, 1e-12, 1.0, 1e12])
def test_the_variance_does_not_depend_on_the_unit_of_weights(weight):
    """Two equal weights halve the variance, even where the square of a weight is no float32."""
    fused = fuse([weighted(0.2, weight), weighted(0.8, weight)])
    torch.testing.assert_close(fused.variance, torch.full((1, 1, *SIZE), 0.005))


def test_the_fused_variance_is_that_of_the_weighted_mean():
    """Against 4000 draws: the relative standard error of a variance is then sqrt(2 / 4000) = 2.2 %."""
    weights, variances = (5.0, 1.0, 2.0), (0.01, 0.04, 0.02)
    random = torch.Generator().manual_seed(0)
    draws = 4000
    terms = [
        Observation(
            0.5 + v**0.5 * torch.randn(1, 3, 1, draws, generator=random),
            torch.full((1, 1, 1, draws), w),
            torch.full((1, 1, 1, draws), v),
        )
        for w, v in zip(weights, variances, strict=True)
    ]
    fused = fuse(terms)
    assert fused.image.var().item() == pytest.approx(fused.variance.mean().item(), rel=0.06)


def test_observations_through_another_operator_are_refused():
    blurred = Observation(
        torch.zeros(1, 3, *SIZE), torch.ones(1, 1, *SIZE), torch.ones(1, 1, *SIZE), Blur(1.0)
    )
    with pytest.raises(ValueError, match="only observations through the identity"):
        fuse([weighted(0.2, 1), blurred])
