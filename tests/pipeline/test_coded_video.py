"""Coded video: its errors repaired as strongly as its quantisers, or its rate, tell."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from jobs import TINY
from photographs import panned

from reelprior.io.quantisers import Quantisers
from reelprior.models.noise import NoiseModel
from reelprior.models.quantisation import errors_of_step
from reelprior.pipeline.compression import noise_there, with_coding_errors

FRAMES, SIZE = 6, (64, 80)


def coded(path, clean, codec="mpeg4", options=None):
    """A clip (T, 3, H, W) in [0, 1], coded."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options or {"qmin": "12", "qmax": "12"})
        stream.height, stream.width = clean.shape[2:]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
        for number, picture in enumerate(clean):
            codes = np.rint(255 * picture.transpose(1, 2, 0)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def decoded(path):
    """(T, 3, H, W) in [0, 1]."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).transpose(0, 3, 1, 2).astype(np.float32) / 255


def psnr(clip, truth):
    return -10 * np.log10(np.mean((clip - truth) ** 2))


@pytest.fixture(scope="module")
def clean():
    return panned(FRAMES, *SIZE)


@pytest.fixture(scope="module")
def blocky(tmp_path_factory, clean):
    """Quantisers of 12, all of them."""
    return coded(tmp_path_factory.mktemp("blocky") / "blocky.mkv", clean)


def test_a_coded_clip_comes_nearer_to_what_was_coded(run, blocky, clean, tmp_path):
    outcome = run("restore", blocky, tmp_path / "out.mkv", "--deblock", *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["noise"]["coding"] == "from the stream's quantisers, mean quantiser 12.0"
    # With hardly a fit the filter does it alone: a third of what the whole engine gains.
    assert psnr(decoded(tmp_path / "out.mkv"), clean) > psnr(decoded(blocky), clean) + 0.2


def test_a_stream_that_tells_no_quantiser_is_estimated_by_its_rate(run, clean, tmp_path):
    source = coded(tmp_path / "hevc.mkv", clean, "libx265", {"crf": "36", "x265-params": "log-level=none"})
    outcome = run("restore", source, tmp_path / "out.mkv", "--deblock", *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["noise"]["coding"].startswith("estimated from ")
    assert psnr(decoded(tmp_path / "out.mkv"), clean) > psnr(decoded(source), clean)


def test_the_summary_says_how_the_errors_are_known(run, blocky, tmp_path):
    outcome = run("restore", blocky, tmp_path / "out.mkv", "--deblock", "--frames", "0:1", *TINY)
    assert "errors of coding: sigma 11.2, from the stream's quantisers, mean quantiser 12.0" in outcome.stdout


def test_one_worker_and_two_go_by_the_same_quantisers(run, blocky, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        assert (
            run("restore", blocky, tmp_path / f"{name}.mkv", "--deblock", "--workers", workers, *TINY).status
            == 0
        )
    np.testing.assert_array_equal(decoded(tmp_path / "one.mkv"), decoded(tmp_path / "two.mkv"))


def test_a_part_of_a_clip_goes_by_its_own_quantisers():
    own, steps = NoiseModel.from_sigma_8bit(3), Quantisers("h264", (10.0, 10.0, 40.0, 40.0))
    whole = with_coding_errors(own, errors_of_step(25))
    for there, step in ((range(2), 10), (range(2, 4), 40)):
        noise = noise_there(whole, steps, whole=range(4), there=there)
        assert noise.sigma == pytest.approx(with_coding_errors(own, errors_of_step(step)).sigma)
    assert noise_there(whole, Quantisers(), whole=range(4), there=range(2)) == whole


def test_noise_mask_and_scale_join_in(run, blocky, tmp_path):
    mask = np.zeros(SIZE, np.uint8)
    mask[20:24, 30:36] = 255
    cv2.imwrite(str(tmp_path / "hole.png"), mask)
    chain = ["--set", "enlarging.channels=[4]", "--set", "enlarging.orientations=1", "--frames", "0:2"]
    arguments = ["--deblock", "--denoise", 5, "--mask", tmp_path / "hole.png", "--scale", 2, *chain]
    outcome = run("restore", blocky, tmp_path / "out.mkv", *arguments, *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    noise = outcome.json["noise"]
    assert noise["sigma_8bit"] ** 2 == pytest.approx(25 + noise["coding_sigma_8bit"] ** 2, rel=0.01)
    assert decoded(tmp_path / "out.mkv").shape == (2, 3, 128, 160)


def test_a_source_without_losses_has_none_repaired(run, clean, tmp_path):
    """By the preset, which a batch may give to all its files; on its own there would be nothing to do."""
    source = coded(tmp_path / "lossless.mkv", clean, "ffv1")
    outcome = run("restore", source, tmp_path / "out.mkv", "--preset", "web-video", *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["noise"]["coding"] == "none: it is coded without loss"
    refused = run("restore", source, tmp_path / "no.mkv", "--deblock", *TINY)
    assert refused.status == 2
    assert "coded without loss (ffv1)" in refused.stderr


def test_a_preview_goes_by_the_quantisers_too(run, blocky, tmp_path):
    done = run(
        "preview", blocky, "--at", "0.1", "-o", tmp_path / "p.png", "--preset", "jpeg", "--json", *TINY
    )
    assert done.status == 0, done.stderr
    restored = run("restore", blocky, tmp_path / "out.mkv", "--deblock", *TINY, "--json")
    assert done.json["noise_sigma_8bit"] == restored.json["noise"]["sigma_8bit"]


def test_probe_tells_the_quantisers_and_recommends_by_them(run, blocky):
    facts = run("probe", blocky, "--json").json
    assert facts["preset"] == "web-video"
    assert "mean quantiser 12.0" in facts["why"]
    assert facts["defects"]["coding"].endswith("mean quantiser 12.0")


def test_what_was_coded_without_loss_is_refused_in_one_line(run, clip, tmp_path):
    for command in (
        ["restore", clip, tmp_path / "out.mkv"],
        ["preview", clip, "--at", "0", "-o", tmp_path / "p.png"],
    ):
        outcome = run(*command, "--deblock")
        assert outcome.status == 2
        assert "coded without loss (ffv1)" in outcome.error
