"""Scratches stay where they are; poles go with the scene; what stands still and is steady is unsure."""

import numpy as np
from photographs import panned

from reelprior.models.scratches import find_scratches


def moving(frames=9):
    return panned(frames, 120, 112, step=(2, 0))


def test_a_scratch_on_a_moving_scene_is_found():
    clip = moving()
    for t, frame in enumerate(clip):
        column = 60 + t % 2  # it wavers
        frame[:, :, column : column + 2] = 0.2 * frame[:, :, column : column + 2] + 0.8
    found = find_scratches(clip).mask
    # Where what is behind it is as light, it cannot be seen.
    assert found[4, :, 60:62].mean() > 0.5
    assert found.mean() < 0.08


def test_a_clean_scene_has_next_to_none():
    assert find_scratches(moving()).mask.mean() < 3e-3


def test_a_pole_that_moves_with_the_scene_is_none():
    clip = moving()
    for t, frame in enumerate(clip):
        frame[:, :, 70 - 2 * t : 72 - 2 * t] = 0.95
    poles = np.stack([find_scratches(clip).mask[t, :, 70 - 2 * t : 72 - 2 * t] for t in range(len(clip))])
    assert poles.mean() < 0.05


def test_a_steady_line_on_a_still_plain_scene_is_shown_and_left_alone():
    clip = np.full((9, 3, 120, 112), 0.4, np.float32)
    clip[:, :, 20:110, 50:52] = 0.9
    found = find_scratches(clip)
    assert (found.confidence[:, 30:100, 50:52] > 0).mean() > 0.9
    assert not found.mask.any()


def test_a_restless_line_on_a_still_scene_is_a_scratch():
    clip = np.full((9, 3, 120, 112), 0.4, np.float32)
    for t, level in enumerate(np.random.default_rng(1).uniform(0.5, 0.9, len(clip))):
        clip[t, :, :, 50:52] = level
    assert find_scratches(clip).mask[4, :, 50:52].mean() > 0.9


def test_two_frames_tell_nothing():
    assert not find_scratches(moving(2)).confidence.any()
