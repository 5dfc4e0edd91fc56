"""Flash/no-flash pairs in a batch: found, restored as one piece of work, resumed, verified, estimated."""

import json

import numpy as np
import pytest
from pairs import flash_pair
from photographs import photograph, psnr
from shots import write_shot

from reelprior.io.photographs import read_photograph

#: Small and quick; what is tested here is the way from files to files.
QUICK = ["--set", "fit.iterations=30", "--set", "network.channels=[16,16]", "--set", "compute.threads=1"]
QUICK += ["--set", "network.skip_channels=[8,8]", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path):
    """A pair of 72 x 88, and a shot that is black and therefore no good, with its flash."""
    flash, ambient, _ = flash_pair(72, 88, shadow=False)
    (tmp_path / "in").mkdir()
    write_shot(tmp_path / "in" / "anna_flash.png", flash, bits=16)
    write_shot(tmp_path / "in" / "anna_noflash.tif", ambient, bits=16)
    write_shot(tmp_path / "in" / "otto_flash.png", photograph(48, 64))
    write_shot(tmp_path / "in" / "otto_noflash.png", np.zeros((3, 48, 64), np.float32))
    return tmp_path / "in"


@pytest.fixture
def batch(run, folder, tmp_path):
    """Run the batch of the folder."""
    return lambda *options: run("batch", folder, "--output", tmp_path / "out", *QUICK, *options)


def test_a_pair_is_one_piece_of_work_with_a_state_a_report_and_a_check(batch, run, folder, tmp_path):
    outcome = batch("--report", "--json")
    assert outcome.status == 4
    assert outcome.json["states"] == {"done": 1, "failed": 1}
    (failure,) = outcome.json["failures"].values()
    assert "is black" in failure
    _, noisy, clean = flash_pair(72, 88, shadow=False)
    restored = read_photograph(tmp_path / "out" / "anna_noflash.tif")
    assert restored.bits == 16
    assert psnr(restored.pixels, clean) > psnr(noisy, clean) + 3
    assert "out/anna_noflash.tif" in (tmp_path / "out" / "anna_noflash.tif.report.html").read_text()
    index = (tmp_path / "out" / "batch.reelprior.html").read_text(encoding="utf-8")
    assert 'href="anna_noflash.tif.report.html"' in index

    assert run("verify", tmp_path / "out").status == 0
    (folder / "otto_noflash.png").unlink()
    (folder / "otto_flash.png").unlink()
    again = batch("--json").json
    assert (again["restored"], again["unchanged"]) == (0, 1)
    write_shot(folder / "anna_flash.png", photograph(72, 88), bits=16)
    assert run("verify", tmp_path / "out").status == 4
    assert batch("--json").json["restored"] == 1


def test_a_whole_picture_of_an_earlier_run_is_taken_over(folder, tmp_path):
    from reelprior.pipeline.pair_job import PairJob
    from reelprior.pipeline.pair_work import PairWork, restore_pair_task
    from reelprior.pipeline.presets import load_settings

    settings = load_settings("flash", overrides=QUICK[1:-2:2])
    job = PairJob(
        flash=str(folder / "anna_flash.png"),
        ambient=str(folder / "anna_noflash.tif"),
        output=str(tmp_path / "anna.png"),
        settings=settings,
        overwrite=True,
    )
    first = PairWork(job, tmp_path / "job")
    task = first.open().backlog.take_chunk()
    first_hash = restore_pair_task(str(tmp_path / "job"), task.id, "cpu", 1)

    second = PairWork(job, tmp_path / "job")
    assert second.open().backlog.empty
    second.finish()
    assert second.facts()["frames"] == 1
    assert (tmp_path / "anna.png").stat().st_size > 0
    assert json.loads((tmp_path / "job" / "result.json").read_text())["sha256"] == first_hash

    (tmp_path / "job" / "chunks" / "picture.png").write_bytes(b"half")
    assert PairWork(job, tmp_path / "job").open().backlog.ready == 1


def test_a_pair_that_is_told_to_stop_stops(folder, tmp_path):
    from reelprior.pipeline.errors import Interrupted
    from reelprior.pipeline.pair_job import PairJob
    from reelprior.pipeline.pair_work import PairWork, restore_pair_task

    job = PairJob(
        flash=str(folder / "anna_flash.png"),
        ambient=str(folder / "anna_noflash.tif"),
        output=str(tmp_path / "anna.png"),
    )
    work = PairWork(job, tmp_path / "job")
    work.open()
    work.cancel()
    with pytest.raises(Interrupted):
        restore_pair_task(str(tmp_path / "job"), 0, "cpu", 1)
    assert not (tmp_path / "anna.png").exists()


def test_a_dry_run_estimates_pairs(batch, tmp_path):
    facts = batch("--dry-run", "--json").json
    assert [(file["kind"], file["frames"]) for file in facts["files"]] == [("pair", 1)] * 2
    assert all(file["seconds"] > 0 for file in facts["files"])
    assert facts["memory_bytes_per_worker"] > 50e6
    assert not (tmp_path / "out").exists()
