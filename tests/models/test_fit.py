"""The fit of one frame, and the prior that is handed from frame to frame."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from photographs import noisy, photograph, psnr

from reelprior.models.device import Compute
from reelprior.models.errors import FitError
from reelprior.models.fit import Prior, Problem, Reference, fit
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.operators import Downsample
from reelprior.models.settings import ComputeSettings, EngineSettings

SIZE = (32, 48)
SIGMA_8BIT = 25


def engine(**changes):
    """A network that fits a small frame in a second."""
    settings = {
        "network": {"channels": (24, 24), "skip_channels": (16, 16)},
        "stopping": {"floor": 50, "patience": 100},
    }
    return EngineSettings.model_validate(settings | changes)


def new_prior(settings=None, *, size=SIZE, guide_channels=0, seed=0, **compute):
    device = Compute(ComputeSettings(device="cpu", **({"autocast": "off"} | compute)))
    return Prior(settings or engine(), device, size=size, guide_channels=guide_channels, seed=seed)


def noisy_frame(size=SIZE, *, weight=None, reference=None, guides=None):
    image = torch.from_numpy(noisy(photograph(*size), SIGMA_8BIT))[None]
    noise = NoiseModel.from_sigma_8bit(SIGMA_8BIT)
    ones = torch.ones(1, 1, *size)
    seen = Observation(image, ones if weight is None else weight, noise.offset * ones)
    return Problem((seen,), guides, noise, seen, reference)


def run(prior, problem, *, iterations=5, held_out=False, learning_rate=0.01, on_iteration=None):
    if held_out:
        problem = replace(problem, hidden=prior.hidden_pixels(prior.engine.stopping.held_out))
    return fit(
        prior,
        problem,
        iterations=iterations,
        learning_rate=learning_rate,
        on_iteration=on_iteration or (lambda done, loss: None),
    )


def through_a_file(arrays):
    """As a chunk gets them: an array file keeps values and not the layout in memory."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file) as loaded:
        return dict(loaded)


# --- the fit


def test_a_short_fit_is_nearer_to_the_truth_than_what_was_observed():
    """Measured: noisy 20.4 dB; 24.4 after 50 iterations, 20.5 after 400, when the noise has been learnt too."""
    clean = photograph(*SIZE)
    result = run(new_prior(), noisy_frame(), iterations=50)[0].numpy()
    assert psnr(result, clean) > psnr(noisy(clean, SIGMA_8BIT), clean) + 3


def test_held_out_pixels_stop_the_fit_before_it_learns_the_noise():
    """Measured over four seeds: ended after 161 to 166 iterations at 23.9 to 24.1 dB; 20.5 dB without a rule."""
    clean, steps = photograph(*SIZE), []
    stopped = run(
        new_prior(),
        noisy_frame(),
        iterations=800,
        held_out=True,
        on_iteration=lambda done, loss: steps.append(done),
    )
    to_the_end = run(new_prior(), noisy_frame(), iterations=800)
    assert steps == list(range(1, len(steps) + 1))
    assert 50 <= len(steps) < 500
    assert psnr(stopped[0].numpy(), clean) > psnr(to_the_end[0].numpy(), clean) + 2


def test_without_a_captured_pixel_to_judge_by_all_iterations_are_done():
    """A frame that is wholly missing, known from its neighbours only: an error of 0 at no pixel is no minimum."""
    fused = noisy_frame()
    blind = Observation(fused.captured.image, torch.zeros(1, 1, *SIZE), fused.captured.variance)
    problem = Problem(fused.observations, None, fused.noise, blind)
    clean, steps = photograph(*SIZE), []
    result = run(
        new_prior(engine(stopping={"floor": 10, "patience": 10})),
        problem,
        iterations=100,
        held_out=True,
        on_iteration=lambda done, loss: steps.append(done),
    )
    assert steps[-1] == 100
    assert psnr(result[0].numpy(), clean) > psnr(fused.captured.image[0].numpy(), clean)


def test_hidden_pixels_are_not_fitted():
    """With half of the pixels hidden, the noise is learnt at the others only."""
    settings = engine(stopping={"held_out": 0.49, "floor": 1000, "patience": 1000})
    prior, same = new_prior(settings), new_prior(settings)
    hidden = same.hidden_pixels(0.49)[0, 0].numpy() > 0  # the first draw of an equal prior
    problem = noisy_frame()
    run(prior, problem, iterations=400, held_out=True)
    difference = (prior.generate(None).detach() - problem.captured.image)[0].numpy() ** 2
    assert difference[:, ~hidden].mean() < 0.6 * difference[:, hidden].mean()


def test_each_iteration_is_reported_with_a_finite_loss():
    seen = []
    run(new_prior(), noisy_frame(), iterations=12, on_iteration=lambda *step: seen.append(step))
    assert [done for done, _ in seen] == list(range(1, 13))
    assert all(math.isfinite(loss) for _, loss in seen)
    assert seen[-1][1] < seen[0][1]


def test_the_result_carries_no_gradient_to_the_network():
    assert not run(new_prior(), noisy_frame()).requires_grad


def test_a_reference_pulls_the_fit_towards_it():
    white, visible = torch.ones(1, 3, *SIZE), torch.ones(1, 1, *SIZE)
    settings = engine(temporal={"consistency_weight": 1.0})
    alone = run(new_prior(settings), noisy_frame(), iterations=30)
    pulled = run(new_prior(settings), noisy_frame(reference=Reference(white, visible)), iterations=30)
    assert pulled.mean() > alone.mean() + 0.05


