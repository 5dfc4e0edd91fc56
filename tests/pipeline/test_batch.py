"""Batches end to end, through the command line: states, repetition, refusals, status, resume and the dry run."""

import json
import os
import shutil

import pytest
from jobs import TINY
from media import make_video

from reelprior.io.scan import scan

QUICK = [
    *TINY,
    "--set",
    "fit.iterations=2",
    "--set",
    "collaborative.enabled=false",
    "--set",
    "temporal.warm_iterations=1",
]


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    """Four noisy frames."""
    return make_video(tmp_path_factory.mktemp("tape") / "tape.mkv", frames=4, noise_8bit=10, audio=False)


@pytest.fixture
def folder(tape, tmp_path):
    """Two tapes, one in a folder of its own, and a file that is none."""
    source = tmp_path / "in"
    (source / "b").mkdir(parents=True)
    shutil.copy(tape, source / "a.mov.mkv")
    shutil.copy(tape, source / "b" / "ü n.mkv")
    (source / "b" / "bad.mov").write_text("no video")
    return source


@pytest.fixture
def batch(run, folder, tmp_path):
    """Run the batch of the folder."""

    def run_batch(*options, source=folder):
        return run("batch", source, "--output", tmp_path / "out", *QUICK, *options)

    return run_batch


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_a_job_and_a_failure_is_kept_apart_with_its_reason(batch, run, tmp_path):
    outcome = batch()
    assert outcome.status == 4
    assert "2 done, 1 failed" in outcome.stdout
    assert "bad.mov" in outcome.error
    assert len(scan(tmp_path / "out" / "a.mov.mkv").pts) == 4
    assert len(scan(tmp_path / "out" / "b" / "ü n.mkv").pts) == 4
    assert not (tmp_path / "out" / "b" / "bad.mkv").exists()

    status = run("status", tmp_path / "out.reelprior", "--json").json
    assert status["states"] == {"queued": 0, "running": 0, "done": 2, "failed": 1, "skipped": 0}
    assert (status["at_work"], status["all_done"], status["frames_done"]) == (False, False, 8)
    assert [reason for path, reason in status["failures"].items() if path.endswith("bad.mov")]
    assert "2 done, 1 failed" in run("status", tmp_path / "out").stdout


def test_every_output_of_a_batch_has_a_record_and_verifies(batch, run, tmp_path):
    batch()
    records = {path.name for path in (tmp_path / "out").rglob("*.reelprior.json")}
    assert records == {"a.mov.mkv.reelprior.json", "ü n.mkv.reelprior.json"}
    outcome = run("verify", tmp_path / "out", "--json")
    assert outcome.status == 0, outcome.stdout
    assert [len(each["checks"]) > 3 for each in outcome.json["outputs"]] == [True, True]
    (tmp_path / "out" / "a.mov.mkv").unlink()
    assert run("verify", tmp_path / "out.reelprior").status == 4


def test_what_is_done_is_skipped_and_only_what_changed_is_done_again(batch, folder, tape, tmp_path):
    (folder / "b" / "bad.mov").unlink()
    first = batch("--json")
    assert (first.status, first.json["restored"], first.json["all_done"]) == (0, 2, True)
    before = times(tmp_path / "out")

    again = batch("--json").json
    assert (again["restored"], again["unchanged"]) == (0, 2)
    os.utime(folder / "a.mov.mkv")  # another time, the same content
    assert batch("--json").json["restored"] == 0
    assert times(tmp_path / "out") == before

    make_video(folder / "a.mov.mkv", frames=3, audio=False)
    shutil.copy(tape, folder / "new.mkv")
    changed = batch("--json").json
    assert (changed["restored"], changed["unchanged"]) == (2, 1)
    assert times(tmp_path / "out")["ü n.mkv"] == before["ü n.mkv"]
    assert len(scan(tmp_path / "out" / "a.mov.mkv").pts) == 3
    assert batch("--seed", "3", "--json").json["restored"] == 3
    assert not list((tmp_path / "out.reelprior" / "files").iterdir())


