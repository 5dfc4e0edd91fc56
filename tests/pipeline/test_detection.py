"""Defects on the way through a job: found once, one mask, shown, edited and given back."""

import json

import cv2
import numpy as np
import pytest
from blemishes import add_dust
from jobs import TINY
from photographs import noisy, panned

from reelprior.io.pictures import encode_png
from reelprior.io.probe import probe
from reelprior.pipeline.diagnosis import Diagnosis, blockiness, recommend

ONLY_DUST = [*TINY, "--dust"]


@pytest.fixture(scope="module")
def damaged():
    return add_dust(panned(6, 64, 72), np.random.default_rng(5), per_frame=5)


@pytest.fixture
def shots(tmp_path, damaged):
    folder = tmp_path / "shots"
    folder.mkdir()
    for number, frame in enumerate(damaged.frames):
        (folder / f"{number:03d}.png").write_bytes(encode_png(frame))
    return folder


def read(folder):
    return np.stack(
        [cv2.imread(str(path))[..., ::-1].transpose(2, 0, 1) for path in sorted(folder.glob("*.png"))]
    )


def test_dust_is_found_repaired_and_nothing_else_is_touched(run, shots, tmp_path, damaged):
    views = ["--mark", tmp_path / "marks", "--report", tmp_path / "report.html"]
    outcome = run("restore", shots, tmp_path / "out", *ONLY_DUST, "--json", *views)
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["defects"]["dust_percent"] > 0.3
    found = read(tmp_path / "marks" / "masks")[:, 0] >= 128
    changed = (read(tmp_path / "out") != read(shots)).any(axis=1)
    assert not (changed & ~found).any()
    assert changed[found].mean() > 0.6  # the rim of a blot may come out as it was
    assert "Dust and dirt" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_two_workers_find_and_give_the_same(run, shots, tmp_path):
    run("restore", shots, tmp_path / "one", *ONLY_DUST)
    assert run("restore", shots, tmp_path / "two", *ONLY_DUST, "--workers", "2").status == 0
    np.testing.assert_array_equal(read(tmp_path / "one"), read(tmp_path / "two"))


def test_edited_masks_are_given_back_for_their_frames(run, shots, tmp_path):
    part = ["--frames", "2:5"]
    run("restore", shots, tmp_path / "a", *ONLY_DUST, *part, "--mark", tmp_path / "marks")
    masks = sorted((tmp_path / "marks" / "masks").iterdir())
    assert [path.name for path in masks] == ["000002.png", "000003.png", "000004.png"]
    edited = np.zeros((64, 72), np.uint8)
    edited[10:20, 30:40] = 255
    cv2.imwrite(str(masks[1]), edited)
    outcome = run("restore", shots, tmp_path / "b", *TINY, *part, "--mask", tmp_path / "marks" / "masks.toml")
    assert outcome.status == 0, outcome.stderr
    changed = (read(tmp_path / "b")[1] != read(shots)[3]).any(axis=0)
    assert changed[10:20, 30:40].any() and not changed[edited == 0].any()


def test_a_video_of_what_was_found_is_as_long_as_the_job(run, shots, tmp_path):
    assert run("restore", shots, tmp_path / "a", *ONLY_DUST, "--mark", tmp_path / "marks.mkv").status == 0
    assert probe(tmp_path / "marks.mkv").video.width == 72


def test_findings_are_kept_with_the_job_and_altered_masks_are_made_again(run, shots, tmp_path):
    job = ["--job-dir", tmp_path / "job"]
    run("restore", shots, tmp_path / "a", *ONLY_DUST, *job)
    found = json.loads((tmp_path / "job" / "masks" / "found.json").read_text())
    mask = tmp_path / "job" / "masks" / "000002.png"
    whole = mask.read_bytes()
    mask.write_bytes(encode_png(np.zeros((3, 64, 72), np.float32)))
    again = run("restore", shots, tmp_path / "b", *ONLY_DUST, *job, "--json").json
    assert again["chunks_reused"] == again["chunks"]  # what is found decides nothing about which job it is
    assert mask.read_bytes() == whole
    assert json.loads((tmp_path / "job" / "masks" / "found.json").read_text()) == found


