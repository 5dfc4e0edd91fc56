"""Restoring a clip, end to end, through the command line."""

import av
import numpy as np
import pytest
import torch
from jobs import TINY
from media import make_video

from reelprior.io.pictures import encode_png
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.pipeline import restore


def pixels_of(path):
    with open_reader(path) as reader:
        return np.stack([frame.pixels for frame in reader.read(0, len(scan(path).pts))])


def packets_of(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts, bytes(packet)) for packet in container.demux(stream) if packet.size]


def mask_of(path, *, size=(48, 64)):
    mask = np.zeros((3, *size), np.float32)
    mask[:, 10:20, 30:50] = 1
    path.write_bytes(encode_png(mask))
    return path, mask[0] > 0.5


def test_a_clip_keeps_its_length_times_and_sound_and_changes_its_pixels(run, clip, tmp_path):
    output = tmp_path / "out.mkv"
    outcome = run("restore", clip, output, *TINY)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert scan(output).pts == scan(clip).pts
    assert packets_of(output, "audio") == packets_of(clip, "audio")
    before, after = pixels_of(clip), pixels_of(output)
    assert after.shape == before.shape
    assert np.abs(after - before).mean() > 1 / 255
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["out.mkv", "out.mkv.reelprior.json"], "the job directory is left"


def test_json_says_what_was_done(run, clip, truth, tmp_path):
    output, report = tmp_path / "out.mkv", tmp_path / "report.html"
    outcome = run(
        "restore", clip, output, *TINY, "--json", "--reference", truth, "--report", report, "--denoise", "10"
    )
    facts = outcome.json
    assert outcome.stderr == ""
    assert (facts["input"], facts["output"], facts["frames"]) == (str(clip), str(output), 12)
    assert facts["seconds_per_frame"] == pytest.approx(facts["seconds"] / 12, abs=1e-3)
    assert 20 < facts["psnr_before"] < 40
    assert facts["psnr_after"] > 0
    assert facts["scenes"] == 2
    assert facts["noise"]["sigma_8bit"] == pytest.approx(10)
    assert facts["settings"]["fit"]["iterations"] == 3
    assert "torch" in facts["versions"]
    assert "<html" in report.read_text(encoding="utf-8")


def test_a_summary_is_for_people_and_quiet_is_quiet(run, clip, tmp_path):
    short = [*TINY, "--frames", "0:2"]
    assert "2 frames" in run("restore", clip, tmp_path / "a.mkv", *short).stdout
    outcome = run("restore", clip, tmp_path / "b.mkv", *short, "--quiet")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")


def test_a_range_of_frames_keeps_their_distance(run, clip, tmp_path):
    output = tmp_path / "out.mkv"
    run("restore", clip, output, *TINY, "--frames", "3:7")
    found, wanted = scan(output).pts, scan(clip).pts[3:7]
    assert np.diff(found).tolist() == np.diff(wanted).tolist()


def test_two_workers_give_the_same_bytes_as_one(run, clip, tmp_path):
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    assert run("restore", clip, one, *TINY).status == 0
    outcome = run("restore", clip, two, *TINY, "--workers", "2")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert two.read_bytes() == one.read_bytes()


def test_the_client_has_no_team_of_threads_beside_that_of_the_tasks(run, clip, tmp_path, monkeypatch):
    seen, noise_of = [], restore.noise_of

    def watched(*arguments, **named):
        seen.append(torch.get_num_threads())
        return noise_of(*arguments, **named)

    monkeypatch.setattr(restore, "noise_of", watched)
    torch.set_num_threads(2)
    assert run("restore", clip, tmp_path / "out.mkv", "--denoise", 20, *TINY).status == 0
    assert seen == [1]


