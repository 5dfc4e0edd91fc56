"""The estimate: arithmetic that a person can check."""

import pytest

from reelprior.pipeline.costs import (
    Cost,
    Workload,
    assumed_workload,
    estimate,
    memory_beside_frames,
    workload_of,
)
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.settings import Settings

COST = Cost(
    pixels=100,
    key_seconds=10.0,
    frame_seconds=2.0,
    memory_bytes=1000.0,
    base_bytes=500.0,
    gpu_bytes=50.0,
    chunk_bytes=30.0,
    output_bytes=20.0,
)


def test_time_memory_and_disk_grow_with_pixels_and_frames():
    work = Workload(pixels=400, pixels_at_once=400, frames=60, keys=2, fitted=64, stored=62, longest_read=10)
    whole = estimate(COST, work)
    assert whole.seconds == 4 * (2 * 10 + 64 * 2)
    assert whole.memory_bytes == 500 + 4 * 1000 + 400 * 10 * 84
    assert whole.gpu_bytes == 200
    assert whole.disk_bytes == 4 * (62 * 30 + 60 * 20)
    assert estimate(COST, work, workers=4).seconds == whole.seconds / 4


def test_memory_is_that_of_a_tile():
    settings = Settings.model_validate({"tile": {"size": 256}})
    tiled, small = (assumed_workload(60, settings, height=side, width=2 * side) for side in (1000, 256))
    assert tiled.pixels == 2_000_000
    assert tiled.pixels_at_once == 256 * 256
    assert small.pixels_at_once == 256 * 256
    assert estimate(COST, tiled).memory_bytes == 500 + 655.36 * 1000 + 256 * 256 * tiled.longest_read * 84


def test_a_plan_says_what_is_to_be_done():
    settings = Settings.model_validate({"chunk": {"frames": 4, "fade": 1}})
    plan = make_plan(range(8), [0.0] * 8, height=8, width=8, chunk=settings.chunk, handle=2)
    work = workload_of(plan, settings, height=8, width=8)
    assert (work.frames, work.keys) == (8, 1)
    assert work.stored == 10  # one border, a fade of one frame on either side
    assert work.fitted == 12  # and a first frame of each of two chunks that has twice the budget
    assert work.longest_read == 7


@pytest.mark.parametrize("frames", [1, 50, 100, 320])
def test_the_assumed_workload_is_near_that_of_a_plan_with_such_scenes(frames):
    """Within 5 %: scenes are divided alike, and only the last one is shorter."""
    settings = Settings()
    scores = [50.0 if t and t % 100 == 0 else 0.0 for t in range(frames)]
    plan = make_plan(
        range(frames), scores, height=48, width=64, chunk=settings.chunk, handle=settings.handle_frames
    )
    exact = workload_of(plan, settings, height=48, width=64)
    assumed = assumed_workload(frames, settings, height=48, width=64)
    assert assumed.keys == exact.keys
    assert assumed.fitted == pytest.approx(exact.fitted, rel=0.05)
    assert assumed.stored == pytest.approx(exact.stored, rel=0.05)


def test_memory_is_never_less_than_nothing():
    assert memory_beside_frames(10.0, pixels=100, frames=3) == 0.0
    assert memory_beside_frames(100 * 3 * 84 + 7.0, pixels=100, frames=3) == 7.0
