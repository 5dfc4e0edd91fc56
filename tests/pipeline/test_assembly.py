"""Cross-fading chunks into one run of frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelprior.pipeline.assembly import cross_fade
from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.progress import frames_done
from reelprior.pipeline.settings import ChunkSettings


def plan_of(scores, *, frames=4, fade=1, handle=2):
    settings = ChunkSettings(frames=frames, fade=fade)
    return make_plan(range(len(scores)), scores, height=48, width=64, chunk=settings, handle=handle)


def constant(value):
    return np.full((3, 2, 2), value, np.float32)


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 40.0]), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 4),
)
def test_chunks_that_agree_come_out_unchanged_and_in_order(scores, frames, fade):
    plan = plan_of(scores, frames=frames, fade=fade)
    chunks = ((chunk, [constant(t / 64) for t in chunk.write]) for chunk in plan.chunks)
    faded = list(cross_fade(plan, chunks))
    assert [t for t, _ in faded] == list(plan.frames)
    for t, pixels in faded:
        assert pixels == pytest.approx(t / 64, abs=1e-6)  # two float32 products and a sum
        assert pixels.dtype == np.float32


def test_chunks_that_differ_are_blended_across_the_border_only():
    plan = plan_of([0.0] * 8, fade=1)
    chunks = ((chunk, [constant(chunk.id) for _ in chunk.write]) for chunk in plan.chunks)
    values = [float(pixels[0, 0, 0]) for _, pixels in cross_fade(plan, chunks)]
    assert values == pytest.approx([0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1])


def test_a_cut_is_not_blended():
    plan = plan_of([0.0] * 4 + [50.0] + [0.0] * 3)
    chunks = ((chunk, [constant(chunk.id) for _ in chunk.write]) for chunk in plan.chunks)
    assert [float(pixels[0, 0, 0]) for _, pixels in cross_fade(plan, chunks)] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_chunk_with_too_few_frames_is_noticed():
    plan = plan_of([0.0] * 8)
    chunks = ((chunk, [constant(0) for _ in chunk.core[1:]]) for chunk in plan.chunks)
    with pytest.raises(ValueError, match="shorter"):
        list(cross_fade(plan, chunks))


def test_only_the_frames_of_one_fade_are_held():
    plan = plan_of([0.0] * 40, frames=8, fade=2)
    read = []

    def frames_of(chunk):
        for t in chunk.write:
            read.append(t)
            yield constant(0)

    for written, (t, _) in enumerate(
        cross_fade(plan, ((chunk, frames_of(chunk)) for chunk in plan.chunks)), 1
    ):
        assert t == written - 1
        # What was read and not written yet: the fade, and the frame in hand; the fade itself is read twice.
        assert len(set(read)) - written <= 4


def test_frames_done_counts_whole_chunks_and_fractions_of_running_ones():
    plan = plan_of([0.0] * 8, fade=1)
    first, second = Task("chunk", 0), Task("chunk", 1)
    running = {second: TaskProgress(frames_done=2.5, loss=0.1)}  # of 5 that it writes, 4 are its own
    assert frames_done(plan, {first}, running) == pytest.approx(4 + 2)
    assert frames_done(plan, set(), {Task("key", 0): TaskProgress(0.5, 0.1)}) == 0
