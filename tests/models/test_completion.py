"""Wide holes of a picture: which they are, and what the deep prior makes of them."""

import cv2
import numpy as np
import pytest
from photographs import photograph, psnr

from reelprior.models.clip import Clip
from reelprior.models.completion import complete, wide_holes
from reelprior.models.device import Compute
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import fill_holes
from reelprior.models.temporal import restore_clip

CPU = ComputeSettings(device="cpu", autocast="off")
LITTLE = {"completion": {"channels": (8, 8), "iterations": 5}, "enlarging": {"channels": (4,), "lessons": 4}}


def hole(size, *, at, radius):
    mask = np.zeros(size, np.uint8)
    return cv2.circle(mask, at, radius, 1, -1) > 0


def completed(picture, missing, *, sigma_8bit=0.0, seed=0, **settings):
    clip = Clip(picture[None], missing[None], NoiseModel.from_sigma_8bit(sigma_8bit))
    engine = EngineSettings.model_validate(settings or LITTLE)
    wide = wide_holes(missing, engine.completion.width)
    return clip, complete(clip, wide, engine=engine, compute=Compute(CPU), seed=seed, told=lambda *_: None)


def test_a_hole_is_wide_as_a_whole_if_it_is_so_anywhere():
    wide = hole((64, 96), at=(30, 30), radius=9)
    wide[29:31, 30:70] = True  # a thin arm of the same hole
    thin = np.zeros_like(wide)
    thin[50:56, 10:90] = True
    np.testing.assert_array_equal(wide_holes(wide | thin, 12), wide)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_pixels_that_are_missing_here_and_there_are_no_wide_holes(share):
    missing = np.random.default_rng(3).random((96, 96)) < share
    assert not wide_holes(missing, 12).any()


def test_a_width_of_zero_takes_none():
    assert not wide_holes(hole((64, 64), at=(32, 32), radius=12), 0).any()


def test_at_the_border_of_the_picture_width_is_measured_from_what_is_known():
    missing = np.zeros((64, 64), bool)
    missing[:, :8] = True
    assert wide_holes(missing, 12).sum() == missing.sum()


def test_stripes_are_continued_through_a_hole():
    """Telea's method, from which the prior of narrow holes starts, leaves a blur."""
    rows, columns = np.mgrid[:96, :96]
    wave = 0.5 + 0.4 * np.sin(columns / 2.5) * np.ones_like(rows)
    truth = np.stack([wave, 0.8 * wave, 0.3 + 0.5 * wave]).astype(np.float32)
    missing = hole((96, 96), at=(48, 48), radius=14)
    damaged = np.where(missing, np.float32(1), truth)
    settings = {"completion": {"channels": (16, 32, 32, 32), "iterations": 400}, "enlarging": {"lessons": 60}}
    _, whole = completed(damaged, missing, **settings)
    assert whole.missing is None
    found, blurred = whole.frames[0][:, missing], fill_holes(damaged, missing)[:, missing]
    assert psnr(found, truth[:, missing]) > psnr(blurred, truth[:, missing]) + 3


def test_only_wide_holes_are_filled_and_all_else_stays():
    picture, wide = photograph(80, 101), hole((80, 101), at=(40, 50), radius=10)
    thin = np.zeros_like(wide)
    thin[70:73, 5:90] = True
    _, filled = completed(picture, wide | thin)
    np.testing.assert_array_equal(filled.missing[0], thin)
    np.testing.assert_array_equal(filled.frames[0][:, ~wide], picture[:, ~wide])
    assert (filled.frames[0][:, wide] != picture[:, wide]).mean() > 0.9
    assert filled.frames.min() >= 0 and filled.frames.max() <= 1


def test_clips_without_wide_holes_are_given_back():
    thin = np.zeros((48, 48), bool)
    thin[20:25] = True
    clip, same = completed(photograph(48, 48), thin)
    assert same is clip


def test_the_same_seed_gives_the_same_guess():
    picture, missing = photograph(64, 64), hole((64, 64), at=(32, 32), radius=9)
    first, again, other = (completed(picture, missing, seed=seed)[1].frames for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("size", [(13, 120), (17, 33), (130, 61)])
def test_pictures_of_any_size_are_completed(size):
    missing = hole(size, at=(size[1] // 2, size[0] // 2), radius=min(size) // 4)
    _, filled = completed(
        photograph(*size), missing, **(LITTLE | {"completion": {"width": 5, "iterations": 3}})
    )
    assert filled.missing is None
    assert np.isfinite(filled.frames).all()


@pytest.mark.parametrize("only_missing", [True, False])
def test_a_frame_of_which_nothing_else_is_wanted_is_done_when_it_is_complete(only_missing):
    """Its noise weighs the data of a fit; where only holes are wanted nothing is left to fit."""
    picture, missing = photograph(64, 64), hole((64, 64), at=(32, 32), radius=9)
    clip = Clip(picture[None], missing[None], NoiseModel.from_sigma_8bit(5), only_missing=only_missing)
    few = {"fit": {"iterations": 4, "coarse_iterations": 2}, "collaborative": {"enabled": False}}
    steps = []
    result = restore_clip(
        clip,
        range(1),
        parameters=None,
        engine=EngineSettings.model_validate(LITTLE | few),
        compute=CPU,
        seed=0,
        on_step=lambda step: steps.append(step.frames_done),
    )
    kept = bool((result[0][:, ~missing] == picture[:, ~missing]).all())
    assert kept == only_missing
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(1.0)


def test_holes_that_lie_far_apart_are_completed_each_by_itself():
    """In one window of a large picture they would be seen at a fraction of its resolution."""
    picture = np.tile(photograph(96, 96), (1, 1, 5))
    left, right = (hole((96, 480), at=(x, 48), radius=9) for x in (30, 450))
    _, both = completed(picture, left | right)
    for one in (left, right):
        _, alone = completed(picture, one)
        np.testing.assert_array_equal(both.frames[0][:, one], alone.frames[0][:, one])
