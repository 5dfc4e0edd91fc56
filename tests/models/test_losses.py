"""The two terms of the energy."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelprior.models.losses import consistency_term, data_term
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.operators import Downsample

SIZE = (64, 64)


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def observed(clean, noise, *, weight=1.0, seed=1):
    """Noisy, clipped if the model says so."""
    deviation = (noise.gain * clean + noise.offset).sqrt()
    image = clean + deviation * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    size = (1, 1, *clean.shape[2:])
    image = image.clamp(0, 1) if noise.clipped else image
    return Observation(image, torch.full(size, weight), torch.full(size, noise.offset))


@pytest.mark.parametrize("clipped", [False, True])
def test_at_the_truth_the_data_term_is_the_variance_of_the_noise(clipped):
    noise = NoiseModel(0.0, 0.01, clipped=clipped)
    clean = random(1, 3, *SIZE)
    value = data_term(clean, [observed(clean, noise)], noise).item()
    # 12,288 squared Gaussians: a standard error of 1.3 %
    assert value == pytest.approx(noise.variance(clean).mean().item(), rel=0.05)


def test_the_truth_has_a_smaller_data_term_than_a_veiled_picture():
    """Noise clipped at black has a mean above black: comparing directly would prefer that grey veil."""
    noise = NoiseModel(0.0, 0.01, clipped=True)
    black = torch.zeros(1, 3, *SIZE)
    seen = observed(black, noise)
    veil = torch.full_like(black, seen.image.mean().item())
    assert data_term(black, [seen], noise) < data_term(veil, [seen], noise)


@given(unit=st.floats(1e-3, 1e3))
def test_the_unit_of_weights_does_not_matter(unit):
    noise = NoiseModel(0.0, 0.01)
    clean = random(1, 3, 8, 8)
    one, many = (data_term(clean, [observed(clean, noise, weight=w)], noise).item() for w in (1.0, unit))
    assert many == pytest.approx(one, rel=1e-5)  # float32 rounding


def test_a_pixel_without_weight_does_not_count():
    noise = NoiseModel(0.0, 0.01)
    clean = random(1, 3, 8, 8)
    right = observed(clean, noise)
    weight = right.weight.clone()
    weight[..., 2, 3] = 0
    image = right.image.clone()
    image[..., 2, 3] = 100
    wrong = Observation(image, weight, right.variance)
    latent = clean.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(data_term(latent, [wrong], noise), latent)
    assert not gradient[..., 2, 3].any()
    assert gradient.abs().max() < 1


def test_observations_of_another_size_are_compared_through_their_operator():
    noise = NoiseModel(0.0, 0.0)
    clean = random(1, 3, 8, 8)
    small = Downsample(2)(clean)
    seen = Observation(small, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), Downsample(2))
    assert data_term(clean, [seen], noise) == 0
    assert data_term(clean + 0.1, [seen], noise).item() == pytest.approx(0.01, rel=1e-4)


def test_a_picture_is_consistent_with_itself():
    picture = random(1, 3, 8, 8)
    assert consistency_term(picture, picture, torch.ones(1, 1, 8, 8)) == 0


def test_what_is_not_visible_needs_no_consistency():
    picture, other = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    visible = torch.zeros(1, 1, 8, 8)
    assert consistency_term(picture, other, visible) == 0
    visible[..., :4] = 1
    other[..., :4] = picture[..., :4]
    assert consistency_term(picture, other, visible) == 0


def test_large_differences_count_by_their_size_and_not_by_their_square():
    """Charbonnier: from twice the difference comes twice the penalty, less than one scale (2 / 255) apart."""
    black, visible = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    one, two = (consistency_term(black + d, black, visible).item() for d in (0.2, 0.4))
    assert two == pytest.approx(2 * one, abs=2 / 255)


def test_consistency_pulls_the_latent_towards_the_reference_and_not_the_other_way():
    latent, reference = random(1, 3, 8, 8).requires_grad_(), random(1, 3, 8, 8, seed=1).requires_grad_()
    consistency_term(latent, reference, torch.ones(1, 1, 8, 8)).backward()
    assert torch.equal(latent.grad.sign(), (latent - reference).detach().sign())
    assert reference.grad is None
