"""A half-transparent logo on the way through a job: taken off, its rim filled, and nothing else touched."""

import cv2
import numpy as np
import pytest
from blemishes import add_logo
from jobs import TINY
from photographs import panned, psnr

from reelprior.io.pictures import encode_png

CLEAN = panned(20, 136, 172, step=(-3, 5))
PART = slice(8, 10)
LOGO = [*TINY, "--logo", "--frames", f"{PART.start}:{PART.stop}"]


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots")
    for number, frame in enumerate(add_logo(CLEAN, opacity=0.5).frames):
        (folder / f"{number:03d}.png").write_bytes(encode_png(frame))
    return folder


def read(folder):
    pictures = [cv2.imread(str(path))[..., ::-1].transpose(2, 0, 1) for path in sorted(folder.glob("*.png"))]
    return np.stack(pictures).astype(np.float32) / 255


def test_a_half_transparent_logo_is_seen_through_and_nothing_else_is_touched(run, shots, tmp_path):
    views = ["--mark", tmp_path / "marks", "--report", tmp_path / "report.html"]
    job = ["--job-dir", tmp_path / "job"]
    outcome = run("restore", shots, tmp_path / "out", *LOGO, "--json", *views, *job)
    assert outcome.status == 0, outcome.stderr
    found = outcome.json["defects"]
    assert 0 < found["seen_through_percent"] < found["logo_percent"]
    assert found["transmission"] == pytest.approx(0.5, abs=0.12)
    report = (tmp_path / "report.html").read_text()
    assert "seen through" in report
    assert "misfit between what was removed and the noise" not in report, "the logo is no noise"
    before, after, clean = read(shots)[PART], read(tmp_path / "out"), CLEAN[PART]
    logo = read(tmp_path / "marks" / "masks")[0, 0] > 0.5
    changed = (after != before).any(axis=(0, 1))
    assert not (changed & ~logo).any()
    assert changed[logo].mean() > 0.95
    with np.load(tmp_path / "job" / "masks" / "overlay.npz") as overlay:
        through = overlay["transmission"] < 1
    assert not (through & ~logo).any()
    assert (
        psnr(after[:, :, through], clean[:, :, through])
        > psnr(before[:, :, through], clean[:, :, through]) + 12
    )


def test_with_noise_to_remove_the_whole_logo_is_filled(run, shots, tmp_path):
    outcome = run("restore", shots, tmp_path / "out", *LOGO, "--denoise", "5", "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["defects"]["logo_percent"] > 0
    assert "transmission" not in outcome.json["defects"]


def test_what_was_told_of_a_logo_is_kept_with_the_job_and_made_again_where_it_is_gone(run, shots, tmp_path):
    job = [*LOGO, "--job-dir", tmp_path / "job"]
    assert run("restore", shots, tmp_path / "a", *job).status == 0
    overlay = tmp_path / "job" / "masks" / "overlay.npz"
    kept = overlay.read_bytes()
    overlay.unlink()
    assert run("restore", shots, tmp_path / "b", *job).status == 0
    assert overlay.read_bytes() == kept
    np.testing.assert_array_equal(read(tmp_path / "a"), read(tmp_path / "b"))