def test_a_mask_alone_restores_only_the_mask(run, clip, tmp_path):
    mask, missing = mask_of(tmp_path / "mask.png")
    output = tmp_path / "out.mkv"
    outcome = run("restore", clip, output, *TINY, "--mask", mask, "--frames", "0:4", "--pix-fmt", "gbrp16le")
    assert outcome.status == 0, outcome.stderr
    before, after = pixels_of(clip)[:4], pixels_of(output)
    # Chunk file and output round to 16 bits each.
    assert np.abs(after - before)[:, :, ~missing].max() < 2 / 65535
    assert np.abs(after - before)[:, :, missing].mean() > 1 / 255


def test_a_mask_with_denoise_restores_everything(run, clip, tmp_path):
    mask, missing = mask_of(tmp_path / "mask.png")
    output = tmp_path / "out.mkv"
    run("restore", clip, output, *TINY, "--mask", mask, "--denoise", "10", "--frames", "0:4")
    assert np.abs(pixels_of(output) - pixels_of(clip)[:4])[:, :, ~missing].mean() > 1 / 255


def test_a_picture_and_a_folder_of_pictures_are_clips_too(run, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in ("left", "right"):
        (folder / f"{name}.png").write_bytes(encode_png(rng.random((3, 32, 40), np.float32)))
    assert run("restore", folder, tmp_path / "restored", *TINY).status == 0
    assert sorted(entry.name for entry in (tmp_path / "restored").iterdir()) == ["left.png", "right.png"]
    assert run("restore", folder / "left.png", tmp_path / "one.png", *TINY).status == 0
    assert pixels_of(tmp_path / "one.png").shape == (1, 3, 32, 40)


def test_another_codec_is_used(run, clip, tmp_path):
    output = tmp_path / "out.mp4"
    coding = ["--codec", "h264", "--encoder-option", "crf=30", "--pix-fmt", "yuv420p"]
    silent = make_video(tmp_path / "silent.mkv", frames=2, audio=False)
    assert run("restore", silent, output, *TINY, *coding).status == 0
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_overwrite_replaces_an_output(run, clip, tmp_path):
    output = tmp_path / "out.mkv"
    output.write_text("old")
    assert run("restore", clip, output, *TINY, "--frames", "0:1", "-y").status == 0
    assert len(scan(output).pts) == 1


def test_a_job_directory_of_ones_own_is_kept_and_used_again(run, clip, tmp_path):
    job_dir = tmp_path / "job"
    first = run("restore", clip, tmp_path / "a.mkv", *TINY, "--job-dir", job_dir, "--json").json
    times = {path: path.stat().st_mtime_ns for path in (job_dir / "chunks").iterdir()}
    again = run("restore", clip, tmp_path / "b.mkv", *TINY, "--job-dir", job_dir, "--json").json
    assert (first["chunks_reused"], again["chunks_reused"]) == (0, first["chunks"])
    assert {path: path.stat().st_mtime_ns for path in (job_dir / "chunks").iterdir()} == times
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_changed_settings_do_not_use_old_chunks_and_say_so(run, clip, tmp_path):
    job_dir = tmp_path / "job"
    short = [*TINY, "--frames", "0:2", "--job-dir", job_dir, "--json"]
    run("restore", clip, tmp_path / "a.mkv", *short)
    outcome = run("restore", clip, tmp_path / "b.mkv", *short, "--seed", "1")
    assert outcome.json["chunks_reused"] == 0
    assert "it is started anew" in outcome.error


def test_an_altered_chunk_is_made_again_and_the_output_is_the_same(run, clip, tmp_path):
    job_dir = tmp_path / "job"
    run("restore", clip, tmp_path / "a.mkv", *TINY, "--job-dir", job_dir)
    chunk = sorted((job_dir / "chunks").iterdir())[1]
    chunk.write_bytes(chunk.read_bytes()[:-7] + b"altered")
    outcome = run("restore", clip, tmp_path / "b.mkv", *TINY, "--job-dir", job_dir, "--json")
    assert outcome.json["chunks_reused"] == outcome.json["chunks"] - 1
    assert "is missing or altered: it is made again" in outcome.error
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()
