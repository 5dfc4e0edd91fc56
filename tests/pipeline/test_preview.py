"""A moment restored at once: the picture, the estimate, and what is refused."""

import cv2
import numpy as np
import pytest
from dask.system import CPU_COUNT
from interlacing import interlaced, moving, write_frames
from jobs import TINY
from photographs import photograph

from reelprior.models.tiles import middle
from reelprior.pipeline import threads
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.preview import parse_time, readable_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("75.5", 75.5), ("1:15.5", 75.5), ("1:00:01", 3601.0), ("0", 0.0)]
)
def test_times_are_seconds_minutes_or_hours(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "noon", "1:2:3:4", "-1", "nan", "1:-2", "inf"])
def test_other_times_are_refused(text):
    with pytest.raises(UsageError, match="write seconds"):
        parse_time(text)


def test_the_middle_of_a_frame_keeps_its_shape_and_the_bound():
    rows, columns = middle(1080, 1920, pixels=25_000)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    assert height * width <= 25_000
    assert width / height == pytest.approx(16 / 9, rel=0.02)  # whole pixels
    assert (rows.start + rows.stop) / 2 == pytest.approx(540, abs=1)
    assert middle(48, 64, pixels=25_000) == (slice(0, 48), slice(0, 64))
    assert middle(1, 1_000_000, pixels=100)[0] == slice(0, 1)


def test_sizes_are_readable():
    assert [readable_size(b) for b in (1.5e6, 2.5e9, 3e12)] == ["1.5 MB", "2.5 GB", "3.0 TB"]


def test_a_preview_is_a_picture_of_before_and_after_with_an_estimate(run, clip, tmp_path):
    picture = tmp_path / "p.png"
    done = run("preview", clip, "--at", "0.2", "-o", picture, "--denoise", "10", "--json", *TINY)
    assert done.status == 0, done.stderr
    pixels = cv2.imread(str(picture))
    assert pixels.shape == (48, 2 * 64 + 4, 3)
    assert not np.array_equal(pixels[:, :64], pixels[:, 68:])
    facts = done.json
    assert facts["at_seconds"] == pytest.approx(0.2)
    assert facts["crop"] == [64, 48]
    assert facts["whole_frames"] == 12
    assert all(facts[f"whole_{name}"] > 0 for name in ("memory_mb", "disk_mb"))
    assert facts["whole_gpu_memory_mb"] == 0 or facts["whole_gpu_memory_mb"] > 1


def test_a_preview_shows_a_higher_resolution_beside_the_enlarged_source(run, clip, tmp_path):
    picture = tmp_path / "p.png"
    done = run(
        "preview", clip, "--at", "0.2", "-o", picture, "--scale", "2", "--denoise", "none", "--json", *TINY
    )
    assert done.status == 0, done.stderr
    pixels = cv2.imread(str(picture))
    assert pixels.shape == (2 * 48, 2 * 2 * 64 + 4, 3)
    before, after = pixels[:, :128].astype(int), pixels[:, 132:].astype(int)
    assert 0 < np.abs(before - after).mean() < 20  # the same picture, made in two ways
    assert done.json["crop"] == [64, 48]


def test_a_preview_of_a_jpeg_picture_undoes_its_coding(run, tmp_path):
    source, picture = tmp_path / "coarse.jpg", tmp_path / "p.png"
    clean = (255 * photograph(64, 80)).transpose(1, 2, 0)[..., ::-1]
    cv2.imwrite(str(source), np.rint(clean).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 10])
    done = run("preview", source, "--at", "0", "-o", picture, "--deblock", "--denoise", "none", *TINY)
    assert done.status == 0, done.stderr
    pixels = cv2.imread(str(picture)).astype(float)
    before, after = pixels[:, :80], pixels[:, 84:]
    assert np.square(after - clean).mean() < np.square(before - clean).mean()


def test_what_a_mask_does_not_mark_is_shown_unchanged(run, clip, tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:20] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    picture = tmp_path / "p.png"
    done = run("preview", clip, "--at", "0.2", "-o", picture, "--mask", tmp_path / "mask.png", *TINY)
    assert done.status == 0, done.stderr
    pixels = cv2.imread(str(picture))
    changed = (pixels[:, :64] != pixels[:, 68:]).any(axis=2)
    assert changed[10:20, 10:20].mean() > 0.5
    assert not changed[mask == 0].any()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--at", "99"], 3, "has no frame at 99 s"),
        (["--at", "noon"], 2, "--at noon: write seconds"),
        (["--at", "0", "-o", "p.jpg"], 5, "a preview is a .png"),
        (["--at", "0", "--denoise", "none"], 2, "nothing to restore"),
    ],
)
def test_impossible_previews_are_one_line(run, clip, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    done = run("preview", clip, *arguments, *TINY)
    assert done.status == status
    assert message in done.error
    assert not list(tmp_path.iterdir())


def test_an_existing_picture_is_kept_unless_it_may_be_replaced(run, clip, tmp_path):
    (tmp_path / "p.png").write_text("mine")
    done = run("preview", clip, "--at", "0", "-o", tmp_path / "p.png", *TINY)
    assert done.status == 5
    assert "exists already" in done.error


@pytest.fixture(scope="module")
def woven(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("woven") / "i.mkv", interlaced(moving(12)))


def test_a_preview_refuses_interlaced_frames_as_the_job_would(run, woven, tmp_path):
    done = run("preview", woven, "--at", "0.1", "-o", tmp_path / "p.png", *TINY)
    assert done.status == 3
    assert "interlaced, top field first: give --deinterlace" in done.error
    assert (
        run("preview", woven, "--at", "0.1", "-o", tmp_path / "p.png", "--no-deinterlace", *TINY).status == 0
    )


def test_a_preview_shows_a_field_as_a_whole_picture(run, woven, tmp_path):
    """Rows of the field that are there stay; denoising apart, only the others are made."""
    picture = tmp_path / "p.png"
    done = run(
        "preview", woven, "--at", "0.1", "-o", picture, "--deinterlace", "--denoise", "none", "--json", *TINY
    )
    assert done.status == 0, done.stderr
    pixels = cv2.imread(str(picture)).astype(int)
    middle = pixels.shape[1] // 2
    before, after = pixels[:, : middle - 2], pixels[:, middle + 2 :]
    assert before.shape == after.shape
    changed = (before != after).any(axis=(1, 2))
    assert changed.sum() == pytest.approx(len(changed) / 2, abs=1)
    assert len(set(np.flatnonzero(changed) % 2)) == 1
    assert done.json["whole_frames"] == 6


def test_a_dry_run_says_which_files_are_interlaced(run, woven, tmp_path):
    done = run("batch", woven.parent, "--output", tmp_path / "out", "--dry-run", "--json", *TINY)
    assert done.status == 0, done.stderr
    assert "give --deinterlace" in done.json["files"][0]["remark"]


def test_a_preview_computes_with_the_threads_that_are_wished_for(run, clip, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(threads, "use_threads", used.append)
    for number, wish in ((0, "0"), (3, "3")):
        settings = ["--set", f"compute.threads={wish}", "-o", tmp_path / f"{number}.png"]
        assert run("preview", clip, "--at", "0.2", "--denoise", "10", *TINY, *settings).status == 0
    assert used == [max(1, CPU_COUNT - 1), 3]
