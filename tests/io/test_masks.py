"""Masks: one for all, one per frame, or refused."""

import cv2
import numpy as np
import pytest
from media import make_video

from reelprior.io.errors import InputError
from reelprior.io.masks import open_masks

SIZE = (6, 8)


def mask_file(path, level=255, size=SIZE):
    """A mask whose left half is ``level``."""
    samples = np.zeros(size, np.uint8)
    samples[:, : size[1] // 2] = level
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), samples)
    return path


def left_half(size=SIZE):
    mask = np.zeros(size, bool)
    mask[:, : size[1] // 2] = True
    return mask


def test_one_image_holds_for_every_frame(tmp_path):
    masks = open_masks(mask_file(tmp_path / "m.png"), size=SIZE, frames=10).read(4, 7)
    assert masks.shape == (3, *SIZE) and masks.dtype == np.bool_
    assert all((mask == left_half()).all() for mask in masks)


@pytest.mark.parametrize(("level", "missing"), [(127, False), (128, True), (255, True), (0, False)])
def test_half_white_is_missing(tmp_path, level, missing):
    masks = open_masks(mask_file(tmp_path / "m.png", level), size=SIZE, frames=1).read(0, 1)
    assert masks[0, 0, 0] == missing


@pytest.mark.parametrize("pattern", ["", "%02d.png"])
def test_a_folder_or_pattern_holds_one_mask_per_frame(tmp_path, pattern):
    folder = tmp_path / "masks"
    for number, level in enumerate((0, 255, 0, 255)):
        mask_file(folder / f"{number:02d}.png", level)
    masks = open_masks(folder / pattern, size=SIZE, frames=4).read(1, 4)
    assert masks.any(axis=(1, 2)).tolist() == [True, False, True]


def test_a_video_holds_one_mask_per_frame(tmp_path):
    clip = make_video(tmp_path / "m.mkv", frames=5, audio=False)  # its levels are on both sides of one half
    masks = open_masks(clip, size=(48, 64), frames=5).read(0, 5)
    assert masks.shape == (5, 48, 64)
    assert 0 < masks.mean() < 1


def test_transparent_white_is_not_missing(tmp_path):
    samples = np.full((*SIZE, 4), 255, np.uint8)
    samples[:, SIZE[1] // 2 :, 3] = 0
    cv2.imwrite(str(tmp_path / "m.png"), samples)
    masks = open_masks(tmp_path / "m.png", size=SIZE, frames=1).read(0, 1)
    np.testing.assert_array_equal(masks[0], left_half())


def test_masks_may_be_changed_by_who_reads_them(tmp_path):
    masks = open_masks(mask_file(tmp_path / "m.png"), size=SIZE, frames=2).read(0, 2)
    masks[0] = False
    assert masks[1].any()


@pytest.mark.parametrize("kind", ["image", "video"])
def test_another_size_is_refused(tmp_path, kind):
    path = mask_file(tmp_path / "m.png") if kind == "image" else make_video(tmp_path / "m.mkv", size=SIZE)
    with pytest.raises(InputError, match="the mask is 8x6, the clip 10x6"):
        open_masks(path, size=(6, 10), frames=12)


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_another_number_is_refused(tmp_path, kind):
    path = tmp_path / "masks"
    if kind == "folder":
        mask_file(path / "0.png")
        mask_file(path / "1.png")
    else:
        path = make_video(tmp_path / "m.mkv", size=SIZE, frames=2)
    with pytest.raises(InputError, match="2 masks for 3 frames"):
        open_masks(path, size=SIZE, frames=3)


def test_a_file_that_is_no_mask_is_refused(tmp_path):
    (tmp_path / "m.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"m\.png"):
        open_masks(tmp_path / "m.png", size=SIZE, frames=1)
