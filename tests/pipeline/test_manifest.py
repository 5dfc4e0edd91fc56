"""The manifest: what it vouches for is kept, everything else is done again, and strangers' files are safe."""

import json
import logging

import pytest

from reelprior.io.errors import OutputError
from reelprior.io.files import sha256
from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.manifest import Manifest

KEY, FIRST, SECOND = Task("key", 0), Task("chunk", 0), Task("chunk", 1)


@pytest.fixture(autouse=True)
def _log_reaches_the_tests(monkeypatch):
    monkeypatch.setattr(logging.getLogger("reelprior"), "propagate", True)


@pytest.fixture
def directory(tmp_path):
    """A job directory with three whole results of the job "a"."""
    directory = JobDirectory(tmp_path / "job")
    manifest = Manifest.open(directory, "a")
    for task in (KEY, FIRST, SECOND):
        directory.result_path(task).write_text(task.name)
        manifest.record(task, sha256(directory.result_path(task)))
    return directory


def test_whole_results_of_the_same_job_are_kept(directory, caplog):
    assert Manifest.open(directory, "a").done == {KEY, FIRST, SECOND}
    assert not caplog.records


def test_an_altered_or_missing_result_is_made_again(directory, caplog):
    directory.result_path(FIRST).write_text("altered")
    directory.result_path(KEY).unlink()
    assert Manifest.open(directory, "a").done == {SECOND}
    assert (
        sorted(record.message.partition(" is ")[2] for record in caplog.records)
        == ["missing or altered: it is made again"] * 2
    )


def test_another_job_starts_anew_and_says_so(directory, caplog):
    assert Manifest.open(directory, "b").done == set()
    assert "another source, settings or version: it is started anew" in caplog.text
    assert not directory.result_path(FIRST).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "\0\0\0"])
def test_a_damaged_manifest_starts_anew_and_says_so(directory, caplog, text):
    directory.manifest_path.write_text(text)
    assert Manifest.open(directory, "a").done == set()
    assert "manifest.jsonl is damaged: the job is started anew" in caplog.text


def test_a_manifest_of_another_format_starts_anew(directory):
    heading, *lines = directory.manifest_path.read_text().splitlines(keepends=True)
    heading = json.dumps(json.loads(heading) | {"format": 99}) + "\n"
    directory.manifest_path.write_text("".join([heading, *lines]))
    assert Manifest.open(directory, "a").done == set()


def test_a_line_that_was_cut_off_costs_its_own_task_only(directory, caplog):
    whole = directory.manifest_path.read_text()
    directory.manifest_path.write_text(whole[:-20])
    assert Manifest.open(directory, "a").done == {KEY, FIRST}
    assert "a line is damaged, its task is done again" in caplog.text
    assert Manifest.open(directory, "a").done == {KEY, FIRST}, "what was taken over is written anew"


def test_a_damaged_line_in_the_middle_costs_its_own_task_only(directory):
    lines = directory.manifest_path.read_text().splitlines(keepends=True)
    lines[2] = "\x00" * 10 + "\n"
    directory.manifest_path.write_text("".join(lines))
    assert Manifest.open(directory, "a").done == {KEY, SECOND}


def test_recording_appends_a_line_and_does_not_write_the_others_again(directory):
    before = directory.manifest_path.read_bytes()
    manifest = Manifest.open(directory, "a")
    manifest.record(Task("chunk", 2), "c" * 64)
    assert directory.manifest_path.read_bytes() == before + (
        b'{"task": "chunk-00002", "sha256": "' + b"c" * 64 + b'"}\n'
    )


def test_without_resume_everything_is_done_again(directory):
    assert Manifest.open(directory, "a", resume=False).done == set()


def test_a_directory_with_foreign_files_is_refused_and_left_alone(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_text("precious")
    (tmp_path / "chunks").mkdir()
    with pytest.raises(UsageError, match="holds other files; choose another --job-dir"):
        Manifest.open(JobDirectory(tmp_path), "a")
    assert photo.read_text() == "precious"


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "job").write_text("")
    with pytest.raises(UsageError, match="is not a job directory"):
        Manifest.open(JobDirectory(tmp_path / "job"), "a")


def test_removing_a_job_directory_leaves_what_a_stranger_put_there(directory):
    stranger = directory.path / "notes.txt"
    stranger.write_text("mine")
    directory.remove()
    assert [entry.name for entry in directory.path.iterdir()] == ["notes.txt"]


def test_a_place_where_nothing_can_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Manifest.open(JobDirectory(tmp_path / "file" / "job"), "a")


def test_an_old_request_to_stop_is_taken_back(directory):
    directory.cancel()
    assert directory.cancelled
    Manifest.open(directory, "a")
    assert not directory.cancelled


def test_progress_is_read_as_it_was_written_and_may_be_missing_or_broken(directory):
    directory.save_progress(FIRST, TaskProgress(1.5, 0.25))
    assert directory.load_progress(FIRST) == TaskProgress(1.5, 0.25)
    assert directory.load_progress(SECOND) is None
    (directory.path / "progress" / f"{FIRST.name}.json").write_text("[1.5")
    assert directory.load_progress(FIRST) is None
