from datetime import datetime

import pytest
from photographs import photograph
from shots import exif_block, write_shot

from reelprior.io.errors import InputError
from reelprior.pipeline.pairs import find_pairs


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def names(found):
    return [(pair.flash.name, pair.ambient.name) for pair in found.pairs]


def test_names_that_differ_by_the_word_make_a_pair(tmp_path):
    folder = touch(
        tmp_path,
        "hall_flash.jpg",
        "hall_noflash.jpg",
        "yard-ambient.png",
        "yard-flash.png",
        "notes.txt",
        "more.jpg",
    )
    found = find_pairs(folder)
    assert names(found) == [("hall_flash.jpg", "hall_noflash.jpg"), ("yard-flash.png", "yard-ambient.png")]
    assert [path.name for path in found.unpaired] == ["more.jpg"]


def test_a_running_number_before_the_word_does_not_matter(tmp_path):
    folder = touch(
        tmp_path,
        "cave01_00_flash.jpg",
        "cave01_01_noflash.jpg",
        "img_0002 no-flash.tif",
        "img_0001 flash.tif",
    )
    assert names(find_pairs(folder)) == [
        ("cave01_00_flash.jpg", "cave01_01_noflash.jpg"),
        ("img_0001 flash.tif", "img_0002 no-flash.tif"),
    ]


def test_two_folders_are_paired_by_equal_names(tmp_path):
    first, second = touch(tmp_path / "f", "a.jpg", "b.jpg"), touch(tmp_path / "n", "a.tif", "c.tif")
    found = find_pairs(first, second)
    assert names(found) == [("a.jpg", "a.tif")]
    assert sorted(path.name for path in found.unpaired) == ["b.jpg", "c.tif"]


def test_exif_pairs_what_names_do_not(tmp_path):
    for name, flash, second in [
        ("1", True, 0),
        ("2", False, 4),
        ("3", False, 50),
        ("4", True, 53),
        ("5", False, 59),
    ]:
        taken = datetime(2024, 1, 1, 12, 0, second)
        write_shot(
            tmp_path / f"dsc{name}.jpg",
            photograph(16, 16),
            exif=exif_block(flash=flash, taken=taken),
            whole=False,
        )
    found = find_pairs(tmp_path)
    assert names(found) == [("dsc1.jpg", "dsc2.jpg"), ("dsc4.jpg", "dsc3.jpg")]
    assert [path.name for path in found.unpaired] == ["dsc5.jpg"]


def test_a_folder_without_pairs_says_what_would_make_some(tmp_path):
    with pytest.raises(InputError, match="noflash"):
        find_pairs(touch(tmp_path, "a.jpg", "b.jpg"))
    with pytest.raises(InputError, match="check the folder"):
        find_pairs(tmp_path / "none")
