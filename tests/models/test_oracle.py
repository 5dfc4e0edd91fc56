"""Stopping rules against the best iterate of the same fit, which only the truth can tell."""

from unittest.mock import patch

import numpy as np
import pytest
from photographs import noisy, psnr
from skimage import data

from reelprior.models.clip import Clip
from reelprior.models.gauge import Gauge
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.stopping import choose_rule
from reelprior.models.temporal import restore_clip

SIZE = 128
#: More than the best iterate takes, by half at least.
ITERATIONS = 220


class Unheard:
    """A rule whose fit goes on when it ends it, so that the best iterate is known even where that comes later."""

    def __init__(self, rule):
        self.rule, self.reach, self.ended, self.looks, self.kept = rule, rule.reach, False, 0, 0

    def look(self, look):
        ago = None if self.ended else self.rule.look(look)
        if ago is not None:
            self.kept = self.looks - ago
        self.looks += 1
        return ago

    def ends(self, iteration):
        self.ended = self.ended or self.rule.ends(iteration)
        return False


def crop(name):
    """The middle of a photograph, (1, 3, 128, 128) float32 in [0, 1]."""
    full = getattr(data, name)()[..., :3].astype(np.float32) / 255
    top, left = ((side - SIZE) // 2 for side in full.shape[:2])
    return np.ascontiguousarray(full[top : top + SIZE, left : left + SIZE].transpose(2, 0, 1)[None])


def loss_db(name, rule, *, sigma_8bit=25, engine=None):
    """PSNR in dB of the best average of a still picture's fit, over that of the one which the rule kept."""
    clean = crop(name)
    frames = noisy(clean, sigma_8bit)
    noise = detect_clipping(NoiseModel.from_sigma_8bit(sigma_8bit), frames)
    settings = {"fit": {"iterations": ITERATIONS}, "stopping": {"rule": rule}} | (engine or {})
    scores, unheard = [], []

    class Watched(Gauge):
        """Shows each average to the truth, too."""

        def look(self, iteration, data, iterate, average):
            if average.shape == clean.shape:  # and not half of it: a coarse fit
                scores.append(psnr(average.numpy(), clean))
            return super().look(iteration, data, iterate, average)

    def choose(*arguments, **facts):
        unheard.append(Unheard(choose_rule(*arguments, **facts)))
        return unheard[-1]

    with patch("reelprior.models.fit.Gauge", Watched), patch("reelprior.models.fit.choose_rule", choose):
        restore_clip(
            Clip(frames, None, noise),
            range(1),
            parameters=None,
            engine=EngineSettings.model_validate(settings),
            compute=ComputeSettings(device="cpu", autocast="off"),
            seed=0,
            on_step=lambda step: None,
        )
    (rule,) = unheard
    return max(scores) - scores[rule.kept]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_hidden_pixels_tell_the_best_iterate(name):
    assert loss_db(name, "held_out") < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "chelsea"])
@pytest.mark.parametrize(("rule", "most"), [("discrepancy", 0.3), ("variance", 0.5)])
def test_what_a_rule_without_hidden_pixels_keeps_is_near_the_best_iterate(name, rule, most):
    """How far iterates wander hangs on the rounding of each machine: of 33 fits the variance rule
    was 0.27 dB off in the mean, three of a smooth picture by 0.4 to 3 dB."""
    assert loss_db(name, rule) < most


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "sigma_8bit"), [("held_out", 25), ("held_out", 50), ("discrepancy", 25)])
def test_so_it_is_without_guides(rule, sigma_8bit):
    """The published way, from a random start at full resolution, where the best iterate comes much later."""
    plain = {"network": {"guided": False}, "fit": {"iterations": ITERATIONS, "coarse_iterations": 0}}
    assert loss_db("coffee", rule, sigma_8bit=sigma_8bit, engine=plain) < 0.3


@pytest.mark.slow
def test_the_residual_alone_ends_too_early_where_a_picture_is_rich_in_detail():
    """Not a wish, a known limit: what was learnt of the noise by then has made the residual smaller than the noise.

    Measured: 0.55 dB below the best; hidden pixels, which know, lose 0.03 dB there.
    """
    assert loss_db("astronaut", "discrepancy") < 0.8
