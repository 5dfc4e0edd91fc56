"""Interlaced and telecined clips are recognised, and their fields become pictures of their own."""

from fractions import Fraction

import av
import numpy as np
import pytest
from interlacing import interlaced, moving, pulldown, write_frames
from media import make_video

from reelprior.io.field_rate import at_field_rate, at_frame_rate, is_bottom
from reelprior.io.fields import FieldFacts, field_of
from reelprior.io.masks import unknown_samples
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.telecine import film_frames, write_film


@pytest.fixture(scope="module")
def woven(tmp_path_factory):
    """10 frames, top field first, of 20 moving pictures."""
    return write_frames(tmp_path_factory.mktemp("woven") / "woven.mkv", interlaced(moving(20)))


@pytest.mark.parametrize("bottom_first", [False, True])
def test_content_tells_interlaced_clips_and_their_order(tmp_path, bottom_first):
    frames = interlaced(moving(20), bottom_first=bottom_first)
    facts = scan(write_frames(tmp_path / "clip.mkv", frames)).fields
    assert facts.flagged == 0
    assert facts.type == "interlaced"
    assert facts.order == ("bottom" if bottom_first else "top")


def test_moving_pictures_without_combs_are_progressive(tmp_path):
    assert scan(write_frames(tmp_path / "clip.mkv", moving(10))).fields.type == "progressive"
    assert scan(make_video(tmp_path / "small.mkv", frames=12)).fields.type == "progressive"


def test_combs_are_told_from_fine_patterns(tmp_path):
    assert scan(write_frames(tmp_path / "woven.mkv", interlaced(moving(12)))).fields.combs_by_rows
    turned = np.rot90(interlaced(moving(12, size=(48, 240))), axes=(1, 2))
    assert not scan(write_frames(tmp_path / "turned.mkv", turned)).fields.combs_by_rows


def test_pulldown_is_told_from_interlacing(tmp_path):
    clip = write_frames(tmp_path / "clip.mkv", pulldown(moving(16)), rate=Fraction(30000, 1001))
    assert scan(clip).fields.type == "telecined"


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (FieldFacts(frames=50, rows=576), "progressive"),
        (FieldFacts(frames=50, rows=576, flagged=50), "interlaced"),  # nothing moves: the flags decide
        (
            FieldFacts(frames=50, rows=576, flagged=50, progressive=40),
            "progressive",
        ),  # film in an interlaced stream
        (FieldFacts(frames=50, rows=576, flagged=50, top=15, progressive=35), "interlaced"),
        (FieldFacts(frames=50, rows=576, top=15, progressive=35), "progressive"),
        (
            FieldFacts(frames=50, rows=576, top=30, bottom=20),
            "progressive",
        ),  # combs of real fields have one order
        (FieldFacts(frames=50, rows=144, top=50), "progressive"),
        # A pattern as fine across as down: no fields. Flags are believed all the same.
        (FieldFacts(frames=50, rows=480, top=50, combs_by_rows=False), "progressive"),
        (FieldFacts(frames=50, rows=480, flagged=50, top=50, combs_by_rows=False), "interlaced"),
        (FieldFacts(frames=50, rows=480, top=30, repeated_top=10, repeated_bottom=9), "telecined"),
    ],
)
def test_the_verdict_weighs_content_and_flags(facts, verdict):
    assert facts.type == verdict


def test_fields_of_subsampled_frames_take_their_own_chroma_rows():
    frame = av.VideoFrame(8, 10, "yuv420p")
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[:] = np.arange(len(rows))[:, None]
    top, bottom = field_of(frame, bottom=False), field_of(frame, bottom=True)

    def first_column(field, plane):
        return np.frombuffer(memoryview(field.planes[plane]), np.uint8)[:: field.planes[plane].line_size]

    assert first_column(top, 0)[:5].tolist() == [0, 2, 4, 6, 8]
    assert first_column(bottom, 0)[:5].tolist() == [1, 3, 5, 7, 9]
    chroma = [first_column(field, 1) for field in (top, bottom)]
    assert chroma[0][:3].tolist() == [0, 2, 4]
    assert chroma[1][:3].tolist() == [1, 3, 4]  # five chroma rows: the bottom field's last one is repeated


