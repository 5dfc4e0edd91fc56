"""Large frames in tiles: the result is that of the whole frame, and nothing shows where tiles meet."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from photographs import noisy, panned, psnr

from reelprior.io.chunks import read_frames, write_frames
from reelprior.models.tiles import plan_tiles
from reelprior.pipeline.settings import Settings
from reelprior.pipeline.tiling import blend_parts, processes_per_gpu, resolve_tile_size


def test_the_parts_of_a_frame_blend_to_the_frame(tmp_path):
    """To the rounding of the 16-bit files."""
    clip = panned(3, 90, 120)
    tiles = plan_tiles(90, 120, 64, 18)
    parts = [tmp_path / f"{tile.index}.mkv" for tile in tiles]
    for tile, part in zip(tiles, parts, strict=True):
        write_frames(part, clip[..., *tile.read.slices])
    blended = np.stack(list(blend_parts(tiles, parts)))
    np.testing.assert_allclose(blended, clip, atol=1 / 65535)


def test_a_tile_size_that_is_given_is_kept():
    settings = Settings.model_validate({"tile": {"size": 320}})
    assert resolve_tile_size(settings).tile.size == 320


def test_on_a_cpu_standard_definition_is_one_tile():
    settings = resolve_tile_size(Settings.model_validate({"compute": {"device": "cpu"}}))
    assert len(plan_tiles(576, 720, settings.tile.size, settings.tile.overlap)) == 1


@pytest.fixture
def a_gpu(monkeypatch):
    """What this machine says of itself: one GPU of 24 GiB."""
    properties = SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    # It would hold for all tests after.
    monkeypatch.setattr("reelprior.models.device.repeat_exactly", lambda: None)


def test_small_frames_share_a_gpu_and_large_ones_have_it_to_themselves(a_gpu):
    settings = resolve_tile_size(Settings.model_validate({}))
    assert processes_per_gpu(settings, height=144, width=176) == 4
    assert processes_per_gpu(settings, height=2160, width=3840) == 1


def test_processes_that_share_a_gpu_get_smaller_tiles(a_gpu):
    alone, shared = (
        resolve_tile_size(Settings.model_validate({"compute": {"per_gpu": number}})) for number in (1, 4)
    )
    assert shared.tile.size <= alone.tile.size / 2 + 64
    assert processes_per_gpu(shared, height=2160, width=3840) == 4


def test_without_a_gpu_none_is_shared():
    settings = resolve_tile_size(Settings.model_validate({"compute": {"device": "cpu"}}))
    assert processes_per_gpu(settings, height=144, width=176) == 1


@pytest.mark.slow
def test_tiles_give_what_the_whole_frame_gives(run, tmp_path):
    """Within 0.1 dB, and without a step where tiles meet."""
    clean = panned(4, 224, 160)
    source = tmp_path / "noisy.mkv"
    write_frames(source, noisy(clean, 25))
    results = {}
    for size in (768, 160):
        output = tmp_path / f"{size}.mkv"
        settings = ["--set", f"tile.size={size}", "--set", "tile.overlap=48", "--pix-fmt", "gbrp16le"]
        outcome = run("restore", source, output, "--denoise", "25", *settings)
        assert outcome.status == 0, outcome.stderr
        results[size] = np.stack(list(read_frames(output)))
    assert psnr(results[160], clean) == pytest.approx(psnr(results[768], clean), abs=0.1)
    tiles = plan_tiles(224, 160, 160, 48)
    assert len(tiles) > 1
    # How far the error changes from one row to the next, against the whole frame's in the same rows.
    steps = {
        size: np.abs(np.diff(result - clean, axis=2)).mean((0, 1, 3)) for size, result in results.items()
    }
    fades = [range(tile.write.top, tile.write.top + 24) for tile in tiles if tile.write.top]
    assert all(steps[160][fade].mean() < 1.1 * steps[768][fade].mean() for fade in fades)
