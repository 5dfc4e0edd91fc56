"""The job: its paths, its frames, and what makes two jobs the same."""

from pathlib import Path

import pytest

from reelprior.io.coding import Coding
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job, content_hash, fingerprint, parse_frames
from reelprior.pipeline.settings import Settings, validate_settings

JOB = Job(input="a.mkv", output="b.mkv")


def identity(job=JOB, *, frames=range(5), source_hash="s", mask_hash=None, profile_hash=None):
    return fingerprint(
        job, frames=frames, source_hash=source_hash, mask_hash=mask_hash, profile_hash=profile_hash
    )


def with_settings(tree):
    return JOB.model_copy(update={"settings": validate_settings(tree, where=lambda _key: "here")})


@pytest.mark.parametrize(
    ("text", "frames"), [("3:8", (3, 8)), ("3:", (3, None)), (":8", (None, 8)), (":", (None, None))]
)
def test_a_frame_range_is_half_open_and_may_lack_an_end(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["3", "a:b", "3-8", "1:2:3", ""])
def test_anything_else_is_no_frame_range(text):
    with pytest.raises(UsageError, match="write A:B"):
        parse_frames(text)


@pytest.mark.parametrize("frames", [(5, 3), (3, 3), (0, 11), (-1, 3)])
def test_a_range_that_the_source_does_not_have_names_what_it_has(frames):
    with pytest.raises(UsageError, match=r"a\.mkv has the frames 0:10"):
        JOB.model_copy(update={"frames": frames}).frame_range(10)


def test_the_job_directory_lies_beside_the_output():
    assert JOB.directory == Path("b.mkv.reelprior")
    assert Job(input="a", output="folder/").directory == Path("folder.reelprior")
    assert Job(input="a", output="b", job_dir="d").directory == Path("d")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workers": 2, "scheduler": "tcp://a:1"}, "give one of them"),
        ({"settings": Settings(denoise="none")}, "nothing to restore"),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        Job(input="a.mkv", output="b.mkv", **fields)


def test_what_changes_the_pixels_changes_the_fingerprint():
    variants = [
        identity(),
        identity(frames=range(1, 5)),
        identity(source_hash="t"),
        identity(mask_hash="m"),
        identity(profile_hash="p"),
        identity(with_settings({"seed": 1})),
        identity(with_settings({"denoise": 25})),
        identity(with_settings({"chunk": {"frames": 5}})),
        identity(with_settings({"compute": {"autocast": "bfloat16"}})),
    ]
    assert len(set(variants)) == len(variants)


def test_where_and_how_it_is_done_and_coded_does_not():
    elsewhere = Job(
        input="a.mkv",
        output="c.mp4",
        coding=Coding(codec="h264"),
        workers=4,
        job_dir="d",
        report="r.html",
        settings=Settings.model_validate({"compute": {"device": "cuda:1", "threads": 3}}),
    )
    assert identity(elsewhere) == identity()


def test_a_job_survives_json():
    job = Job(input="a.mkv", output="b.mkv", coding=Coding("h264", None, {"crf": "3"}), frames=(None, 4))
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_a_folder_of_pictures_has_one_hash_that_follows_names_and_contents(tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(b"a")
    second.write_bytes(b"b")
    before = content_hash(str(tmp_path))
    assert content_hash(str(tmp_path)) == before
    second.write_bytes(b"c")
    changed = content_hash(str(tmp_path))
    second.rename(tmp_path / "c.png")
    assert len({before, changed, content_hash(str(tmp_path))}) == 3
