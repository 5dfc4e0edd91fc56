"""Stopping rules against the best iterate, which only the truth can tell."""

from functools import cache

import numpy as np
import pytest
import torch
from photographs import noisy, psnr
from skimage import data

from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import quick_denoise

SIGMA_8BIT = 25
SIZE = 128
COMPUTE = Compute(ComputeSettings(device="cpu", autocast="off"))


def crop(name):
    """The middle of a photograph, halved by area: (1, 3, 128, 128) float32 in [0, 1]."""
    full = getattr(data, name)()[..., :3].astype(np.float32) / 255
    top, left = (full.shape[0] - 2 * SIZE) // 2, (full.shape[1] - 2 * SIZE) // 2
    middle = full[top : top + 2 * SIZE, left : left + 2 * SIZE]
    return middle.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3)).transpose(2, 0, 1)[None]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize(
    ("stopping", "loss"),
    [
        ({"rule": "discrepancy", "discrepancy": 0.95}, 0.5),
        # This network learns so fast that its iterates never quite come to rest on some pictures.
        ({"rule": "variance", "floor": 100}, 3.0),
        # Hidden pixels suffer from what their neighbours learn of the noise sooner than pixels that are seen gain
        # nothing more: the rule ends early. It is the default all the same, because it need not know the noise.
        ({"rule": "held_out"}, 1.0),
    ],
)
def test_a_rule_ends_near_the_best_iterate(name, stopping, loss):
    """In dB below the best average of 1000 iterations, without guides."""
    clean, captured, noise = subject(name)
    engine = EngineSettings.model_validate({"network": {"guided": False}, "stopping": stopping})
    prior = Prior(engine, COMPUTE, size=(SIZE, SIZE), guide_channels=0, seed=0)
    hides = stopping["rule"] == "held_out"
    hidden = prior.hidden_pixels(engine.stopping.held_out) if hides else None
    result = fit(
        prior,
        Problem((captured,), None, noise, captured, hidden=hidden),
        iterations=1000,
        learning_rate=engine.fit.learning_rate,
        on_iteration=lambda done, loss: None,
    )
    assert psnr(result.numpy(), clean) > best_average(name) - loss


@cache
def subject(name):
    """A clean picture, what was captured of it, and the noise."""
    clean = crop(name)
    frames = noisy(clean, SIGMA_8BIT)
    noise = detect_clipping(NoiseModel.from_sigma_8bit(SIGMA_8BIT), frames)
    quick = np.stack([quick_denoise(frames[0], sigma=SIGMA_8BIT / 255)])
    around = Neighbours(Clip(frames, None, noise), quick, EngineSettings().fusion, COMPUTE)
    return clean, around.captured(0), noise


@cache
def best_average(name):
    """PSNR in dB of the best moving average of a fit that nothing stops."""
    clean, captured, noise = subject(name)
    engine = EngineSettings.model_validate({"network": {"guided": False}})
    prior = Prior(engine, COMPUTE, size=(SIZE, SIZE), guide_channels=0, seed=0)
    best, average = 0.0, None

    def follow(done, loss):
        nonlocal best, average
        with torch.no_grad():
            picture = prior.generate(None).numpy()
        decay = min(engine.fit.average, (done - 1) / done)
        average = picture if average is None else decay * average + (1 - decay) * picture
        best = max(best, psnr(average, clean))

    fit(
        prior,
        Problem((captured,), None, noise, captured),
        iterations=1000,
        learning_rate=engine.fit.learning_rate,
        on_iteration=follow,
    )
    return best
