"""Refining what no frame shows: nearer to the truth there, untouched elsewhere."""

import numpy as np
import pytest
from photographs import photograph, psnr

from reelprior.models.device import Compute
from reelprior.models.refinement import refine_unseen
from reelprior.models.settings import CollaborativeSettings, ComputeSettings, EngineSettings
from reelprior.models.spatial import fill_holes


def refined(restored, unseen, *, steps=8):
    return refine_unseen(
        restored,
        unseen,
        engine=EngineSettings(collaborative=CollaborativeSettings(unseen_steps=steps)),
        compute=Compute(ComputeSettings(device="cpu")),
        on_step=lambda share: None,
    )


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_scattered_gaps_come_nearer_to_the_truth(share):
    """By 1 dB at least over the interpolation that it starts from, in the gaps."""
    truth = photograph(64, 64)
    gaps = np.random.default_rng(5).random((64, 64)) < share
    guess = fill_holes(truth, gaps)
    result = refined(guess[None], gaps[None])[0]
    np.testing.assert_array_equal(result[:, ~gaps], truth[:, ~gaps])
    assert psnr(result[:, gaps], truth[:, gaps]) > psnr(guess[:, gaps], truth[:, gaps]) + 1


def test_where_all_is_seen_nothing_changes():
    picture = photograph(32, 32)[None]
    assert refined(picture, np.zeros((1, 32, 32), bool)) is picture
