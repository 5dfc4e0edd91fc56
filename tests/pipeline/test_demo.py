"""The demonstration: what it spoils is what it says it spoils, and (slow) the whole of it, end to end."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from reelprior.io.errors import InputError, OutputError
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.pipeline import demo
from reelprior.pipeline.cli import run_command_line


class StoppedError(Exception):
    """Raised instead of restoring."""


@pytest.fixture
def job(monkeypatch, tmp_path):
    """The job that a demonstration of three frames asks `restore.run` for, after it wrote its files."""
    asked = []

    def run(job, *, display):
        asked.append(job)
        raise StoppedError

    monkeypatch.setattr(demo, "run", run)
    with pytest.raises(StoppedError):
        demo.run_demo(tmp_path / "new" / "demo", frames=3)
    return asked[0]


def frames_of(path, count=3):
    with open_reader(path) as reader:
        return np.stack([frame.pixels for frame in reader.read(0, count)])


def packets_of_sound(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_the_clip_is_found_without_importing_its_package():
    assert demo.find_clip().name == "bigbuckbunny.mp4"


def test_a_missing_clip_is_one_line_that_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'reelprior\[demo\]'"):
        demo.find_clip()


def test_the_mark_lies_inside_the_frame_at_every_size():
    for height, width in ((180, 320), (136, 320), (1080, 1920)):
        mark = demo.draw_mark(height, width)
        assert mark.shape == (height, width)
        assert 0.005 < mark.mean() < 0.03
        assert not mark[0].any()
        assert not mark[-1].any()
        assert not mark[:, -1].any()


def test_noise_has_the_stated_sigma_and_the_mark_its_grey():
    """19,000 samples away from clipping: their deviation is within 3 % (6 standard errors) of 25."""
    grey = np.full((3, 80, 90), 0.5, np.float32)
    mark = np.zeros((80, 90), bool)
    mark[:10] = True
    spoiled = demo.degrade(grey, mark, rng=np.random.default_rng(0))
    assert spoiled.dtype == np.float32
    assert spoiled[:, 10:].std() * 255 == pytest.approx(25, rel=0.03)
    assert spoiled[:, 10:].mean() == pytest.approx(0.5, abs=0.003)
    assert np.median(spoiled[:, :10]) == pytest.approx(235 / 255, abs=0.01)
    assert spoiled.max() == 1.0


def test_the_job_is_the_public_one_with_the_mask_the_noise_and_the_reference(job):
    assert job.settings.denoise == 25.0
    names = {
        name: getattr(job, name).rsplit("/", 1)[-1]
        for name in ("input", "output", "mask", "reference", "report")
    }
    assert names == {
        "input": "degraded.mkv",
        "output": "restored.mkv",
        "mask": "mask.png",
        "reference": "clean.mkv",
        "report": "report.html",
    }


def test_both_clips_are_exact_to_8_bit_small_and_carry_the_sound_of_their_frames(job):
    clean, degraded = frames_of(job.reference), frames_of(job.input)
    assert clean.shape == degraded.shape == (3, 3, 180, 320)
    levels = clean * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert packets_of_sound(job.input) == packets_of_sound(job.reference) != []
    assert [stream.kind for stream in probe(job.input).streams] == ["audio"]


def test_the_degraded_clip_differs_from_the_clean_one_by_noise_and_the_mask(job):
    clean, degraded = frames_of(job.reference), frames_of(job.input)
    mask = cv2.imread(job.mask, cv2.IMREAD_GRAYSCALE) > 127
    error = (degraded - clean) * 255
    # Clipping takes some of the noise: below the nominal 25, not far.
    assert 22 < error[:, :, ~mask].std() < 25
    assert abs(error[:, :, ~mask].mean()) < 1.5
    assert np.abs(error[:, :, mask]).mean() > 60


def test_files_of_an_earlier_demonstration_are_not_replaced_unasked(job):
    with pytest.raises(OutputError, match="exists already"):
        demo.run_demo(job.input.rsplit("/", 1)[0], frames=3)


def test_the_summary_is_a_table_that_lines_up():
    scores = {"psnr_before": 19.154, "psnr_after": 31.0, "ssim_before": 0.3741, "ssim_after": 0.9}
    result = SimpleNamespace(
        scores=scores,
        frames=24,
        seconds=83.4,
        job=SimpleNamespace(output="demo/restored.mkv"),
        report="demo/r.html",
    )
    in_mark = {name: value / 2 for name, value in scores.items()}
    done = demo.DemoResult(
        Path("clean.mkv"),
        Path("degraded.mkv"),
        Path("mask.png"),
        Path("before_after.png"),
        result,
        in_mark,
    )
    assert done.summary().splitlines() == [
        "degraded.mkv: 24 frames, noise of sigma 25, a burnt-in mark",
        "                           before   after",
        "PSNR, dB, whole frame       19.15   31.00",
        "SSIM, whole frame           0.374   0.900",
        "PSNR, dB, under the mark     9.58   15.50",
        "SSIM, under the mark        0.187   0.450",
        "restored in 83 s, with its sound: demo/restored.mkv",
        "before and after: before_after.png",
        "report: demo/r.html",
    ]


@pytest.mark.slow
def test_the_demonstration_restores_and_reports(tmp_path, capsys):
    assert run_command_line(["demo", str(tmp_path / "demo"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["psnr_after"] > facts["psnr_before"] + 8
    assert facts["psnr_after_in_mark"] > facts["psnr_before_in_mark"] + 8
    assert facts["ssim_after"] > facts["ssim_before"] + 0.3
    restored = tmp_path / "demo" / "restored.mkv"
    assert packets_of_sound(restored) == packets_of_sound(tmp_path / "demo" / "degraded.mkv")
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
