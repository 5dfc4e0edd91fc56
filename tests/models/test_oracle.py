"""Stopping rules against the best iterate of the same fit, which only the truth can tell."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from photographs import noisy, psnr
from skimage import data

from reelprior.models.coarse import fit_coarse
from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import fill_holes, quick_denoise
from reelprior.models.stopping import choose_rule

SIZE = 128
#: More than twice as many as the best iterate takes.
ITERATIONS = 350
COMPUTE = Compute(ComputeSettings(device="cpu", autocast="off"))


class Unheard:
    """A rule whose fit goes on when it ends it, so that the best iterate is known even where that comes later."""

    def __init__(self, rule):
        self.rule, self.reach, self.ended = rule, rule.reach, False

    def look(self, look):
        return None if self.ended else self.rule.look(look)

    def ends(self, iteration):
        self.ended = self.ended or self.rule.ends(iteration)
        return False


class Watched(Prior):
    """A prior that knows the truth, and how near the averages of its pictures came to it."""

    clean: np.ndarray
    best_db: float
    _average: torch.Tensor | None
    _iteration: int

    def watch(self, clean):
        self.clean, self.best_db, self._average, self._iteration = clean, 0.0, None, 0

    def generate(self, guides, *, code_noise=0.0):
        picture = super().generate(guides, code_noise=code_noise)
        iterate = picture.detach()
        # As `fit` averages: a running mean at first.
        decay = min(self.engine.fit.average, self._iteration / (self._iteration + 1))
        self._average = iterate if self._average is None else self._average.lerp(iterate, 1 - decay)
        self._iteration += 1
        self.best_db = max(self.best_db, psnr(self._average.numpy(), self.clean))
        return picture

    def of_size(self, size):
        """The coarse fit is not watched."""
        return Prior(self.engine, self.compute, size=size, guide_channels=6, seed=0)


def crop(name):
    """The middle of a photograph, halved by area: (1, 3, 128, 128) float32 in [0, 1]."""
    full = getattr(data, name)()[..., :3].astype(np.float32) / 255
    top, left = (full.shape[0] - 2 * SIZE) // 2, (full.shape[1] - 2 * SIZE) // 2
    middle = full[top : top + 2 * SIZE, left : left + 2 * SIZE]
    return middle.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3)).transpose(2, 0, 1)[None]


def loss_db(name, stopping, *, sigma_8bit, guided):
    """PSNR in dB of the best average of a fit, over that of the one which the rule kept."""
    clean = crop(name)
    frames = noisy(clean, sigma_8bit)
    noise = detect_clipping(NoiseModel.from_sigma_8bit(sigma_8bit), frames)
    engine = EngineSettings.model_validate({"network": {"guided": guided}, "stopping": stopping})
    prior = Watched(engine, COMPUTE, size=(SIZE, SIZE), guide_channels=6 if guided else 0, seed=0)
    hides = engine.stopping.rule == "held_out"
    hidden = prior.hidden_pixels(engine.stopping.held_out) if hides else None
    unseen = None if hidden is None else hidden[0, 0].numpy() > 0
    quick = quick_denoise(fill_holes(frames[0], unseen), sigma=sigma_8bit / 255)[None]
    captured = Neighbours(Clip(frames, None, noise), quick, engine.fusion, COMPUTE).captured(0)
    guides = torch.from_numpy(quick).repeat(1, 2, 1, 1) if guided else None
    problem = Problem((captured,), guides, noise, captured, hidden=hidden)
    rate = engine.fit.learning_rate
    if guided:
        fit_coarse(prior, problem, iterations=200, learning_rate=rate, on_iteration=ignore)
    prior.watch(clean)
    with patch("reelprior.models.fit.choose_rule", lambda *settings, **facts: Unheard(choose_rule(*settings, **facts))):
        kept = fit(prior, problem, iterations=ITERATIONS, learning_rate=rate, on_iteration=ignore)
    return prior.best_db - psnr(kept.numpy(), clean)


def ignore(done, loss):
    """Nobody looks at the progress."""


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["held_out", "discrepancy", "variance"])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_what_a_rule_keeps_is_near_the_best_iterate(name, rule):
    """As a still picture is fitted: guided, coarse to fine."""
    assert loss_db(name, {"rule": rule}, sigma_8bit=25, guided=True) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["held_out", "discrepancy"])
@pytest.mark.parametrize(("name", "sigma_8bit"), [("astronaut", 25), ("coffee", 25), ("coffee", 50)])
def test_so_it_is_without_guides(name, sigma_8bit, rule):
    """The published way, from a random start at full resolution, where the best iterate comes much later."""
    assert loss_db(name, {"rule": rule}, sigma_8bit=sigma_8bit, guided=False) < 0.3
