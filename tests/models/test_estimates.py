import numpy as np
import torch
from photographs import photograph

from reelprior.models.estimates import fill_hidden, guided_estimate, mixture_weights, unbiased
from reelprior.models.noise import NoiseModel


def test_two_estimates_with_independent_errors_are_averaged():
    random = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 4000, generator=random) * 0.6 + 0.2

    def with_error(deviation):
        return truth + deviation * torch.randn(truth.shape, generator=random)

    weights = mixture_weights([with_error(0.05), with_error(0.05)], with_error(0.1), NoiseModel(0.0, 0.01))
    # 12000 samples tell the weights to about a hundredth; 0.1 is many times that.
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=0.1)


def test_a_useless_estimate_gets_nothing_and_no_weight_is_negative():
    truth = torch.linspace(0.2, 0.8, 3000).expand(3, -1)
    weights = mixture_weights([truth + 0.001, truth * 0 + 0.5], truth, NoiseModel(0.0, 0.01))
    assert weights[0] > 0.95
    assert weights.min() >= 0
    assert abs(weights.sum() - 1) < 1e-9


def test_the_mean_of_clipped_noise_is_turned_back():
    noise = NoiseModel(0.0, 0.1**2, clipped=True)
    clean = torch.linspace(0.02, 0.98, 50).expand(1, 3, 2, 50)
    # The table has steps of 1/1023.
    torch.testing.assert_close(unbiased(noise.expected(clean), noise), clean, atol=2e-3, rtol=0)


def test_what_was_hidden_does_not_reach_the_filled_picture():
    picture = photograph(24, 24)
    hidden = np.zeros((24, 24), np.float32)
    hidden[8:10, 8:10] = 1
    other = picture.copy()
    other[:, 8:10, 8:10] = 9
    np.testing.assert_array_equal(
        fill_hidden(picture, hidden, sigma_px=1.3), fill_hidden(other, hidden, sigma_px=1.3)
    )


def test_a_guided_estimate_keeps_the_edges_of_its_guide():
    guide = torch.zeros(1, 3, 32, 32)
    guide[..., 16:] = 1
    noisy = guide * 0.5 + 0.1 * torch.randn(guide.shape, generator=torch.Generator().manual_seed(0))
    filtered = guided_estimate(noisy, guide, radius=4, flatness=1e-3)
    # 81 samples in a window, half of them on a side: a deviation of 0.1 / sqrt(40) is left, five times that is allowed.
    assert (filtered - guide * 0.5).abs().max() < 0.08
