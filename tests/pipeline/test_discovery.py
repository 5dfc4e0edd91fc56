"""What a batch finds in folders and under patterns."""

import pytest

from reelprior.io.errors import InputError
from reelprior.pipeline.discovery import find_sources


@pytest.fixture
def tree(tmp_path):
    """A folder as archives have them; files are found by name, so they may be empty."""
    for name in (
        *["b.mov", "a.MP4", "notes.txt", ".hidden.mov", "deep/er/c.mkv", "deep/ü.avi", ".git/d.mov"],
        *[
            "scan/f1.png",
            "scan/f2.png",
            "scan/f3.png",
            "scan/sound.mkv",
            "photos/anna.jpg",
            "photos/otto.tif",
        ],
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(source, **options):
    return {str(each.relative): each.kind for each in find_sources(str(source), **options)}


def test_a_folder_is_searched_with_its_folders_and_hidden_files_are_left_out(tree):
    assert found(tree) == {
        "a.MP4": "video",
        "b.mov": "video",
        "deep/er/c.mkv": "video",
        "deep/ü.avi": "video",
        "photos/anna.jpg": "image",
        "photos/otto.tif": "image",
        "scan": "sequence",
        "scan/sound.mkv": "video",
    }


def test_the_order_is_that_of_the_names(tree):
    assert next(iter(found(tree))) == "a.MP4"
    assert list(found(tree)) == list(found(tree))


def test_a_missing_number_does_not_make_pictures_of_a_sequence(tree):
    (tree / "scan" / "f2.png").unlink()
    assert found(tree)["scan"] == "sequence"


def test_a_folder_that_is_itself_a_sequence(tree):
    (tree / "scan" / "sound.mkv").unlink()
    assert found(tree / "scan") == {".": "sequence"}


def test_a_pattern_keeps_the_folders_below_its_first_joker(tree):
    assert found(tree / "*.mov") == {"b.mov": "video"}
    assert found(tree / "**" / "*.mkv") == {"deep/er/c.mkv": "video", "scan/sound.mkv": "video"}
    assert found(tree / "deep" / "**" / "*.avi") == {"ü.avi": "video"}


def test_one_file_is_a_batch_too(tree):
    assert found(tree / "deep" / "ü.avi") == {"ü.avi": "video"}


def test_the_folder_of_the_outputs_is_not_searched(tree):
    assert "deep/er/c.mkv" not in found(tree, leave_out=[tree / "deep"])
    assert "deep/er/c.mkv" not in found(tree / "**" / "*.mkv", leave_out=[tree / "deep"])


def test_links_are_followed_and_a_circle_ends(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.mov").touch()
    (tree / "link").symlink_to(elsewhere)
    (tree / "deep" / "circle").symlink_to(tree)
    (tree / "linked.mov").symlink_to(elsewhere / "far.mov")
    names = found(tree)
    assert {"link/far.mov", "linked.mov"} <= names.keys()
    assert not any("circle" in name for name in names)


def test_a_link_to_nothing_is_found_so_that_it_fails_by_name(tree):
    (tree / "broken.mov").symlink_to(tree / "gone.mov")
    assert found(tree)["broken.mov"] == "video"


@pytest.mark.parametrize("source", ["nowhere", "nothing/*.mov", "empty"])
def test_nothing_to_find_is_an_error_that_names_it(tree, source):
    (tree / "empty").mkdir()
    with pytest.raises(InputError, match=source.replace("*", r"\*")):
        find_sources(str(tree / source))


def test_a_folder_that_cannot_be_read_is_named(tree, monkeypatch):
    from pathlib import Path

    listing = Path.iterdir

    def iterdir(path):
        if path.name == "deep":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(InputError, match="deep: Permission denied: make it readable"):
        find_sources(str(tree))
