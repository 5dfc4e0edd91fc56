"""The display size that is put into finished Matroska files."""

from fractions import Fraction

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media import make_video

from reelprior.io.files import sha256
from reelprior.io.matroska import set_sample_aspect_ratio


def aspect_of(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = make_video(tmp_path_factory.mktemp("film") / "a.mkv", frames=3, size=(36, 44), chapters=True)
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(ratio=st.fractions(Fraction(1, 4), Fraction(4), max_denominator=200))
def test_any_ratio_is_read_back_exactly_and_nothing_else_moves(tmp_path_factory, film, ratio):
    path = tmp_path_factory.mktemp("sar") / "a.mkv"
    path.write_bytes(film)
    assert set_sample_aspect_ratio(path, ratio, track=0)
    assert aspect_of(path) == ratio
    assert path.stat().st_size == len(film)
    tail = -len(film) // 2
    assert path.read_bytes()[tail:] == film[tail:]


def test_a_ratio_can_be_stated_twice(tmp_path, film):
    path = tmp_path / "a.mkv"
    path.write_bytes(film)
    assert set_sample_aspect_ratio(path, Fraction(16, 11), track=0)
    once = sha256(path)
    assert set_sample_aspect_ratio(path, Fraction(59, 54), track=0)
    assert aspect_of(path) == Fraction(59, 54)
    assert set_sample_aspect_ratio(path, Fraction(16, 11), track=0)
    assert sha256(path) == once


@pytest.mark.parametrize("track", [1, 5], ids=["sound", "none"])
def test_a_track_without_pictures_is_left_alone(tmp_path, film, track):
    path = tmp_path / "a.mkv"
    path.write_bytes(film)
    assert not set_sample_aspect_ratio(path, Fraction(4, 3), track=track)
    assert path.read_bytes() == film


@pytest.mark.parametrize("content", [b"", b"\x1a\x45\xdf\xa3", b"not a film" * 50, bytes(1000)])
def test_what_is_no_matroska_file_is_left_alone(tmp_path, content):
    path = tmp_path / "a.mkv"
    path.write_bytes(content)
    assert not set_sample_aspect_ratio(path, Fraction(4, 3), track=0)
    assert path.read_bytes() == content