def test_a_failure_is_tried_again_on_request_only(batch, run, folder, tape, tmp_path):
    assert batch().status == 4
    shutil.copy(tape, folder / "b" / "bad.mov")
    assert run("resume", tmp_path / "out").status == 4
    again = run("resume", tmp_path / "out.reelprior", "--retry-failed", "--json")
    assert (again.status, again.json["restored"]) == (0, 1)


def test_an_output_that_is_there_already_is_left_alone(batch, tmp_path):
    precious = tmp_path / "out" / "a.mov.mkv"
    precious.parent.mkdir()
    precious.write_text("precious")
    outcome = batch("--json").json
    assert outcome["states"] == {"done": 1, "failed": 1, "skipped": 1}
    assert precious.read_text() == "precious"
    assert any("--overwrite" in reason for reason in outcome["failures"].values())
    assert batch("--overwrite", "--json").json["states"]["done"] == 2


def test_an_output_that_was_altered_is_left_alone_and_one_that_is_gone_is_made_again(batch, folder, tmp_path):
    (folder / "b" / "bad.mov").unlink()
    batch()
    altered, gone = tmp_path / "out" / "a.mov.mkv", tmp_path / "out" / "b" / "ü n.mkv"
    altered.write_text("cut by hand")
    gone.unlink()
    outcome = batch("--json")
    assert outcome.status == 4
    assert outcome.json["states"] == {"skipped": 1, "done": 1}
    assert altered.read_text() == "cut by hand"
    assert gone.exists()


def test_two_workers_give_the_same_files_and_every_event_is_a_line(batch, folder, tmp_path):
    (folder / "b" / "bad.mov").unlink()
    batch()
    alone = (tmp_path / "out" / "a.mov.mkv").read_bytes()
    shutil.rmtree(tmp_path / "out")
    assert batch("--workers", "2").status == 0
    assert (tmp_path / "out" / "a.mov.mkv").read_bytes() == alone
    lines = (tmp_path / "out.reelprior" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    written = [event for event in events if event["event"] == "output written"]
    assert len(written) == 4
    assert all(event["peak_memory_bytes"] > 1e6 and event["peak_disk_bytes"] > 0 for event in written)
    assert {"batch begun", "workers joined", "file begun", "file opened", "task done", "batch ended"} <= {
        event["event"] for event in events
    }


def test_a_job_file_with_a_sequence_and_a_picture(batch, folder, tmp_path):
    import numpy as np

    from reelprior.io.pictures import encode_png

    rng = np.random.default_rng(1)
    (folder / "scan").mkdir()
    for name in ("scan/1.png", "scan/2.png", "anna.png"):
        (folder / name).write_bytes(encode_png(rng.random((3, 24, 32), np.float32)))
    job_file = tmp_path / "job.toml"
    job_file.write_text('[[files]]\npath = "in/scan"\n[[files]]\npath = "in/anna.png"\noutput = "A.png"\n')
    outcome = batch("--json", source=job_file)
    assert outcome.status == 0, outcome.stderr
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")) == [
        "A.png",
        "scan/1.png",
        "scan/2.png",
    ]


def test_a_dry_run_measures_and_writes_nothing(batch, folder, tmp_path):
    outcome = batch("--dry-run", "--json")
    facts = outcome.json
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.reelprior").exists()
    good = [file for file in facts["files"] if file["remark"] is None]
    assert [(file["frames"], file["size"]) for file in good] == [(4, "64x48")] * 2
    assert all(file["seconds"] > 0 and file["disk_bytes"] > 1000 for file in good)
    assert facts["memory_bytes_per_worker"] > 50e6
    assert facts["seconds"] == pytest.approx(sum(file["seconds"] for file in good), abs=0.1)
    assert "bad.mov" in outcome.stdout


