"""The plan: every frame in one core, nothing shared over a cut, fades that sum to one."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelprior.pipeline.plan import cut_scenes, fade_weights, make_plan
from reelprior.pipeline.settings import ChunkSettings

THRESHOLD = 10.0


@st.composite
def plans(draw):
    """A plan of any clip, with the settings it was made of."""
    scores = draw(st.lists(st.sampled_from([0.0, 2.0, 40.0]), min_size=1, max_size=120))
    start = draw(st.integers(0, len(scores) - 1))
    stop = draw(st.integers(start + 1, len(scores)))
    around = range(draw(st.integers(0, start)), draw(st.integers(stop, len(scores))))
    chunk = ChunkSettings(
        frames=draw(st.integers(1, 40)), fade=draw(st.integers(0, 6)), scene_threshold=THRESHOLD
    )
    handle = draw(st.integers(0, 7))
    plan = make_plan(
        range(start, stop), scores, height=48, width=64, chunk=chunk, handle=handle, around=around
    )
    return plan, scores, chunk, around


@given(plans())
def test_every_frame_is_in_exactly_one_core_in_order(drawn):
    plan, _, _, _ = drawn
    assert [t for chunk in plan.chunks for t in chunk.core] == list(plan.frames)
    assert [t for scene in plan.scenes for t in scene.frames] == list(plan.frames)


@given(plans())
def test_the_weights_of_a_frame_sum_to_one(drawn):
    plan, _, _, _ = drawn
    total = dict.fromkeys(plan.frames, 0.0)
    for chunk in plan.chunks:
        for t, weight in zip(chunk.write, fade_weights(plan, chunk), strict=True):
            assert 0 < weight <= 1
            total[t] += weight
    # Up to the rounding of a handful of additions in double precision.
    assert all(weight == pytest.approx(1.0, abs=1e-12) for weight in total.values())


@given(plans())
def test_no_range_crosses_a_cut(drawn):
    plan, scores, _, _ = drawn
    ranges = [frames for chunk in plan.chunks for frames in (chunk.core, chunk.write, chunk.read)]
    for frames in [*ranges, *(scene.read for scene in plan.scenes)]:
        assert all(scores[t] < THRESHOLD for t in frames[1:])


@given(plans())
def test_ranges_widen_from_core_to_write_within_the_scene_and_to_read_within_what_may_be_looked_at(drawn):
    plan, _, chunk_settings, around = drawn
    for chunk in plan.chunks:
        scene = plan.scenes[chunk.scene].frames
        for inner, outer in [
            (chunk.core, chunk.write),
            (chunk.write, scene),
            (chunk.write, chunk.read),
            (chunk.read, around),
        ]:
            assert outer.start <= inner.start < inner.stop <= outer.stop
        assert len(chunk.core) <= chunk_settings.frames


@given(plans())
def test_the_key_frame_lies_in_what_its_fit_reads(drawn):
    plan, _, _, _ = drawn
    for scene in plan.scenes:
        if len(scene.frames) == 1:
            continue
        assert scene.key in scene.frames
        assert scene.key in scene.read


def test_a_scene_of_one_frame_stays_a_scene():
    assert cut_scenes(range(5), [0, 0, 50, 50, 0], threshold=10) == [range(2), range(2, 3), range(3, 5)]


def test_a_scene_of_one_frame_and_frames_fitted_by_themselves_need_no_key_frame():
    scores = [0.0, 50.0, 0.0, 0.0]
    settings = {"height": 48, "width": 64, "chunk": ChunkSettings(), "handle": 3}
    assert [scene.key for scene in make_plan(range(4), scores, **settings).scenes] == [None, 2]
    assert [scene.key for scene in make_plan(range(4), scores, warm_starts=False, **settings).scenes] == [
        None,
        None,
    ]


def test_a_part_of_a_scene_looks_beyond_its_ends_and_never_beyond_a_cut():
    scores = [0.0] * 4 + [50.0] + [0.0] * 15
    settings = {"height": 48, "width": 64, "chunk": ChunkSettings(), "handle": 3}
    part = make_plan(range(5, 10), scores, around=range(20), **settings)
    assert [chunk.read for chunk in part.chunks] == [range(4, 13)]
    alone = make_plan(range(5, 10), scores, **settings)
    assert [chunk.read for chunk in alone.chunks] == [range(5, 10)]
    (one,) = make_plan(range(9, 10), scores, around=range(20), **settings).scenes
    assert (one.frames, one.key, one.read) == (range(9, 10), 9, range(6, 13))


def test_a_score_before_the_first_frame_asked_for_does_not_cut():
    assert cut_scenes(range(2, 5), [0, 0, 50, 0, 0], threshold=10) == [range(2, 5)]


def test_the_key_frame_stays_when_a_scene_turns_out_longer():
    chunk = ChunkSettings(frames=8, fade=2)
    keys = [
        make_plan(range(length), [0.0] * length, height=48, width=64, chunk=chunk, handle=3).scenes[0].key
        for length in (16, 24, 80)
    ]
    assert keys == [4, 4, 4]


def test_large_frames_get_shorter_chunks():
    chunk = ChunkSettings(frames=32, megapixels=32.0)
    plan = make_plan(range(64), [0.0] * 64, height=2160, width=3840, chunk=chunk, handle=3)
    assert max(len(each.core) for each in plan.chunks) == 3  # 8.3 megapixels a frame


def test_the_plan_does_not_know_about_workers():
    assert set(inspect.signature(make_plan).parameters) == {
        "frames",
        "scores",
        "height",
        "width",
        "chunk",
        "handle",
        "around",
        "warm_starts",
    }


def test_a_range_beyond_the_clip_is_refused():
    settings = {"height": 48, "width": 64, "chunk": ChunkSettings(), "handle": 3}
    with pytest.raises(ValueError, match=r"range\(0, 9\).* of a clip with 8"):
        make_plan(range(9), [0.0] * 8, **settings)
    for around in (range(3, 8), range(5)):
        with pytest.raises(ValueError, match="cannot plan"):
            make_plan(range(2, 6), [0.0] * 8, around=around, **settings)