def test_fields_of_an_odd_count_of_rows_are_read(tmp_path):
    clip = write_frames(tmp_path / "odd.mkv", interlaced(moving(8, size=(246, 48))), pix_fmt="yuv420p")
    with open_reader(clip, at_field_rate(scan(clip), "top")) as reader:
        assert [frame.pixels.shape for frame in reader.read(0, 2)] == [(3, 246, 48)] * 2


def test_field_rate_doubles_times_and_gives_them_back(woven):
    index = scan(woven)
    fields = at_field_rate(index, "top")
    assert len(fields) == 2 * len(index)
    assert fields.pts[0] * fields.time_base == index.pts[0] * index.time_base
    assert (fields.pts[1] - fields.pts[0]) * fields.time_base == Fraction(1, 50)
    assert at_frame_rate(fields) == index
    assert FrameIndex.from_json(fields.to_json()) == fields


def test_reading_fields_yields_their_rows_and_says_which_are_unknown(woven):
    index = at_field_rate(scan(woven), "top")
    pictures = moving(20).astype(np.float32) / 255
    with open_reader(woven, index) as reader:
        frames = list(reader.read(3, 7))
        assert reader.info.video.average_rate == 50
    assert [frame.index for frame in frames] == [3, 4, 5, 6]
    assert [frame.pts for frame in frames] == list(index.pts[3:7])
    unknown = unknown_samples(index, 3, 7, size=(240, 48))
    for frame, missing in zip(frames, unknown, strict=True):
        wanted = pictures[frame.index].transpose(2, 0, 1)
        rows = ~missing.all(1)
        assert rows.tolist() == [row % 2 == (1 if is_bottom(index, frame.index) else 0) for row in range(240)]
        assert np.abs(frame.pixels - wanted)[:, rows].max() < 0.02  # 8-bit Y'CbCr
        assert np.abs(frame.pixels - wanted).max() < 0.2  # the rows between are interpolated


def test_samples_of_a_field_are_its_own_rows_in_the_source_codes(tmp_path):
    clip = write_frames(tmp_path / "clip.mkv", interlaced(moving(2, size=(16, 16))), pix_fmt="yuva422p")
    index = at_field_rate(scan(clip), "bottom")
    with open_reader(clip) as reader:
        (whole,) = reader.samples(0)
    with open_reader(clip, index) as reader:
        fields = list(reader.samples(0))
    assert len(fields) == 2
    for samples, first in zip(fields, (1, 0), strict=True):
        assert samples.alpha.shape == whole.alpha.shape
        for own, woven_plane in zip(samples.planes, whole.planes, strict=True):
            np.testing.assert_array_equal(own, woven_plane[first::2].repeat(2, axis=0))


def test_the_film_is_found_again_in_a_telecined_video(tmp_path):
    film = moving(24)
    clip = write_frames(tmp_path / "clip.mkv", pulldown(film), rate=Fraction(30000, 1001))
    write_film(clip, tmp_path / "film.mkv", order="top")
    index = scan(tmp_path / "film.mkv")
    assert len(index) == 24
    assert index.fields.type == "progressive"
    assert [frame.pts for frame in film_frames(clip, order="top")] == sorted(
        frame.pts for frame in film_frames(clip, order="top")
    )
    with open_reader(tmp_path / "film.mkv", index) as reader:
        off = [
            min(np.abs(frame.pixels - picture.transpose(2, 0, 1) / 255).mean() for picture in film)
            for frame in reader.read(2, 22)
        ]
    assert max(off) < 0.01  # each is one of the film's, to the rounding of 8-bit Y'CbCr
