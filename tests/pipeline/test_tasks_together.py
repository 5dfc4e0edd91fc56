"""Super-resolution and masks from the command line, alone and together."""

import av
import cv2
import numpy as np
import pytest
from blemishes import add_dust
from jobs import TINY
from photographs import panned, photograph, psnr

from reelprior.io.images import read_image
from reelprior.io.pictures import encode_png
from reelprior.models.spatial import fill_holes
from reelprior.pipeline.sidecar import read_sidecar

TINY_CHAIN = [*TINY, "--set", "enlarging.channels=[4]", "--set", "enlarging.orientations=1"]
TINY_CHAIN += ["--set", "enlarging.radius=1"]


def picture(path, height=24, width=32):
    rows, columns = np.mgrid[:height, :width]
    levels = np.stack([rows * 5, columns * 4, (rows + columns) * 3], 2).astype(np.uint8)
    cv2.imwrite(str(path), levels)
    return path


def test_a_picture_is_enlarged(run, tmp_path):
    source, output = picture(tmp_path / "small.png"), tmp_path / "large.png"
    outcome = run("restore", source, output, "--scale", 4, *TINY_CHAIN, "--quiet")
    assert outcome.status == 0, outcome.stderr
    large = cv2.imread(str(output))
    assert large.shape == (96, 128, 3)
    back = cv2.resize(large, (32, 24), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(back - cv2.imread(str(source))).mean() < 2  # a smooth ramp: only its ends are uncertain


def test_a_video_keeps_its_frames_and_sound_at_twice_the_size(run, clip, tmp_path):
    output = tmp_path / "large.mkv"
    outcome = run("restore", clip, output, "--scale", 2, "--frames", "0:4", *TINY_CHAIN, "--quiet")
    assert outcome.status == 0, outcome.stderr
    with av.open(str(output)) as container:
        sizes = [(frame.height, frame.width) for frame in container.decode(video=0)]
        assert len(container.streams.audio) == 1
    assert sizes == [(96, 128)] * 4


def test_mask_noise_and_scale_are_one_job(run, clip, tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[20:24, 30:36] = 255
    cv2.imwrite(str(tmp_path / "hole.png"), mask)
    arguments = ["--scale", 2, "--denoise", 10, "--mask", tmp_path / "hole.png", "--frames", "0:2"]
    outcome = run("restore", clip, tmp_path / "out.mkv", *arguments, *TINY_CHAIN, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["settings"]["scale"] == 2


def test_half_of_the_pixels_missing_are_found_between_the_others(run, tmp_path):
    """From the command line, as scripts do it: whatever stands in the holes must not pass for noise."""
    truth = photograph(64, 64)
    missing = np.random.default_rng(4).random((64, 64)) < 0.5
    paths = [tmp_path / name for name in ("holes.png", "mask.png", "out.png")]
    paths[0].write_bytes(encode_png(np.where(missing, np.float32(0), truth)))
    cv2.imwrite(str(paths[1]), missing.astype(np.uint8) * 255)
    outcome = run("restore", paths[0], paths[2], "--mask", paths[1], "--set", "fit.iterations=200", "--quiet")
    assert outcome.status == 0, outcome.stderr
    restored = read_image(paths[2])[0]
    filled = fill_holes(np.where(missing, np.float32(0), truth), missing)
    assert psnr(restored, truth) > psnr(filled, truth) + 1


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """5 panned frames of 48 x 64 with noise and dust."""
    rng = np.random.default_rng(3)
    dusty = add_dust(panned(5, 48, 64), rng, per_frame=4).frames
    folder = tmp_path_factory.mktemp("film") / "film"
    folder.mkdir()
    for number, frame in enumerate(dusty + rng.normal(0, 6 / 255, dusty.shape)):
        (folder / f"{number:03d}.png").write_bytes(encode_png(np.clip(frame, 0, 1).astype(np.float32)))
    return folder


def test_defects_noise_and_scale_are_one_job_that_verifies(run, film, tmp_path):
    output, report, job = tmp_path / "out.mkv", tmp_path / "out.html", tmp_path / "job"
    wishes = ["--scratches", "--dust", "--denoise", "auto", "--scale", 2]
    rest = [*TINY_CHAIN, "--job-dir", job, "--report", report, "--json"]
    outcome = run("restore", film, output, *wishes, *rest)
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["settings"]["scale"] == 2
    assert outcome.json["noise"]["measured"]
    assert outcome.json["defects"]["dust_percent"] > 0.1
    # One scene, one fit of all generators, started once.
    assert len(list((job / "keys").iterdir())) == 1
    record = read_sidecar(output)
    assert (record.width, record.height) == (128, 96)
    assert record.defects == outcome.json["defects"]
    assert "Dust and dirt" in report.read_text()
    verification = run("verify", output, "--json")
    assert verification.status == 0, verification.stdout
    assert "128x96" in str(verification.json)


def test_a_job_of_another_scale_or_detector_is_another_job(run, film, tmp_path):
    job = [*TINY_CHAIN, "--job-dir", tmp_path / "job", "--overwrite", "--json"]
    wishes = ["--dust", "--scale", 2]
    first = run("restore", film, tmp_path / "out.mkv", *wishes, *job).json
    again = run("restore", film, tmp_path / "out.mkv", *wishes, *job).json
    assert again["chunks_reused"] == again["chunks"]
    for other in (["--dust", "--scale", 3], ["--scale", 2]):
        changed = run("restore", film, tmp_path / "out.mkv", *other, *job).json
        assert changed["chunks_reused"] == 0
        assert changed["fingerprint"] != first["fingerprint"]


def test_a_still_with_mask_noise_and_scale_keeps_its_opacity(run, tmp_path):
    source, hole = tmp_path / "still.png", np.zeros((24, 32), np.uint8)
    opaque = np.full((24, 32, 1), 255, np.uint8)
    opaque[:, 16:] = 100
    colours = cv2.imread(str(picture(tmp_path / "small.png")))
    cv2.imwrite(str(source), np.concatenate([colours, opaque], 2))
    hole[8:12, 8:12] = 255
    cv2.imwrite(str(tmp_path / "hole.png"), hole)
    wishes = ["--mask", tmp_path / "hole.png", "--denoise", "auto", "--scale", 2]
    outcome = run("restore", source, tmp_path / "out.png", *wishes, *TINY_CHAIN, "--sidecar")
    assert outcome.status == 0, outcome.stderr
    large = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert large.shape == (48, 64, 4)
    assert (large[:, :30, 3] == 255).all() and (large[:, 34:, 3] == 100).all()
    assert run("verify", tmp_path / "out.png").status == 0


def test_a_batch_takes_the_same_options(run, tmp_path):
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "small.png")
    outcome = run(
        "batch", tmp_path / "in", "--output", tmp_path / "out", "--scale", 2, *TINY_CHAIN, "--quiet"
    )
    assert outcome.status == 0, outcome.stderr
    assert cv2.imread(str(tmp_path / "out" / "small.png")).shape == (48, 64, 3)
    again = run("batch", tmp_path / "in", "--output", tmp_path / "out", "--scale", 2, *TINY_CHAIN, "--json")
    assert again.json["restored"] == 0


def test_a_grey_picture_is_enlarged_without_a_tint(run, tmp_path):
    grey = cv2.imread(str(picture(tmp_path / "small.png")))[..., :1].repeat(3, axis=2)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    outcome = run("restore", tmp_path / "grey.png", tmp_path / "out.png", "--scale", 2, *TINY_CHAIN)
    assert outcome.status == 0, outcome.stderr
    assert np.ptp(cv2.imread(str(tmp_path / "out.png")), axis=2).max() == 0


def test_tiles_are_blended_at_the_larger_size(run, tmp_path):
    """Two tiles and one: the same picture but for what the generator learnt from each, which here is nothing."""
    source = picture(tmp_path / "small.png", 40, 100)
    for name, size in (("one", 0), ("two", 120)):
        arguments = ["--scale", 2, "--set", f"tile.size={size}", "--set", "tile.overlap=40"]
        outcome = run("restore", source, tmp_path / f"{name}.png", *arguments, *TINY_CHAIN, "--quiet")
        assert outcome.status == 0, outcome.stderr
    one, two = (cv2.imread(str(tmp_path / f"{name}.png")).astype(float) for name in ("one", "two"))
    assert one.shape == two.shape == (80, 200, 3)
    assert np.abs(one - two).mean() < 1.5


def test_a_reference_is_compared_at_the_larger_size(run, tmp_path):
    source, truth = picture(tmp_path / "small.png"), tmp_path / "truth.png"
    cv2.imwrite(str(truth), cv2.resize(cv2.imread(str(source)), (64, 48), interpolation=cv2.INTER_CUBIC))
    arguments = ["--scale", 2, "--reference", truth, *TINY_CHAIN, "--json"]
    outcome = run("restore", source, tmp_path / "large.png", *arguments)
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["psnr_before"] > 30


@pytest.mark.parametrize("scale", [0, 5, -2])
def test_an_impossible_scale_is_one_line(run, tmp_path, scale):
    outcome = run("restore", picture(tmp_path / "small.png"), tmp_path / "out.png", "--scale", scale)
    assert outcome.status == 2
    assert "scale" in outcome.error


def test_a_reference_of_the_captured_size_is_refused_before_the_work(run, tmp_path):
    source = picture(tmp_path / "small.png")
    outcome = run("restore", source, tmp_path / "out.png", "--scale", 2, "--reference", source)
    assert outcome.status == 3
    assert "64x48 of" in outcome.error


def test_a_jpeg_is_deblocked_by_its_own_tables(run, tmp_path):
    source = tmp_path / "small.jpg"
    cv2.imwrite(str(source), cv2.imread(str(picture(tmp_path / "small.png"))), [cv2.IMWRITE_JPEG_QUALITY, 10])
    outcome = run("restore", source, tmp_path / "out.png", "--deblock", *TINY, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["noise"]["sigma_8bit"] == pytest.approx(12.6, abs=0.5)  # 0.69 q^1.3, q = 65.6


def test_probe_sees_a_strongly_coded_jpeg(run, tmp_path):
    source = tmp_path / "small.jpg"
    cv2.imwrite(str(source), cv2.imread(str(picture(tmp_path / "small.png"))), [cv2.IMWRITE_JPEG_QUALITY, 10])
    facts = run("probe", source, "--json").json
    assert facts["preset"] == "jpeg"
    assert "12.6 grey levels" in facts["why"]


def test_deblocking_a_picture_that_is_no_jpeg_is_one_line(run, tmp_path):
    outcome = run("restore", picture(tmp_path / "small.png"), tmp_path / "out.png", "--deblock")
    assert outcome.status == 2
    assert "no JPEG" in outcome.error


def test_a_jpeg_is_deblocked_and_enlarged_in_one_job(run, tmp_path):
    source = tmp_path / "small.jpg"
    cv2.imwrite(str(source), cv2.imread(str(picture(tmp_path / "small.png"))))
    outcome = run("restore", source, tmp_path / "out.png", "--deblock", "--scale", 2, *TINY_CHAIN, "--quiet")
    assert outcome.status == 0, outcome.stderr
    assert cv2.imread(str(tmp_path / "out.png")).shape == (48, 64, 3)
