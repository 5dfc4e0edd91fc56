"""The scene behind a half-transparent logo is told; behind an opaque one, and without room for a trial, it is not."""

import cv2
import numpy as np
import pytest
from blemishes import add_logo
from photographs import panned, psnr

from reelprior.models.logo import find_logo
from reelprior.models.overlay import Overlay, find_overlay

CLEAN = panned(20, 136, 172, step=(-3, 5))


def found_in(frames):
    levels = np.rint(frames * 255).astype(np.uint8)
    logo = find_logo(np.rint(frames.mean(axis=1) * 255).astype(np.uint8)).mask[0]
    return logo, find_overlay(logo, lambda rows, columns: levels[:, :, rows, columns])


def guessed(frames, logo):
    hidden = cv2.dilate(logo.astype(np.uint8), np.ones((3, 3), np.uint8))
    pictures = np.ascontiguousarray(np.rint(frames.transpose(0, 2, 3, 1) * 255).astype(np.uint8))
    filled = np.stack([cv2.inpaint(picture, hidden, 3, cv2.INPAINT_TELEA) for picture in pictures])
    return filled.transpose(0, 3, 1, 2).astype(np.float32) / 255


@pytest.mark.parametrize("opacity", [0.35, 0.6])
def test_the_scene_is_seen_through_a_half_transparent_logo(opacity):
    frames = add_logo(CLEAN, opacity=opacity).frames
    logo, overlay = found_in(frames)
    assert overlay is not None
    where = overlay.covered
    assert where.any() and not (where & ~logo).any()
    assert overlay.transmission[where].mean() == pytest.approx(1 - opacity, abs=0.12)
    told = overlay.taken_off(frames)[:, :, where]
    assert psnr(told, CLEAN[:, :, where]) > psnr(guessed(frames, logo)[:, :, where], CLEAN[:, :, where]) + 5


@pytest.mark.parametrize("colours", [["red", "red"], ["red", "blue"]], ids=["one colour", "two colours"])
def test_of_a_coloured_logo_what_one_colour_explains_is_seen_through(colours):
    red_green_blue = {"red": (0.9, 0.1, 0.1), "blue": (0.1, 0.2, 0.9)}
    first, second = (np.array(red_green_blue[name], np.float32)[:, None, None] for name in colours)
    logo = add_logo(CLEAN, opacity=0.5).visible[0]
    halves = np.where(np.arange(CLEAN.shape[3]) < 130, first, second)
    frames = CLEAN + np.float32(0.5) * logo * (halves - CLEAN)
    levels = np.rint(frames * 255).astype(np.uint8)
    overlay = find_overlay(logo, lambda rows, columns: levels[:, :, rows, columns])
    assert overlay is not None
    where = overlay.covered
    told, filled = overlay.taken_off(frames)[:, :, where], guessed(frames, logo)[:, :, where]
    assert psnr(told, CLEAN[:, :, where]) > psnr(filled, CLEAN[:, :, where]) + 5


def test_nothing_is_seen_through_an_opaque_logo():
    logo, overlay = found_in(add_logo(CLEAN, opacity=1.0).frames)
    assert logo.any() and overlay is None


def test_nothing_is_said_where_the_picture_has_no_room_for_a_trial():
    frames = CLEAN[:, :, :48]
    levels = np.rint(add_logo(frames, opacity=0.5).frames * 255).astype(np.uint8)
    logo = np.zeros(frames.shape[2:], np.bool_)
    logo[6:42, 20:150] = True
    assert find_overlay(logo, lambda rows, columns: levels[:, :, rows, columns]) is None


def test_no_logo_has_no_overlay():
    def read(rows, columns):
        raise AssertionError("nothing is to be read")

    assert find_overlay(np.zeros((40, 60), np.bool_), read) is None


def test_elsewhere_frames_are_as_they_were_and_the_scene_stays_in_range():
    rng = np.random.default_rng(0)
    transmission = np.ones((8, 9), np.float32)
    transmission[2:5, 3:6] = 0.4
    added = np.where(transmission < 1, np.float32(0.5), 0) * np.ones((3, 1, 1), np.float32)
    overlay = Overlay(transmission, added)
    frames = rng.normal(0.5, 0.6, (2, 3, 8, 9)).astype(np.float32)
    scene = overlay.taken_off(frames)
    np.testing.assert_array_equal(scene[:, :, ~overlay.covered], frames[:, :, ~overlay.covered])
    assert scene[:, :, overlay.covered].min() >= 0 and scene[:, :, overlay.covered].max() <= 1
    part = overlay.cut(slice(1, 4), slice(2, 9))
    np.testing.assert_array_equal(part.taken_off(frames[:, :, 1:4, 2:9]), scene[:, :, 1:4, 2:9])