def test_a_part_is_restored_with_what_is_found_beside_it_and_only_the_part_is_told_of(run, shots, tmp_path):
    for name, frames in (("part", "2:4"), ("whole", "0:6")):
        job = ["--job-dir", tmp_path / f"{name}-job"]
        outcome = run("restore", shots, tmp_path / name, *ONLY_DUST, "--frames", frames, *job)
        assert outcome.status == 0, outcome.stderr
    masks, of_whole = (tmp_path / f"{name}-job" / "masks" for name in ("part", "whole"))
    assert [path.stem for path in sorted(masks.glob("*.png"))] == [f"{t:06d}" for t in range(6)]
    for t in (2, 3):
        assert (masks / f"{t:06d}.png").read_bytes() == (of_whole / f"{t:06d}.png").read_bytes()
    found = json.loads((masks / "found.json").read_text())
    assert {t for t, _ in found["marked"]} == {2, 3}
    assert found["frames"]["dust"] == 2


def test_what_has_no_defect_comes_out_as_it_went_in(run, tmp_path):
    folder = tmp_path / "clean"
    folder.mkdir()
    for number, frame in enumerate(panned(4, 48, 64)):
        (folder / f"{number}.png").write_bytes(encode_png(frame))
    assert run("restore", folder, tmp_path / "out", *ONLY_DUST).status == 0
    np.testing.assert_array_equal(read(tmp_path / "out"), read(folder))


def test_deflicker_is_recorded_so_that_it_can_be_undone(run, tmp_path):
    folder = tmp_path / "flicker"
    folder.mkdir()
    for number, frame in enumerate(panned(6, 48, 64, step=(0, 1))):
        (folder / f"{number}.png").write_bytes(encode_png(frame * (0.93 if number == 3 else 1.0)))
    outcome = run("restore", folder, tmp_path / "out", *TINY, "--deflicker", "--json")
    assert outcome.status == 0, outcome.stderr
    assert len(outcome.json["tone_curves"]["3"]) == 3
    after = read(tmp_path / "out").mean(axis=(1, 2, 3))
    before = read(folder).mean(axis=(1, 2, 3))
    assert abs(after[3] - after[2]) < 0.6 * abs(before[3] - before[2])


def test_a_grown_and_feathered_mask_reaches_further_and_fades(run, shots, tmp_path, damaged):
    # Around a hole the restored picture differs from the source by its noise; without any, by next to nothing.
    for path, frame in zip(sorted(shots.iterdir()), noisy(damaged.frames, 15), strict=True):
        path.write_bytes(encode_png(frame))
    mask = np.zeros((3, 64, 72), np.float32)
    mask[:, 20:30, 20:30] = 1
    (tmp_path / "mask.png").write_bytes(encode_png(mask))
    reach = ["--set", "mask.grow=2", "--set", "mask.feather=3"]
    run("restore", shots, tmp_path / "out", *TINY, "--mask", tmp_path / "mask.png", *reach)
    changed = (read(tmp_path / "out") != read(shots)).any(axis=(0, 1))
    assert changed[20:30, 16:18].any()
    assert not changed[25, :14].any() and not changed[:14].any()


@pytest.mark.parametrize(
    ("diagnosis", "preset", "why"),
    [
        (Diagnosis(dust_percent=0.4, flicker_8bit=5), "film", "dust on 0.40 %"),
        (Diagnosis(scratches_percent=1.0, logo_percent=2.0), "film", "--logo"),
        (Diagnosis(dust_percent=0.6), "film", "dust on 0.60 %"),
        (Diagnosis(dust_percent=0.2, scratches_percent=0.7), "film", "scratches on 0.70 %"),
        # What a sound clip with glittering water shows: told, and not taken for film.
        (Diagnosis(dust_percent=0.26), "inpaint", "perhaps dust on 0.26 % of the pixels: see with --mark"),
        (Diagnosis(dust_percent=0.09, scratches_percent=0.4), "inpaint", "hardly any noise"),
        (Diagnosis(logo_percent=2.0), "logo", "2.0 %"),
        (Diagnosis(dropouts_percent=0.2), "inpaint", "hardly any noise"),
        (Diagnosis(blockiness=1.4), "inpaint", "hardly any noise"),
        (Diagnosis(coding_sigma_8bit=4.4), "jpeg", "4.4 grey levels"),
        (Diagnosis(coding_sigma_8bit=1.0), "inpaint", "hardly any noise"),
    ],
)
def test_the_preset_follows_from_what_is_wrong(shots, diagnosis, preset, why):
    # Pictures of 72 x 64 without a codec are neither tape nor web video.
    chosen, reason = recommend(diagnosis, probe(shots), sigma_8bit=0.5)
    assert chosen == preset
    assert why in reason


def test_blocks_are_seen_and_their_absence_too():
    plain = panned(1, 64, 64)[0].mean(axis=0)
    blocks = plain.reshape(8, 8, 8, 8).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
    assert blockiness(0.7 * plain + 0.3 * blocks) > 1.15 > blockiness(plain)
