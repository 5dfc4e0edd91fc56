"""The frame index: exact times, scene scores, and agreement with what readers yield."""

from fractions import Fraction
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import make_video

from reelprior.io.errors import InputError
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, presentation_times, scan, scene_scores

MILLISECOND = Fraction(1, 1000)


def test_variable_frame_rate_keeps_every_time(tmp_path):
    times = [0, 40, 47, 120, 121, 500]
    clip = make_video(tmp_path / "vfr.mkv", frames=6, pts=times, time_base=MILLISECOND)
    index = scan(clip)
    assert index.pts == tuple(times)
    assert index.time_base == MILLISECOND


def test_reordered_frames_are_in_presentation_order(tmp_path):
    clip = make_video(tmp_path / "b.mp4", codec="libx264", frames=20, options={"bf": "3"})
    index = scan(clip)
    assert len(index) == 20
    assert {b - a for a, b in pairwise(index.pts)} == {index.durations[0]}


def test_a_container_of_decoding_times_gets_presentation_times(tmp_path):
    clip = make_video(tmp_path / "b.avi", codec="libx264", frames=20, options={"bf": "3"})
    index = scan(clip)
    assert index.pts == tuple(range(index.pts[0], index.pts[0] + 20))
    assert index.digests == ()


def test_missing_times_are_filled(tmp_path):
    clip = make_video(tmp_path / "raw.h264", codec="libx264", frames=10, audio=False)
    index = scan(clip)
    steps = [float((b - a) * index.time_base) for a, b in pairwise(index.pts)]
    assert steps == pytest.approx([0.04] * 9)


def test_a_cut_stands_out(tmp_path):
    clip = make_video(tmp_path / "cut.mkv", frames=16, cuts=[9])
    scores = scan(clip).scene_scores
    assert scores[0] == 0
    assert max(range(16), key=scores.__getitem__) == 9
    assert scores[9] > 5 * max(score for at, score in enumerate(scores) if at != 9)


def test_a_truncated_file_has_the_frames_that_can_be_read(tmp_path):
    clip = make_video(tmp_path / "whole.mkv", codec="libx264", frames=60, size=(96, 128), noise_8bit=8)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    index = scan(cut)
    assert 10 < len(index) < 60
    frames = list(open_reader(cut).read(0))
    assert [frame.pts for frame in frames] == list(index.pts)


def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path):
    clip = make_video(tmp_path / "whole.mkv", codec="ffv1", frames=20, audio=False, options={"slicecrc": "1"})
    data = bytearray(clip.read_bytes())
    at = len(data) // 2
    data[at : at + 40] = bytes(40)
    clip.write_bytes(data)
    index = scan(clip)
    assert 17 <= len(index) <= 20
    assert [frame.pts for frame in open_reader(clip, index).read(0)] == list(index.pts)


def test_a_frame_size_that_changes_is_refused_by_scan_and_reader(tmp_path):
    first = make_video(tmp_path / "a.h264", codec="libx264", frames=4, size=(48, 64), audio=False)
    second = make_video(tmp_path / "b.h264", codec="libx264", frames=4, size=(32, 96), audio=False)
    joined = tmp_path / "joined.h264"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    for consume in (scan, lambda path: list(open_reader(path).read(0))):
        with pytest.raises(InputError, match=r"frame 4 is 96x32, those before it are 64x48"):
            consume(joined)


def test_images_are_scanned_as_frames_of_25_per_second(tmp_path):
    clip = make_video(tmp_path / "c.mkv", frames=6, cuts=[3], audio=False)
    folder = tmp_path / "images"
    folder.mkdir()
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            frame.save(str(folder / f"{number:04d}.png"))
    index = scan(folder)
    assert index.pts == (0, 1, 2, 3, 4, 5)
    assert (index.time_base, index.durations) == (Fraction(1, 25), (1,) * 6)
    assert max(range(6), key=index.scene_scores.__getitem__) == 3


def test_an_index_survives_json(tmp_path):
    index = scan(make_video(tmp_path / "a.mkv", frames=3))
    assert FrameIndex.from_json(index.to_json()) == index


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pts": [1], "durations": [], "time_base": "1/25"}'])
def test_other_json_is_not_an_index(text):
    with pytest.raises(ValueError):
        FrameIndex.from_json(text)


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True).map(sorted))
def test_times_that_increase_are_left_alone(times):
    assert presentation_times(times, [0] * len(times), step=40) == times


@given(
    st.lists(st.one_of(st.none(), st.integers(-100, 5000)), max_size=60),
    st.integers(1, 50),
    st.integers(0, 50),
)
def test_mended_times_always_increase(raw, step, duration):
    times = presentation_times(raw, [duration] * len(raw), step=step)
    assert len(times) == len(raw)
    assert all(a < b for a, b in pairwise(times))


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ([0, None, None, 120], [0, 40, 80, 120]),
        ([None, None], [0, 40]),
        ([1, 3, 4, 2, 7], [1, 2, 3, 4, 7]),
        ([0, 40, 40, 80], [0, 40, 41, 80]),
        ([9000, 9040, 0, 40], [9000, 9040, 9080, 9120]),
    ],
)
def test_times_are_mended_as_described(raw, mended):
    assert presentation_times(raw, [0] * len(raw), step=40) == mended


def test_noise_and_steady_motion_are_not_cuts_and_cuts_are():
    """What scdet measures of noise (constant differences) and of a cut in the middle of it."""
    assert max(scene_scores([0.0, 13.0, 13.2, 12.9, 13.1])) < 1
    scores = scene_scores([0.0, 8.0, 8.1, 60.0, 8.0, 7.9])
    assert [t for t, score in enumerate(scores) if score > 10] == [3]
    assert [t for t, score in enumerate(scene_scores([0.0, 1.0, 50.0, 55.0, 1.0])) if score > 10] == [2, 3]


@pytest.mark.parametrize(
    ("raw", "durations", "times"),
    [
        ([None, None, 0, 40], [0, 0, 40, 40], [-80, -40, 0, 40]),
        ([None, None, 100, 120], [30, 20, 20, 20], [50, 80, 100, 120]),
        ([None, None], [0, 0], [0, 40]),
    ],
)
def test_times_missing_at_the_beginning_are_counted_back_from_the_first_known(raw, durations, times):
    assert presentation_times(raw, durations, step=40) == times
