"""Dust is found, moving things and clean film are left alone."""

import numpy as np
from blemishes import add_dust, hit_rates
from photographs import noisy, panned

from reelprior.models.dust import find_dust


def moving():
    return panned(7, 96, 112)


def test_dust_on_a_moving_scene_is_found():
    # Large and small, dark and light, down to half opacity: what is missed is faint or a pixel or two.
    damaged = add_dust(moving(), np.random.default_rng(3), per_frame=6)
    precision, recall = hit_rates(find_dust(damaged.frames).mask, damaged)
    assert precision > 0.85
    assert recall > 0.75


def test_dust_is_found_to_its_soft_rim():
    clip = moving()
    rows, columns = np.mgrid[:96, :112]
    cover = np.clip(4.5 - np.hypot(rows - 40, columns - 60), 0, 2).astype(np.float32) / 2
    clip[3] += 0.8 * cover * (0.02 - clip[3])
    found = find_dust(clip).mask[3]
    assert found[cover > 0.1].mean() > 0.95
    assert found.sum() < 2 * (cover > 0).sum()


def test_dust_is_found_though_a_neighbour_has_some_at_the_same_place():
    clip = np.full((7, 3, 96, 112), 0.4, np.float32)
    clip[3, :, 40:46, 50:56] = 0.9
    clip[5, :, 42:48, 52:58] = 0.9
    found = find_dust(clip).mask
    assert found[3, 40:46, 50:56].mean() > 0.9
    assert not found[4].any()


def test_a_clean_scene_has_next_to_none():
    assert find_dust(moving()).mask.mean() < 3e-4


def test_noise_is_no_dust():
    assert find_dust(noisy(moving(), 12)).mask.mean() < 3e-4


def test_an_object_faster_than_the_flow_is_no_dust():
    clip = np.full((7, 3, 96, 112), 0.4, np.float32)
    for t, frame in enumerate(clip):
        frame[:, 40:44, 10 + 5 * t : 14 + 5 * t] = 0.9  # a ball: somewhere in every frame
    assert not find_dust(clip).mask.any()


def test_a_blot_too_large_to_judge_is_shown_and_left_alone():
    clip = moving()
    clip[3, :, 20:70, 20:90] = 0.95
    found = find_dust(clip)
    assert not found.mask[3, 30:60, 30:80].any()


def test_two_frames_tell_nothing():
    assert not find_dust(moving()[:2]).confidence.any()


def test_wanted_frames_are_judged_as_they_would_be_in_the_whole_clip():
    damaged = add_dust(moving(), np.random.default_rng(3), per_frame=6).frames
    np.testing.assert_array_equal(
        find_dust(damaged, range(2, 4)).confidence, find_dust(damaged).confidence[2:4]
    )


def test_more_sensitivity_finds_more():
    damaged = add_dust(moving(), np.random.default_rng(3), per_frame=6).frames[:5]
    assert find_dust(damaged, sensitivity=2.0).mask.sum() > find_dust(damaged, sensitivity=0.5).mask.sum()
