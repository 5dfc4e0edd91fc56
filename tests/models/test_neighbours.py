"""Neighbours as observations: they lower the noise, fill what is missing, and bring nothing that is not there."""

import numpy as np
import pytest
import torch
from photographs import noisy, panned, psnr

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, FusionSettings
from reelprior.models.spatial import fill_holes

SIGMA_8BIT = 15
CLEAN = panned(5, 48, 64)
NOISY = noisy(CLEAN, SIGMA_8BIT)
NOISE = NoiseModel.from_sigma_8bit(SIGMA_8BIT)


def neighbours(*, missing=None, frames=NOISY, shown=CLEAN):
    """Flow and visibility are taken from the clean pictures: these tests are about the fusion."""
    compute = Compute(ComputeSettings(device="cpu"))
    return Neighbours(Clip(frames, missing, NOISE), shown, FusionSettings(), compute)


def picture(observation):
    return observation.image[0].numpy()


@pytest.mark.parametrize("frame", [0, 2, 4])
def test_fused_neighbours_have_less_noise(frame):
    """Five frames: 7 dB at best; the motion takes some of it, at the edges above all. Measured: 4.8 to 5.5."""
    fused = picture(neighbours().fused(frame, radius=2))
    assert psnr(fused, CLEAN[frame]) > psnr(NOISY[frame], CLEAN[frame]) + 4


def test_without_neighbours_the_frame_stays_as_it_is():
    fused = neighbours().fused(2, radius=0)
    np.testing.assert_allclose(picture(fused), NOISY[2], atol=1e-6)


def test_a_clip_of_one_frame_has_no_neighbours():
    alone = neighbours(frames=NOISY[:1], shown=CLEAN[:1])
    np.testing.assert_allclose(picture(alone.fused(0, radius=3)), NOISY[0], atol=1e-6)


def test_the_fused_variance_predicts_the_error():
    """Within 30 %: visibility and interpolation are only known about. Away from the edges, where content comes in."""
    fused = neighbours().fused(2, radius=2)
    inner = (..., slice(8, -8), slice(8, -8))
    error = np.mean((picture(fused) - CLEAN[2])[inner] ** 2)
    assert fused.variance[inner].mean().item() == pytest.approx(error, rel=0.3)


def test_what_a_frame_lacks_comes_from_its_neighbours():
    missing = np.zeros((5, 48, 64), bool)
    missing[2, 20:28, 30:40] = True
    frames = np.where(missing[:, None], np.float32(1), NOISY)
    fused = picture(neighbours(missing=missing, frames=frames).fused(2, radius=2))
    hole = (slice(None), slice(20, 28), slice(30, 40))
    assert psnr(fused[hole], CLEAN[2][hole]) > psnr(NOISY[2][hole], CLEAN[2][hole])


def test_the_hole_of_a_neighbour_brings_nothing_with_it():
    """Its white must not be seen: with and without the hole nothing but the neighbour's share of the mean differs."""
    missing = np.zeros((5, 48, 64), bool)
    missing[1, 10:30, 20:40] = True
    painted = np.where(missing[:, None], np.float32(1), NOISY)
    error = np.abs(picture(neighbours(missing=missing, frames=painted).fused(2, radius=2)) - CLEAN[2])
    assert error.max() < 5 * SIGMA_8BIT / 255


def test_where_nobody_knows_anything_there_is_no_weight():
    missing = np.zeros((5, 48, 64), bool)
    missing[:, :, 30:] = True
    weight = neighbours(missing=missing).fused(2, radius=2).weight
    assert not weight[..., 50:].any()
    assert weight[..., :30].all()


def test_captured_is_one_over_the_variance_where_the_frame_is_known():
    missing = np.zeros((5, 48, 64), bool)
    missing[2, 20:28, 30:40] = True
    captured = neighbours(missing=missing).captured(2)
    known = torch.from_numpy(~missing[2])
    assert not captured.weight[0, 0][~known].any()
    torch.testing.assert_close(captured.weight[0, 0][known], 1 / captured.variance[0, 0][known])


def test_forgetting_keeps_the_flows_of_the_frames_that_are_still_needed():
    around = neighbours()
    kept, dropped = around.flow(2, 3), around.flow(0, 1)
    around.forget(keep=range(1, 4))
    assert around.flow(2, 3) is kept
    assert around.flow(0, 1) is not dropped


def test_a_hole_shows_what_its_neighbours_show():
    """A wire that stays in place before a camera that moves: what is fetched from both sides, against the truth.

    The pictures that flow is taken from have the wire filled from its rim, which gives 20 dB. Measured: 47 dB.
    """
    truth = panned(7, 80, 96, step=(3, 1))
    missing = np.zeros((7, 80, 96), bool)
    missing[:, :, 40:43] = True
    frames = np.where(missing[:, None], np.float32(0.1), truth)
    shown = np.stack([fill_holes(*pair) for pair in zip(frames, missing, strict=True)])
    fused = neighbours(missing=missing, frames=frames, shown=shown).fused(3, radius=3)
    hole = missing[3] & (fused.weight[0, 0].numpy() > 0)
    assert hole.sum() > 0.9 * missing[3].sum()
    assert psnr(picture(fused)[:, hole], truth[3][:, hole]) > 38


def test_what_a_large_moving_object_hides_is_seen_elsewhere():
    """A disc over a camera that moves the other way: continued from its rim it has 19 dB. Measured: 53 dB."""
    truth = panned(9, 96, 128, step=(-2, 0))
    rows, columns = np.mgrid[:96, :128]
    missing = np.stack([np.hypot(rows - 48, columns - 40 - 6 * t) < 12 for t in range(9)])
    frames = np.where(missing[:, None], np.float32(0.1), truth)
    shown = np.stack([fill_holes(*pair) for pair in zip(frames, missing, strict=True)])
    fused = neighbours(missing=missing, frames=frames, shown=shown).fused(4, radius=4)
    hole = missing[4] & (fused.weight[0, 0].numpy() > 0)
    assert hole.sum() > 0.9 * missing[4].sum()
    assert psnr(picture(fused)[:, hole], truth[4][:, hole]) > 38


def test_neighbours_of_two_opinions_leave_a_hole_to_the_prior():
    """Flat frames whose hole shows black before and white after: nobody knows which is right."""
    frames = np.full((3, 3, 48, 64), 0.5, np.float32)
    frames[0, :, 20:28, 20:28], frames[2, :, 20:28, 20:28] = 0, 1
    missing = np.zeros((3, 48, 64), bool)
    missing[1, 20:28, 20:28] = True
    flat = np.full_like(frames, 0.5)
    fused = neighbours(missing=missing, frames=frames, shown=flat).fused(1, radius=1)
    assert not fused.weight[0, 0, 22:26, 22:26].any()