def test_an_observation_of_lower_resolution_is_fitted_through_its_operator():
    clean = torch.from_numpy(photograph(*SIZE))[None]
    small = Downsample(2)(clean)
    ones = torch.ones(1, 1, *small.shape[2:])
    seen = Observation(small, ones, 1e-4 * ones, Downsample(2))
    result = run(new_prior(), Problem((seen,), None, NoiseModel(0.0, 1e-4), seen), iterations=200)
    assert psnr(Downsample(2)(result)[0].numpy(), small[0].numpy()) > 22


def test_a_frame_of_which_nothing_is_known_is_an_error():
    with pytest.raises(FitError, match="not one pixel of the frame is observed"):
        run(new_prior(), noisy_frame(weight=torch.zeros(1, 1, *SIZE)))


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_do():
    problem = noisy_frame()
    problem.captured.image[..., 3, 4] = math.nan
    with pytest.raises(FitError, match=r"the loss is nan after 1 iterations; lower fit\.learning_rate"):
        run(new_prior(), problem)


@pytest.mark.parametrize("size", [(33, 47), (5, 7), (1, 40), (1, 1)])
def test_any_size_can_be_fitted(size):
    guides = torch.rand(1, 6, *size, generator=torch.Generator().manual_seed(0))
    result = run(new_prior(size=size, guide_channels=6), noisy_frame(size, guides=guides))
    assert result.shape == (1, 3, *size)
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("autocast", ["off", "bfloat16"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_every_arithmetic_gives_a_picture_in_float32(autocast, channels_last):
    result = run(new_prior(autocast=autocast, channels_last=channels_last), noisy_frame(), iterations=10)
    assert result.dtype is torch.float32
    assert result.min() > 0 and result.max() < 1


# --- the prior


@pytest.mark.parametrize("guide_channels", [0, 6])
def test_whatever_the_network_computes_lies_as_the_setting_says(guide_channels):
    prior = new_prior(guide_channels=guide_channels)
    laid = []

    def note(module, inputs, output):
        if output.shape[1] > 1 and output.shape[2] > 1:
            laid.extend(
                picture.is_contiguous(memory_format=torch.channels_last) for picture in (*inputs, output)
            )

    for module in prior.network.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    guides = torch.rand(1, guide_channels, *SIZE) if guide_channels else None
    prior.generate(prior.prepare(guides))
    assert laid and all(laid)


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_saved_prior_continues_exactly(channels_last):
    """Bit for bit, parameters and moments: also in the layout that they have after a file."""
    prior = new_prior(channels_last=channels_last)
    run(prior, noisy_frame())
    saved = through_a_file(prior.save())
    continued = new_prior(channels_last=channels_last, seed=0)
    continued.load(saved)
    assert torch.equal(run(prior, noisy_frame()), run(continued, noisy_frame()))
    assert all(
        np.array_equal(value, other)
        for value, other in zip(prior.save().values(), continued.save().values(), strict=True)
    )


def test_moments_are_part_of_what_is_saved():
    """Parameters alone would continue otherwise: Adam's first steps are larger."""
    prior = new_prior()
    run(prior, noisy_frame())
    forgetful = new_prior()
    at_the_start = {name: array for name, array in forgetful.save().items() if name.startswith("adam.")}
    forgetful.load(prior.save() | at_the_start)
    assert not torch.equal(run(prior, noisy_frame()), run(forgetful, noisy_frame()))


def test_what_was_saved_does_not_change_when_the_fit_goes_on():
    prior = new_prior()
    run(prior, noisy_frame())
    saved = prior.save()
    before = {name: array.copy() for name, array in saved.items()}
    run(prior, noisy_frame())
    assert all(np.array_equal(saved[name], before[name]) for name in saved)


def test_a_fit_takes_the_learning_rate_it_is_given():
    """Adam's first step changes every parameter by the rate, or not at all where there is no gradient."""
    prior = new_prior()
    before = {name: array for name, array in prior.save().items() if name.endswith("weight")}
    run(prior, noisy_frame(), iterations=1, learning_rate=0.0003)
    after = prior.save()
    # float32 weights of the size 1 carry the difference to some 1e-7
    assert max(np.abs(after[n] - before[n]).max() for n in before) == pytest.approx(0.0003, abs=1e-6)


def test_code_noise_jitters_the_code_and_leaves_it_as_it_was():
    prior = new_prior()
    code = prior.code.clone()
    first, second = (prior.generate(None, code_noise=0.03) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(prior.code, code)


def test_about_the_asked_share_of_pixels_is_hidden():
    share = new_prior(size=(100, 100)).hidden_pixels(0.03).mean().item()
    # 10,000 draws: a standard error of 0.0017
    assert share == pytest.approx(0.03, abs=0.007)


@pytest.mark.parametrize(
    ("network", "recorded"), [({}, 1), ({"padding": "reflect"}, 0), ({"upsampling": "bilinear"}, 0)]
)
def test_a_network_is_recorded_once_for_a_gpu_unless_its_gradients_are_sorts(monkeypatch, network, recorded):
    seen = []
    monkeypatch.setattr(Compute, "record", lambda *arguments: seen.append(arguments))
    prior = new_prior(engine(network=network))
    for _ in range(2):
        prior.generate(None)
    assert len(seen) == recorded
