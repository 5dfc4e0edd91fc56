"""Lost stretches of lines are found; horizontal structure is not taken for one."""

import numpy as np
from blemishes import add_dropouts, hit_rates
from photographs import panned

from reelprior.models.dropouts import find_dropouts


def test_lost_lines_are_found():
    damaged = add_dropouts(panned(7, 96, 112), np.random.default_rng(4))
    precision, recall = hit_rates(find_dropouts(damaged.frames).mask, damaged)
    assert precision > 0.9
    assert recall > 0.7


def test_a_line_that_moves_with_the_scene_is_none():
    clip = panned(7, 96, 112, step=(0, 1))
    for t, frame in enumerate(clip):
        frame[:, 50 - t, 20:90] = 0.95
    assert find_dropouts(clip).mask.mean() < 3e-4


def test_a_clean_scene_has_none():
    assert not find_dropouts(panned(7, 96, 112)).mask.any()


def test_two_frames_tell_nothing():
    assert not find_dropouts(panned(2, 64, 64)).confidence.any()