def test_the_index_page_lists_every_file_and_links_its_report(batch, run, tmp_path):
    outcome = batch("--report", "--json")
    page = tmp_path / "out" / "batch.reelprior.html"
    assert outcome.json["index"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert "1 failed, 2 done" in text
    assert 'href="a.mov.mkv.report.html"' in text
    assert 'href="b/%C3%BC%20n.mkv.report.html"' in text
    assert "bad.mov" in text
    assert (tmp_path / "out" / "b" / "ü n.mkv.report.html").exists()
    assert f"index: {page}" in run("resume", tmp_path / "out").stdout


def test_an_interrupted_batch_leaves_a_page_that_says_how_to_go_on(batch, tmp_path, monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("reelprior.pipeline.schedule.take_steps", interrupt)
    assert batch().status == 130
    text = (tmp_path / "out" / "batch.reelprior.html").read_text(encoding="utf-8")
    assert "3 queued" in text
    assert f"3 wait: go on with reelprior resume {tmp_path / 'out'}.reelprior" in text


def test_a_batch_has_the_companions_of_its_outputs_made_and_asks_for_no_less_later(batch, folder, tmp_path):
    (folder / "b" / "bad.mov").unlink()
    assert batch("--framemd5", "--premis", "--access", ".mp4", "--strict").status == 0
    names = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    output = "a.mov.mkv"
    endings = ("", ".framemd5", ".source.framemd5", ".premis.xml", ".access.mp4", ".reelprior.json")
    assert names == {"batch.reelprior.html", *(f"{output}{ending}" for ending in endings)}
    assert batch("--json").json["restored"] == 0
    assert batch("--report", "--json").json["restored"] == 2


def test_an_example_of_a_job_file_can_be_had(run):
    assert "[[files]]" in run("batch", "--example").stdout


@pytest.fixture
def refused(batch, tmp_path):
    """Run a batch that must be refused before any work."""

    def refuse(*options, status=2, **named):
        outcome = batch(*options, **named)
        assert outcome.status == status, outcome.stderr
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "out.reelprior").exists()
        return outcome.error

    return refuse


def test_bad_requests_are_refused_in_one_line_before_any_work(refused, folder, tmp_path):
    assert "no such file" in refused(source=tmp_path / "nowhere", status=3)
    assert "did you mean denoise?" in refused("--preset", "denois")
    assert "give one of them" in refused("--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert "write it with its dot" in refused("--suffix", "mp4")
    (folder / "a.mov.mp4").touch()
    assert "would both become" in refused()


def test_a_batch_directory_with_other_files_is_refused(batch, folder, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("precious")
    outcome = batch("--job-dir", tmp_path / "photos")
    assert outcome.status == 2
    assert "choose another --job-dir" in outcome.error
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["one.jpg"]


def test_outputs_that_cannot_be_written_are_an_error_of_the_output(batch, run, folder, tmp_path):
    (tmp_path / "out").write_text("a file in the place of the folder")
    assert batch().status == 5
    (tmp_path / "out").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b").write_text("a file in the place of one of its folders")
    assert batch("--json").json["states"] == {"done": 1, "failed": 2}


def test_a_broken_link_fails_by_name_and_a_circle_of_links_ends(batch, folder):
    (folder / "circle").symlink_to(folder)
    (folder / "broken.mov").symlink_to(folder / "gone.mov")
    outcome = batch("--json").json
    assert outcome["states"] == {"done": 2, "failed": 2}
    assert any(path.endswith("broken.mov") for path in outcome["failures"])


def test_a_very_long_name_is_restored(batch, folder, tape, tmp_path):
    name = "n" * 235 + ".mkv"
    shutil.copy(tape, folder / name)
    batch()
    assert (tmp_path / "out" / name).exists()


@pytest.mark.parametrize("command", ["status", "resume"])
def test_what_is_no_job_is_refused(run, folder, tmp_path, command):
    assert run(command, tmp_path / "nowhere").status == 3
    assert "neither a job directory" in run(command, folder).error


def test_a_single_job_has_a_status_and_can_be_resumed(run, tape, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "job"
    done = run("restore", tape, output, *QUICK, "--job-dir", job_dir, "--json").json
    facts = run("status", job_dir, "--json").json
    assert (facts["chunks"], facts["chunks_done"], facts["at_work"]) == (1, 1, False)
    assert facts["output"] == str(output)
    whole = output.read_bytes()
    output.unlink()
    outcome = run("resume", job_dir, "--json")
    assert outcome.json["chunks_reused"] == done["chunks"]
    assert output.read_bytes() == whole
    assert run("resume", job_dir).status == 5, "the output exists"
    assert run("resume", job_dir, "--overwrite", "--quiet").status == 0
