"""Bags: what goes in, that nothing is forgotten, and that every alteration is found and named."""

import sys

import pytest

from reelprior.io.errors import OutputError
from reelprior.pipeline.bag import make_bag, payload_of, verify_bag
from reelprior.pipeline.errors import RestorationError, UsageError

pytest.importorskip("bagit", reason="needs bagit: pip install '.[archive]'")


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in (
        "tape.mkv",
        "tape.mkv.framemd5",
        "tape.mkv.premis.xml",
        "tape.mkv2",
        ".tape.mkv.ab.part.mkv",
    ):
        (folder / name).write_text(name)
    (folder / "tape.mkv.reelprior").mkdir()
    return folder / "tape.mkv"


@pytest.fixture
def bag(tmp_path, output):
    make_bag(tmp_path / "bag", payload_of([output]), info={"External-Description": "Reel 7"})
    return tmp_path / "bag"


def test_an_output_goes_with_what_lies_beside_it_under_its_name(output):
    assert sorted(payload_of([output])) == ["tape.mkv", "tape.mkv.framemd5", "tape.mkv.premis.xml"]


def test_a_bag_has_a_sha256_manifest_and_verifies(bag):
    assert verify_bag(bag) == 3
    manifest = (bag / "manifest-sha256.txt").read_text()
    assert "data/tape.mkv.premis.xml" in manifest
    info = (bag / "bag-info.txt").read_text()
    assert "External-Description: Reel 7" in info
    assert "Bag-Software-Agent: reelprior" in info
    assert [entry.name for entry in bag.parent.iterdir() if ".part" in entry.name] == []


def test_a_folder_goes_in_with_its_structure_and_without_hidden_files(tmp_path):
    (tmp_path / "batch" / "reel 1").mkdir(parents=True)
    (tmp_path / "batch" / "reel 1" / "a.mkv").write_text("a")
    (tmp_path / "batch" / ".half").write_text("x")
    make_bag(tmp_path / "bag", payload_of([tmp_path / "batch"]), info={})
    assert (tmp_path / "bag" / "data" / "batch" / "reel 1" / "a.mkv").read_text() == "a"
    assert verify_bag(tmp_path / "bag") == 1


def test_the_source_of_a_bag_stays_where_it_is(bag, output):
    assert output.read_text() == "tape.mkv"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda bag: (bag / "data" / "tape.mkv").unlink(), "tape.mkv"),
        (lambda bag: (bag / "data" / "more.txt").write_text("x"), "more.txt"),
        (lambda bag: (bag / "data" / "tape.mkv").write_text("tape.mkW"), "tape.mkv"),
        (lambda bag: (bag / "bag-info.txt").write_text("External-Description: other\n"), "bag"),
        (lambda bag: (bag / "manifest-sha256.txt").unlink(), "bag"),
    ],
    ids=["missing", "added", "altered", "information altered", "manifest missing"],
)
def test_every_alteration_is_found_and_named_in_one_line(bag, damage, message):
    damage(bag)
    with pytest.raises(RestorationError) as caught:
        verify_bag(bag)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_existing_bag_is_never_touched(bag, output):
    with pytest.raises(OutputError, match="bag: exists already"):
        make_bag(bag, payload_of([output]), info={})


def test_what_is_no_bag_is_said_to_be_none(tmp_path):
    with pytest.raises(UsageError, match=r"is not a bag: it has no bagit\.txt"):
        verify_bag(tmp_path)


def test_two_outputs_of_one_name_and_missing_ones_are_refused(tmp_path, output):
    (tmp_path / "tape.mkv").write_text("another")
    with pytest.raises(UsageError, match=r"another file called tape\.mkv goes into the bag"):
        payload_of([output, tmp_path / "tape.mkv"])
    with pytest.raises(UsageError, match=r"gone\.mkv: no such file or folder"):
        payload_of([tmp_path / "gone.mkv"])


def test_without_the_library_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bagit", None)
    with pytest.raises(UsageError, match=r"pip install 'reelprior\[archive\]'"):
        make_bag(tmp_path / "bag", {}, info={})


def test_the_command_makes_a_bag_and_says_that_it_verified_it(run, tmp_path, output):
    done = run("bag", output, "--to", tmp_path / "bag", "--description", "Reel 7", "--json")
    assert done.status == 0, done.stderr
    assert done.json == {"bag": str(tmp_path / "bag"), "files": 3, "verified": True}
