"""The generator: its published configuration, its shapes, and where its random start comes from."""

import numpy as np
import pytest
import torch

from reelprior.models.device import Compute
from reelprior.models.fit import Prior
from reelprior.models.network import SkipGenerator, convolve_doubled
from reelprior.models.settings import ComputeSettings, EngineSettings, NetworkSettings

REFERENCE = NetworkSettings(
    channels=(128,) * 5,
    skip_channels=(4,) * 5,
    shuffle=1,
    upsampling="bilinear",
    padding="reflect",
    convolutions_down=2,
    code_channels=32,
    guided=False,
)


def small_network(**changes):
    return NetworkSettings(**({"channels": (8, 12), "skip_channels": (4, 4), "code_channels": 3} | changes))


def generate(settings, *, size, guide_channels=0):
    """A picture of a generator with random weights, from a random code and random guides."""
    torch.manual_seed(0)
    network = SkipGenerator(settings, guide_channels=guide_channels)
    code = torch.rand(1, settings.code_channels, size[0] // settings.shuffle, size[1] // settings.shuffle)
    guides = torch.rand(1, guide_channels, *size) if guide_channels else None
    with torch.no_grad():
        return network(code, guides)


def weights(seed, *, size=(16, 24)):
    engine = EngineSettings(network=small_network())
    compute = Compute(ComputeSettings(device="cpu"))
    return Prior(engine, compute, size=size, guide_channels=6, seed=seed).save()


def test_the_reference_configuration_has_the_published_number_of_parameters():
    """Golden: the parameter count that the denoising notebook of deep-image-prior prints for 128x5 / 4."""
    network = SkipGenerator(REFERENCE, guide_channels=0)
    assert sum(parameter.numel() for parameter in network.parameters()) == 2_217_831


@pytest.mark.parametrize("shuffle", [1, 2, 4])
@pytest.mark.parametrize("skip_channels", [(4, 4), (0, 4), (0, 0)])
@pytest.mark.parametrize("guide_channels", [0, 6])
def test_the_picture_is_as_large_as_the_guides(shuffle, skip_channels, guide_channels):
    settings = small_network(shuffle=shuffle, skip_channels=skip_channels)
    unit = SkipGenerator.multiple_of(settings)
    picture = generate(settings, size=(2 * unit, 3 * unit), guide_channels=guide_channels)
    assert picture.shape == (1, 3, 2 * unit, 3 * unit)


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_the_picture_lies_between_black_and_white(upsampling, padding):
    picture = generate(small_network(upsampling=upsampling, padding=padding), size=(32, 48))
    assert 0 < picture.min() < picture.max() < 1


def test_the_same_seed_gives_the_same_weights():
    first, second = weights(3), weights(3)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights():
    first, second = weights(3), weights(4)
    name = "network.head.weight"
    assert not np.array_equal(first[name], second[name])


def test_weights_do_not_depend_on_what_was_drawn_before():
    torch.manual_seed(1)
    first = weights(3)
    torch.manual_seed(2)
    torch.rand(100)
    second = weights(3)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_prior_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    weights(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_code_is_uniform_up_to_its_scale():
    engine = EngineSettings(network=small_network(code_scale=0.1))
    compute = Compute(ComputeSettings(device="cpu"))
    code = Prior(engine, compute, size=(64, 64), guide_channels=0, seed=0).code
    assert code.min() >= 0 and code.max() <= 0.1
    # 3 x 32 x 32 draws: the mean of U(0, 0.1) has a standard error of 0.0005
    assert code.mean().item() == pytest.approx(0.05, abs=0.003)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 4)])
def test_a_convolution_of_doubled_pixels_is_that_of_the_upsampled_picture(size):
    torch.manual_seed(0)
    picture, weight, bias = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in [(2, 3, *size), (5, 3, 3, 3), (5,)]
    )
    at_once = convolve_doubled(picture, weight, bias)
    doubled = torch.nn.functional.interpolate(picture, scale_factor=2, mode="nearest")
    step_by_step = torch.nn.functional.conv2d(doubled, weight, bias, padding=1)
    torch.testing.assert_close(at_once, step_by_step)
    wanted = torch.randn_like(at_once)
    for one, other in zip(
        torch.autograd.grad(at_once, (picture, weight, bias), wanted),
        torch.autograd.grad(step_by_step, (picture, weight, bias), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("upsampling", "padding", "skip_channels", "pixel"),
    [
        ("nearest", "zeros", (4, 4), (0.547383, 0.497407, 0.610527)),
        ("nearest", "zeros", (0, 4), (0.504564, 0.538922, 0.619771)),
        ("nearest", "reflect", (4, 4), (0.542095, 0.501273, 0.603910)),
        ("bilinear", "reflect", (4, 4), (0.470585, 0.553697, 0.459312)),
    ],
)
def test_the_picture_is_that_of_one_layer_after_the_other(upsampling, padding, skip_channels, pixel):
    """Golden: of a network that upsampled, put together, normalised and convolved in turn."""
    settings = small_network(upsampling=upsampling, padding=padding, skip_channels=skip_channels, shuffle=1)
    picture = generate(settings, size=(32, 48), guide_channels=6)
    torch.testing.assert_close(picture[0, :, 5, 7], torch.tensor(pixel), atol=1e-5, rtol=0)
