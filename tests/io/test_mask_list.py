"""Lists of masks: which holds when, or one line on what is wrong."""

import cv2
import numpy as np
import pytest

from reelprior.io.errors import InputError
from reelprior.io.masks import mask_paths, open_masks

SIZE = (6, 8)


def mask_file(path, level=255):
    """A mask whose left half is ``level``."""
    samples = np.zeros(SIZE, np.uint8)
    samples[:, :4] = level
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), samples)
    return path


def listed(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_mask_holds_for_its_frames_and_several_are_joined(tmp_path):
    mask_file(tmp_path / "left.png")
    for number, level in enumerate((0, 255)):
        mask_file(tmp_path / "found" / f"{number}.png", level)
    masks = listed(
        tmp_path / "m.toml",
        '[[mask]]\npath = "left.png"\nframes = "6:"\n[[mask]]\npath = "found"\nframes = "2:4"\n',
    )
    read = open_masks(masks, size=SIZE, frames=8).read(1, 8)
    assert read.any(axis=(1, 2)).tolist() == [False, False, True, False, False, True, True]
    assert read[5, :, :4].all() and not read[5, :, 4:].any()


def test_a_list_consists_of_itself_and_what_it_lists(tmp_path):
    masks = listed(tmp_path / "m.toml", '[[mask]]\npath = "left.png"\n')
    assert mask_paths(masks) == [str(masks), str(tmp_path / "left.png")]
    assert mask_paths(tmp_path / "left.png") == [str(tmp_path / "left.png")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("mask =", "not a list of masks in TOML"),
        ("", r"\[\[mask\]\] entries"),
        ('[[mask]]\nframes = "0:3"', "path ="),
        ('[[mask]]\npath = "left.png"\nsize = 3', "path ="),
        ('[[mask]]\npath = "left.png"\nframes = "3"', 'write "A:B"'),
        ('[[mask]]\npath = "left.png"\nframes = "3:99"', "the clip has the frames 0:8"),
        ('[[mask]]\npath = "left.png"\nframes = "5:3"', "the clip has the frames 0:8"),
        ('[[mask]]\npath = "none.png"', r"none\.png"),
        ("[[mask]]\npath = 3", "in quotes"),
    ],
)
def test_what_is_wrong_with_a_list_is_one_line(tmp_path, text, fault):
    mask_file(tmp_path / "left.png")
    with pytest.raises(InputError, match=fault) as caught:
        open_masks(listed(tmp_path / "m.toml", text), size=SIZE, frames=8)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"m\.toml: cannot be read"):
        open_masks(tmp_path / "m.toml", size=SIZE, frames=8)
