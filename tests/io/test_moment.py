"""A few frames around a moment: the right ones, with and without seeking."""

import cv2
import numpy as np
import pytest
from media import make_video

from reelprior.io.errors import InputError
from reelprior.io.moment import read_moment
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """60 frames at 25 per second, a key frame every 20."""
    path = tmp_path_factory.mktemp("moment") / "clip.mp4"
    return make_video(path, frames=60, codec="libx264", options={"g": "20", "crf": "5"})


@pytest.fixture(scope="module")
def frames(clip):
    with open_reader(clip) as reader:
        return np.stack([frame.pixels for frame in reader.read(0)])


@pytest.mark.parametrize(
    ("seconds", "position"),
    [(0.0, 0), (0.039, 0), (0.041, 1), (1.0, 25), (1.59, 39), (1.6, 40), (2.36, 59), (2.39, 59)],
)
def test_the_frame_that_is_shown_at_a_time_and_its_neighbours(clip, frames, seconds, position):
    moment = read_moment(probe(clip), seconds, before=2, after=3)
    start, stop = max(0, position - 2), min(60, position + 4)
    assert moment.at == position - start
    assert moment.pts_seconds == pytest.approx(position / 25, abs=1e-3)
    np.testing.assert_array_equal(moment.frames, frames[start:stop])


def test_a_stream_that_cannot_be_sought_is_read_from_its_start(tmp_path):
    raw = make_video(tmp_path / "clip.h264", frames=30, codec="libx264", audio=False, options={"g": "10"})
    moment = read_moment(probe(raw), 0.5, before=1, after=1)
    with open_reader(raw) as reader:
        expected = [frame.pixels for frame in reader.read(0)]
    np.testing.assert_array_equal(moment.frames[moment.at], expected[12])


@pytest.mark.parametrize("seconds", [-1.0, 2.5, 1e6])
def test_a_time_without_a_frame_is_refused(clip, seconds):
    with pytest.raises(InputError, match=r"clip\.mp4: has no frame at "):
        read_moment(probe(clip), seconds, before=1, after=1)


def test_pictures_are_found_by_their_rate(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((6, 8, 3), 50 * number, np.uint8))
    moment = read_moment(probe(tmp_path), 0.1, before=1, after=9)
    assert moment.at == 1
    assert [round(float(frame.mean()) * 255) for frame in moment.frames] == [50, 100, 150, 200]
    with pytest.raises(InputError, match=r"its 5 pictures last 0\.2 s"):
        read_moment(probe(tmp_path), 0.3, before=1, after=1)
