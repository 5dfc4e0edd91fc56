"""What a fit tells its stopping rule, on pictures whose error is known."""

import pytest
import torch
from photographs import noisy, photograph

from reelprior.models.gauge import Gauge
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation

SIGMA_8BIT = 50
VARIANCE = (SIGMA_8BIT / 255) ** 2
SIZE = (96, 128)
#: The mean of the squares of 36,864 noisy samples is known to 0.7 %: three times that.
CLOSE = 0.02


@pytest.fixture
def clean():
    return torch.from_numpy(photograph(*SIZE))[None]


def observed(image, *, variance=VARIANCE, weight=1.0):
    ones = torch.ones(1, 1, *SIZE)
    return Observation(image, weight * ones, variance * ones)


def with_noise(clean, *, sigma=SIGMA_8BIT / 255, seed=0):
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def test_the_truth_is_at_one(clean):
    frame = observed(with_noise(clean))
    hidden = torch.ones(1, 1, *SIZE)
    gauge = Gauge((frame,), frame, NoiseModel(0.0, VARIANCE), None)
    blind = Gauge((frame,), frame, NoiseModel(0.0, VARIANCE), hidden)
    assert gauge.residual(clean) == pytest.approx(1, abs=CLOSE)
    assert blind.hidden_error(clean) == pytest.approx(1, abs=CLOSE)


def test_noise_that_was_clipped_is_weaker_than_it_is_taken_for(clean):
    """A guess that knows no black takes it to be strong everywhere; the truth tells how strong it is."""
    noise = NoiseModel(0.0, VARIANCE, clipped=True)
    frame = observed(torch.from_numpy(noisy(clean.numpy(), SIGMA_8BIT)))
    gauge = Gauge((frame,), frame, noise, None)
    assert gauge.residual(clean) < 0.95
    assert gauge.discrepancy(clean) == pytest.approx(1, abs=CLOSE)


def test_an_error_adds_its_square_in_units_of_the_noise(clean):
    frame = observed(with_noise(clean))
    gauge = Gauge((frame,), frame, NoiseModel(0.0, VARIANCE), torch.ones(1, 1, *SIZE))
    assert gauge.hidden_error(clean + VARIANCE**0.5) == pytest.approx(2, abs=2 * CLOSE)


def test_neighbours_fused_with_the_frame_make_the_unit_smaller(clean):
    """Four frames' mean has a quarter of the noise, against which the same error is four times as large."""
    fused = observed(with_noise(clean, sigma=SIGMA_8BIT / 255 / 2), variance=VARIANCE / 4, weight=4.0)
    frame = observed(with_noise(clean, seed=1))
    gauge = Gauge((fused,), frame, NoiseModel(0.0, VARIANCE), torch.ones(1, 1, *SIZE))
    assert gauge.hidden_error(clean + VARIANCE**0.5) == pytest.approx(5, abs=8 * CLOSE)


def test_hidden_pixels_are_not_in_the_residual(clean):
    image = with_noise(clean)
    hidden = torch.zeros(1, 1, *SIZE)
    hidden[..., :48, :] = 1
    spoilt = torch.where(hidden > 0, torch.ones_like(image), image)
    gauge = Gauge((observed(spoilt),), observed(spoilt), NoiseModel(0.0, VARIANCE), hidden)
    assert gauge.residual(clean) == pytest.approx(1, abs=CLOSE * 2)
