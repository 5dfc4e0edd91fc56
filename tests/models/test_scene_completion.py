"""Wide holes that no frame shows: one guess, carried through the scene."""

import cv2
import numpy as np
import pytest
from photographs import panned as panned_photograph
from photographs import photograph

from reelprior.models.clip import Clip
from reelprior.models.noise import NoiseModel
from reelprior.models.scene_completion import Completed, complete_scene
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.temporal import fit_key_frame, restore_clip
from reelprior.models.warp import estimate_flow

SIZE = (96, 128)
CPU = ComputeSettings(device="cpu", autocast="off")


def panned(by, *, count=5):
    """(T, 3, H, W): a camera that moves by so many pixels a frame over a photograph."""
    return panned_photograph(count, *SIZE, step=(by, 0))


def box(*, left, count=5, by=0, side=24):
    """(T, H, W): a hole that moves to the left by so many pixels a frame."""
    hidden = np.zeros((count, *SIZE), bool)
    for t in range(count):
        hidden[t, 36 : 36 + side, left - by * t : left + side - by * t] = True
    return hidden


class Guesses:
    """Fills holes with a pattern of its own, another each time, and counts."""

    def __init__(self, pictures):
        self.pictures, self.frames = pictures, []

    def __call__(self, t, wide):
        self.frames.append(t)
        pattern = np.random.default_rng(len(self.frames)).random(self.pictures[t].shape, np.float32)
        blurred = cv2.GaussianBlur(pattern.transpose(1, 2, 0), (0, 0), 2).transpose(2, 0, 1)
        return np.where(wide, blurred, self.pictures[t])


def completed(pictures, hidden, *, wanted=None, given=None, width=12):
    guess = Guesses(pictures)
    result, filled = complete_scene(
        np.where(hidden[:, None], np.float32(0.5), pictures),
        hidden,
        range(len(pictures)) if wanted is None else wanted,
        width=width,
        given=given,
        flow=lambda source, target: estimate_flow(pictures[source], pictures[target]),
        guess=guess,
        colour_scale=0.08,
    )
    return result, filled, guess.frames


def test_a_scene_that_stands_still_shows_the_same_guess_in_every_frame():
    pictures, hidden = panned(0), box(left=40)
    result, filled, guessed = completed(pictures, hidden)
    assert len(guessed) == 1
    np.testing.assert_array_equal(filled, hidden)
    assert np.abs(result - result[0]).max() < 0.01


def test_a_guess_moves_with_the_scene():
    pictures, hidden = panned(3), box(left=70, by=3)
    result, filled, guessed = completed(pictures, hidden)
    assert len(guessed) == 1 and (filled == hidden).mean() > 0.999
    inside = [result[t][:, hidden[t]] for t in range(5)]
    for one in inside[1:]:
        assert np.abs(one - inside[0]).mean() < 0.02


def test_what_is_known_stays_as_it_is():
    pictures, hidden = panned(2), box(left=60, by=2)
    result, _, _ = completed(pictures, hidden)
    known = np.broadcast_to(~hidden[:, None], result.shape)
    np.testing.assert_array_equal(result[known], pictures[known])


def test_a_guess_becomes_as_light_as_its_surroundings():
    pictures, hidden = 0.4 + 0.2 * panned(0), box(left=40)
    fading = pictures + np.linspace(0, 0.2, 5, dtype=np.float32)[:, None, None, None]
    result, _, _ = completed(fading, hidden)
    means = np.array([result[t][:, hidden[t]].mean() for t in range(5)])
    np.testing.assert_allclose(means - means[0], np.linspace(0, 0.2, 5), atol=0.02)


def test_a_completed_picture_of_the_same_place_is_used():
    pictures, hidden = panned(2), box(left=60, by=2)
    guess = Guesses(pictures)
    key = Completed(guess(0, hidden[0]))
    result, filled, guessed = completed(pictures, hidden, wanted=range(2, 5), given=key)
    assert not guessed
    assert not filled[:2].any()
    at = [result[t][:, hidden[t]] for t in (2, 3, 4)]
    for one in at:
        assert np.abs(one - key.picture[:, hidden[0]]).mean() < 0.03


def test_a_completed_picture_of_another_place_is_not():
    pictures, hidden = panned(0), box(left=40)
    elsewhere = Completed(photograph(*SIZE, top=150, left=20))
    _, _, guessed = completed(pictures, hidden, given=elsewhere)
    assert len(guessed) == 1


def test_holes_that_lie_apart_are_guessed_together():
    pictures = panned(0)
    hidden = box(left=8) | box(left=90)
    _, filled, guessed = completed(pictures, hidden)
    assert len(guessed) == 1
    np.testing.assert_array_equal(filled, hidden)


def test_a_hole_that_comes_later_is_guessed_when_it_is_there():
    pictures = panned(0)
    hidden = box(left=8)
    hidden[3:] |= box(left=90)[3:]
    hidden[3:] &= ~box(left=8)[3:]
    _, filled, guessed = completed(pictures, hidden)
    assert len(guessed) == 2
    np.testing.assert_array_equal(filled, hidden)


@pytest.mark.parametrize("width", [0, 40])
def test_holes_that_are_not_wide_are_left(width):
    pictures, hidden = panned(0), box(left=40)
    _, filled, guessed = completed(pictures, hidden, width=width)
    assert not filled.any() and not guessed


def test_chunks_of_a_scene_show_what_its_key_frame_was_completed_to():
    """Through the engine: parameters carry the guess from the task of the key frame to those of the chunks.

    The guess is replaced by a colour, which a chunk that guessed by itself would not come to.
    """
    truth, missing = panned(0, count=8), box(left=40, count=8)
    frames = np.where(missing[:, None], np.float32(0.2), truth)
    engine = EngineSettings.model_validate(
        {
            "network": {"channels": (8, 8), "skip_channels": (2, 2)},
            "temporal": {"key_iterations": 2, "key_coarse_iterations": 2, "warm_iterations": 2},
            "completion": {"channels": (8, 8), "iterations": 20},
            "enlarging": {"channels": (4,), "lessons": 4},
            "collaborative": {"enabled": False},
        }
    )
    clip = Clip(frames, missing, NoiseModel.from_sigma_8bit(0.0), only_missing=True)
    how = {"engine": engine, "compute": CPU, "seed": 0, "on_step": lambda step: None}
    parameters = fit_key_frame(clip.part(range(0, 5)), 2, **how)
    inner = cv2.erode(missing[0].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    colour = np.array([0.9, 0.1, 0.6], np.float32)[:, None]
    parameters["completed/picture"][:, missing[2]] = colour
    for frames in (range(0, 4), range(4, 8)):
        restored = restore_clip(clip.part(frames), range(4), parameters=parameters, **how)
        assert np.abs(restored[:, :, inner] - colour).mean() < 0.05
