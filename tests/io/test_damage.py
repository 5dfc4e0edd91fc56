"""Frames that cannot be read have their places, and everything around them stays where it was."""

from fractions import Fraction

import av
import numpy as np
import pytest
from media import make_video

from reelprior.io.masks import unknown_samples
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, scan, with_lost_frames


def hit(path, *packets):
    """Overwrite half of the data of some packets."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in packets:
        at, size = places[number]
        data[at + size // 4 : at + size // 4 + max(size // 2, 8)] = b"\x5a" * max(size // 2, 8)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """An H.264 clip of 80 frames, intra only, two of which cannot be decoded."""
    path = tmp_path_factory.mktemp("broken") / "broken.mp4"
    make_video(path, frames=80, codec="libx264", options={"g": "1"}, audio=False)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in (60, 61):
        at, size = places[number]
        data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def test_a_packet_that_does_not_decode_is_a_lost_frame_with_its_own_time(broken):
    index = scan(broken)
    assert len(index) == 80
    assert index.lost == (60, 61)
    assert len({after - before for before, after in zip(index.pts, index.pts[1:], strict=False)}) == 1
    assert index.unreadable == {60, 61}
    assert FrameIndex.from_json(index.to_json()) == index


def test_readers_show_the_frame_before_in_place_of_a_lost_one_however_they_get_there(broken):
    index = scan(broken)
    with open_reader(broken, index) as reader:
        everything = list(reader.read(0))
        by_seeking = list(reader.read(58, 64))
        only_lost = list(reader.read(60, 62))
        after = list(reader.read(62, 63))
    assert [frame.index for frame in everything] == list(range(80))
    assert [frame.pts for frame in everything] == list(index.pts)
    assert np.array_equal(everything[60].pixels, everything[59].pixels)
    assert np.array_equal(everything[61].pixels, everything[59].pixels)
    for frame in [*by_seeking, *only_lost, *after]:
        assert np.array_equal(frame.pixels, everything[frame.index].pixels)
    assert [frame.index for frame in by_seeking] == list(range(58, 64))
    assert [frame.index for frame in only_lost] == [60, 61]
    assert [frame.index for frame in after] == [62]


def test_nothing_is_known_of_a_lost_frame(broken):
    unknown = unknown_samples(scan(broken), 59, 62, size=(48, 64))
    assert [mask.all() for mask in unknown] == [False, True, True]
    assert unknown_samples(scan(broken), 0, 50, size=(48, 64)) is None


def test_the_checksums_of_ffv1_find_a_damaged_slice(tmp_path):
    options = {"level": "3", "slicecrc": "1", "g": "1", "slices": "4"}
    clip = hit(make_video(tmp_path / "master.mkv", frames=9, options=options, audio=False), 4)
    index = scan(clip)
    assert len(index) == 9
    assert index.damaged == (4,)
    assert index.unreadable == {4}


def test_ffv1_without_checksums_is_not_called_damaged(tmp_path):
    options = {"level": "3", "slicecrc": "0", "g": "1", "slices": "4"}
    assert scan(make_video(tmp_path / "clip.mkv", frames=20, options=options, audio=False)).damaged == ()


def test_lost_frames_have_places_only_between_decoded_ones():
    index = FrameIndex((10, 20, 40), (10, 10, 10), Fraction(1), (0.0, 5.0, 9.0), (1, 2, 3))
    found = with_lost_frames(index, [5, 30, None, 50, 20])
    assert found.pts == (10, 20, 30, 40)
    assert found.durations == (10, 10, 10, 10)
    assert found.scene_scores == (0.0, 5.0, 0.0, 9.0)
    assert found.digests == (1, 2, 0, 3)
    assert found.lost == (2,)
    assert found.undecodable == 4


def test_a_clip_most_of_which_is_called_corrupt_is_taken_as_it_is():
    index = FrameIndex(tuple(range(4)), (1,) * 4, Fraction(1), (0.0,) * 4, damaged=(0, 1, 3))
    assert index.unreadable == set()
    index = FrameIndex(tuple(range(4)), (1,) * 4, Fraction(1), (0.0,) * 4, damaged=(0, 2))
    assert index.unreadable == {2}
