"""What neighbours show of holes: found in rounds, each of which sees farther into them."""

import numpy as np
import pytest
from photographs import passing_object, psnr

from reelprior.models.device import Compute
from reelprior.models.first_look import look_at
from reelprior.models.neighbours import Clip
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, FusionSettings
from reelprior.models.uncover import uncover

CPU = Compute(ComputeSettings(device="cpu"))


def uncovered(frames, missing, *, rounds, radius=4, heard=None):
    fusion = FusionSettings(radius=radius, hole_rounds=rounds)
    clip = Clip(frames, missing, NoiseModel.from_sigma_8bit(0.3))
    shown = look_at(clip, sigma=0.0, fusion=fusion, compute=CPU)
    told = [] if heard is None else heard
    return uncover(
        clip, shown, sigma=0.0, fusion=fusion, compute=CPU, on_share=lambda t, share: told.append(share)
    )


def test_a_second_round_sees_farther_into_a_hole_and_no_worse():
    """Measured: 15.5, 24.9 and 27.2 dB in the holes."""
    truth, missing = passing_object()
    frames = np.where(missing[:, None], np.float32(0), truth)
    in_holes = np.broadcast_to(missing[:, None], truth.shape)
    levels, left = [], []
    for rounds in (0, 1, 2):
        shown, hidden = uncovered(frames, missing, rounds=rounds)
        np.testing.assert_array_equal(shown[~in_holes], frames[~in_holes])
        levels.append(psnr(shown[in_holes], truth[in_holes]))
        left.append(hidden.mean())
    assert levels[1] > levels[0] + 3
    assert levels[2] > levels[1] + 0.5
    assert left[0] == missing.mean() > left[1] > left[2]


def test_shares_of_the_work_are_told_in_order():
    truth, missing = passing_object()
    heard: list[float] = []
    uncovered(truth, missing, rounds=2, radius=1, heard=heard)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    assert len(heard) == 2 * len(truth)


def test_whole_and_lost_frames_are_left_alone():
    """A lost frame has no rim to begin at; it stays hidden, and its picture as it was."""
    truth, missing = passing_object()
    missing[3], missing[5] = True, False
    shown, hidden = uncovered(truth, missing, rounds=2)
    without, _ = uncovered(truth, missing, rounds=0)
    np.testing.assert_array_equal(shown[[3, 5]], without[[3, 5]])
    assert hidden[3].all()
    assert not hidden[5].any()


def test_without_neighbours_or_holes_there_is_nothing_to_find():
    truth, missing = passing_object()
    shown, hidden = uncovered(truth, missing, rounds=2, radius=0)
    np.testing.assert_array_equal(hidden, missing)
    shown, hidden = uncovered(truth, None, rounds=2)
    assert hidden is None
    np.testing.assert_array_equal(shown, truth)
