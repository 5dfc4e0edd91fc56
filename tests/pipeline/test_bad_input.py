"""Everything that can be wrong with what a user gives: one line, the right exit status, nothing half done."""

import resource
import subprocess
import sys

import numpy as np
import pytest
from jobs import TINY, Outcome
from media import make_video

from reelprior.io.pictures import encode_png
from reelprior.pipeline.lock import held


@pytest.fixture
def refused(run, tmp_path):
    """Run a restoration that must fail: its one line, with nothing left under or beside the output's name."""

    def restore(source, *options, status, output="out.mkv"):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        outcome = run("restore", source, tmp_path / output, *TINY, *options)
        assert outcome.status == status, outcome.stderr
        assert outcome.stdout == ""
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        return outcome.error

    return restore


def test_a_missing_file(refused, tmp_path):
    assert "missing.mkv" in refused(tmp_path / "missing.mkv", status=3)


def test_a_missing_file_is_told_before_torch_is_imported(tmp_path):
    program = (
        "import sys; from reelprior.pipeline.cli import run_command_line; "
        f"status = run_command_line(['restore', {str(tmp_path / 'missing.mkv')!r}, 'out.mkv']); "
        "sys.exit(100 if 'torch' in sys.modules else status)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 3


def test_an_empty_file(refused, tmp_path):
    (tmp_path / "empty.mkv").touch()
    assert "empty.mkv" in refused(tmp_path / "empty.mkv", status=3)


@pytest.mark.parametrize("name", ["notes.txt", "notes.mkv", "notes.png"])
def test_a_file_that_is_no_media(refused, tmp_path, name):
    (tmp_path / name).write_text("Dear diary, no pictures today. " * 50)
    assert name in refused(tmp_path / name, status=3)


def test_a_video_cut_off_in_its_header(refused, clip, tmp_path):
    (tmp_path / "cut.mkv").write_bytes(clip.read_bytes()[:300])
    assert "cut.mkv" in refused(tmp_path / "cut.mkv", status=3)


def test_a_video_cut_off_in_the_middle_is_restored_as_far_as_it_goes(run, clip, tmp_path):
    whole = clip.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    outcome = run("restore", tmp_path / "cut.mkv", tmp_path / "out.mkv", *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    assert 0 < outcome.json["frames"] < 12


def test_a_folder_without_pictures(refused, tmp_path):
    (tmp_path / "shots").mkdir()
    assert "shots" in refused(tmp_path / "shots", status=3)


def test_a_mask_of_another_size(refused, clip, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(encode_png(np.ones((3, 20, 30), np.float32)))
    error = refused(clip, "--mask", mask, status=3)
    assert "mask.png" in error
    assert "30x20" in error
    assert "64x48" in error


def test_a_mask_that_is_missing(refused, clip, tmp_path):
    assert "mask.png" in refused(clip, "--mask", tmp_path / "mask.png", status=3)


def test_a_mask_that_covers_everything(refused, clip, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(encode_png(np.ones((3, 48, 64), np.float32)))
    assert "nothing is left to restore from" in refused(clip, "--mask", mask, status=3)


def test_a_list_of_masks_beyond_the_clip(refused, clip, tmp_path):
    mask = tmp_path / "mask.toml"
    mask.write_text('[[mask]]\npath = "mask.png"\nframes = "3:99"\n')
    assert "the clip has the frames 0:12" in refused(clip, "--mask", mask, status=3)


@pytest.mark.parametrize("detector", ["scratches", "dust", "dropouts", "deflicker"])
def test_a_clip_too_short_for_a_detector(refused, clip, detector):
    alone = ["--frames", "0:2", "--set", "fusion.radius=0"]  # else it would be told by the frames beside them
    error = refused(clip, f"--{detector}", *alone, status=2)
    assert f"--{detector}" in error
    assert "it takes three" in error


def test_a_clip_too_short_for_a_logo(refused, tmp_path):
    short = make_video(tmp_path / "short.mkv", frames=4, audio=False)
    assert "8 frames" in refused(short, "--logo", status=2)


def test_a_view_of_nothing(refused, clip, tmp_path):
    assert "nothing is looked for" in refused(clip, "--mark", tmp_path / "marks", status=2)


def test_a_view_that_would_replace_something(refused, clip, tmp_path):
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "mine.txt").write_text("precious")
    assert "marks" in refused(clip, "--dust", "--mark", tmp_path / "marks", status=5)


def test_a_reference_of_another_length(refused, clip, tmp_path):
    shorter = make_video(tmp_path / "shorter.mkv", frames=3, audio=False)
    assert "shorter.mkv" in refused(clip, "--reference", shorter, status=3)


def test_an_unknown_preset_and_an_unknown_key(refused, clip):
    assert "did you mean denoise?" in refused(clip, "--preset", "denois", status=2)
    assert "did you mean chunk.frames?" in refused(clip, "--set", "chunk.frame=3", status=2)


def test_nothing_to_do(refused, clip):
    assert "nothing to restore" in refused(clip, "--denoise", "none", status=2)


def test_a_range_beyond_the_clip(refused, clip):
    assert "has the frames 0:12" in refused(clip, "--frames", "3:400", status=2)


def test_workers_and_scheduler_together(refused, clip):
    error = refused(clip, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1", status=2)
    assert "give one of them" in error


def test_a_device_that_is_not_there(refused, clip):
    assert "cuda:7" in refused(clip, "--device", "cuda:7", status=2)


def test_an_output_that_exists(refused, clip, tmp_path):
    (tmp_path / "out.mkv").write_text("precious")
    error = refused(clip, status=5)
    assert "out.mkv" in error
    assert "--overwrite" in error


def test_an_output_of_an_unknown_kind(refused, clip):
    assert "out.xyz" in refused(clip, status=5, output="out.xyz")


def test_several_frames_into_one_picture(refused, clip):
    assert "do not fit into one picture" in refused(clip, status=5, output="out.png")


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("out.webm", ["--codec", "prores"]),
        ("out.mkv", ["--codec", "nonsense"]),
        ("out.mkv", ["--encoder-option", "nonsense=1"]),
        ("out.mkv", ["--pix-fmt", "nonsense"]),
    ],
)
def test_a_coding_that_the_output_refuses(refused, clip, output, options):
    assert output in refused(clip, *options, status=5, output=output)


def test_an_output_whose_folder_is_missing_or_a_file(refused, clip, tmp_path):
    (tmp_path / "file").touch()
    assert "nowhere" in refused(clip, status=5, output="nowhere/out.mkv")
    assert "file" in refused(clip, status=5, output="file/out.mkv")


def test_a_report_whose_folder_is_missing(refused, clip, tmp_path):
    assert "nowhere" in refused(clip, "--report", tmp_path / "nowhere" / "r.html", status=2)


def test_a_job_directory_with_other_files(refused, clip, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("precious")
    assert "choose another --job-dir" in refused(clip, "--job-dir", tmp_path / "photos", status=2)


def test_a_job_directory_that_another_client_works_in(refused, clip, tmp_path):
    with held(tmp_path / "out.mkv.reelprior"):
        assert "is in use by process" in refused(clip, status=2)


@pytest.fixture
def with_full_disk():
    """Run a command in a process that cannot write files beyond a size, which acts as a full disk does."""

    def limited(*arguments, size) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "reelprior.pipeline.cli", *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return limited


def test_a_disk_that_is_full_for_a_chunk_keeps_the_others(clip, run, with_full_disk, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "job"
    arguments = ["restore", clip, output, *TINY, "--job-dir", job_dir]
    run(*arguments)
    output.unlink()
    lost = job_dir / "chunks" / "chunk-00001.mkv"
    size = lost.stat().st_size
    lost.unlink()

    outcome = with_full_disk(*arguments, size=size // 2)
    assert outcome.status == 5
    assert "free some space" in outcome.stderr.splitlines()[-1]
    assert not output.exists()
    assert not list(tmp_path.rglob(".*"))
    assert run(*arguments, "--json").json["chunks_reused"] == 2


def test_a_disk_that_is_full_for_the_output_keeps_all_chunks(clip, run, with_full_disk, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "job"
    arguments = ["restore", clip, output, *TINY, "--job-dir", job_dir]
    run(*arguments)
    size = output.stat().st_size
    output.unlink()

    outcome = with_full_disk(*arguments, size=size // 2)
    assert outcome.status == 5
    assert "free some space" in outcome.error
    assert not output.exists()
    assert not list(tmp_path.rglob(".*"))
    assert run(*arguments, "--json").json["chunks_reused"] == 3
