"""Stopping rules against the best iterate, which only the truth can tell."""

import numpy as np
import pytest
import torch
from photographs import noisy, psnr
from skimage import data

from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import quick_denoise

SIGMA_8BIT = 25
SIZE = 96


def crop(name):
    """The middle of a photograph, halved by area: (1, 3, 96, 96) float32 in [0, 1]."""
    full = getattr(data, name)()[..., :3].astype(np.float32) / 255
    top, left = (full.shape[0] - 2 * SIZE) // 2, (full.shape[1] - 2 * SIZE) // 2
    middle = full[top : top + 2 * SIZE, left : left + 2 * SIZE]
    return middle.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3)).transpose(2, 0, 1)[None]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("rule", ["held_out", "discrepancy", "variance"])
def test_a_rule_ends_within_three_tenths_of_a_decibel_of_the_best_iterate(name, rule):
    """The published configuration's inputs: noise alone, no guide. The best is of the averages over 1000 iterations."""
    clean = crop(name)
    frames = noisy(clean, SIGMA_8BIT)
    noise = NoiseModel.from_sigma_8bit(SIGMA_8BIT)
    engine = EngineSettings.model_validate({"network": {"guided": False}, "stopping": {"rule": rule}})
    compute = Compute(ComputeSettings(device="cpu", autocast="off"))
    quick = np.stack([quick_denoise(frames[0], sigma=SIGMA_8BIT / 255)])
    around = Neighbours(Clip(frames, None, noise), quick, engine.fusion, compute)
    prior = Prior(engine, compute, size=(SIZE, SIZE), guide_channels=0, seed=0)
    hidden = prior.hidden_pixels(engine.stopping.held_out) if rule == "held_out" else None
    captured = around.captured(0)
    result = fit(
        prior,
        Problem((captured,), None, noise, captured, hidden=hidden),
        iterations=1000,
        learning_rate=engine.fit.learning_rate,
        on_iteration=lambda done, loss: None,
    )
    best = best_average(engine, compute, captured, noise, clean)
    assert psnr(result.numpy(), clean) > best - 0.3


def best_average(engine, compute, captured, noise, clean):
    """PSNR in dB of the best moving average of a fit that nothing stops."""
    prior = Prior(engine, compute, size=(SIZE, SIZE), guide_channels=0, seed=0)
    best, average = 0.0, None

    def follow(done, loss):
        nonlocal best, average
        with torch.no_grad():
            picture = prior.generate(None).numpy()
        decay = min(engine.fit.average, (done - 1) / done)
        average = picture if average is None else decay * average + (1 - decay) * picture
        best = max(best, psnr(average, clean))

    whole = engine.model_copy(update={"stopping": engine.stopping.model_copy(update={"rule": "held_out"})})
    prior.engine = whole
    fit(
        prior,
        Problem((captured,), None, noise, captured),
        iterations=1000,
        learning_rate=engine.fit.learning_rate,
        on_iteration=follow,
    )
    return best
