"""Exact ranges of every kind of video, with and without an index."""

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from media import make_video, pattern

from reelprior.io import reader as reader_module
from reelprior.io.errors import InputError
from reelprior.io.reader import VideoReader, open_reader
from reelprior.io.scan import FrameIndex, scan

COUNT = 100
CLIPS = {
    "h264.mp4": {"codec": "libx264", "options": {"g": "24", "bf": "3"}},
    "h264_open_gop.mkv": {"codec": "libx264", "options": {"g": "24", "bf": "3", "x264-params": "open-gop=1"}},
    "h264_open_gop.ts": {"codec": "libx264", "options": {"g": "24", "bf": "3", "x264-params": "open-gop=1"}},
    "h264_intra_refresh.ts": {"codec": "libx264", "options": {"g": "24", "x264-params": "intra-refresh=1"}},
    "h264_decoding_times.avi": {"codec": "libx264", "options": {"g": "24", "bf": "3"}},
    "h264_no_times.h264": {"codec": "libx264", "options": {"g": "24"}, "audio": False},
    "h264_variable_rate.mkv": {
        "codec": "libx264",
        "options": {"g": "24"},
        "pts": [40 * n + n % 3 * 7 for n in range(COUNT)],
        "time_base": Fraction(1, 1000),
    },
    "h265_10_bit.mkv": {
        "codec": "libx265",
        "pix_fmt": "yuv420p10le",
        "options": {"x265-params": "log-level=none:keyint=24:open-gop=1"},
    },
    "mpeg2.mpg": {"codec": "mpeg2video", "audio": "mp2", "options": {"g": "12", "bf": "2"}},
    "mpeg2.mkv": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "vp9.webm": {"codec": "libvpx-vp9", "audio": False, "options": {"g": "24", "cpu-used": "8"}},
    "odd_size.mkv": {"codec": "ffv1", "size": (31, 45)},
    "12_bit.mkv": {
        "codec": "ffv1",
        "pix_fmt": "yuv444p12le",
        "size": (24, 32),
        "matrix": 9,
        "color_range": 2,
    },
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("clips") / request.param, frames=COUNT, **CLIPS[request.param])


def test_ranges_are_exact_in_every_kind_of_file(clip):
    index = scan(clip)
    everything = list(open_reader(clip).read(0))
    assert len(everything) == len(index) == COUNT
    for start, stop in [(0, 3), (49, 52), (70, 70), (71, 90), (97, COUNT)]:
        frames = list(open_reader(clip, index).read(start, stop))
        assert [frame.index for frame in frames] == list(range(start, stop))
        assert [frame.pts for frame in frames] == list(index.pts[start:stop])
        for frame in frames:
            np.testing.assert_array_equal(frame.pixels, everything[frame.index].pixels)


def test_an_index_spares_decoding_from_the_start(tmp_path, monkeypatch):
    clip = make_video(tmp_path / "a.mp4", codec="libx264", frames=COUNT, options={"g": "12"})
    index = scan(clip)
    monkeypatch.setattr(VideoReader, "_from_start", lambda *_: pytest.fail("decoded from the start"))
    assert [frame.index for frame in open_reader(clip, index).read(80, 84)] == [80, 81, 82, 83]


def test_an_index_that_does_not_fit_is_not_trusted_to_seek(tmp_path):
    clip = make_video(tmp_path / "a.mp4", codec="libx264", frames=COUNT, options={"g": "12"})
    index = scan(clip)
    wrong = FrameIndex(index.pts, index.durations, index.time_base, index.scene_scores, (1,) * COUNT)
    expected = list(open_reader(clip, index).read(80, 82))
    frames = list(open_reader(clip, wrong).read(80, 82))
    np.testing.assert_array_equal(frames[1].pixels, expected[1].pixels)


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "gbrp16le", "gray16le"])
def test_pixels_are_those_that_were_written(tmp_path, pix_fmt):
    clip = make_video(
        tmp_path / "a.mkv", pix_fmt=pix_fmt, frames=2, color_range=2 if "gray" in pix_fmt else None
    )
    for number, frame in enumerate(open_reader(clip).read(0)):
        expected = pattern(number)
        if pix_fmt.startswith("gray"):
            expected = np.tensordot([0.299, 0.587, 0.114], expected, axes=1)[None]
        # the generator's own conversion is swscale's, which is off by up to 1/256 and by rounding to 8 bit
        np.testing.assert_allclose(frame.pixels, np.broadcast_to(expected, (3, 48, 64)), atol=0.015)


def test_frames_have_the_documented_form(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=2, size=(31, 45))
    first, second = open_reader(clip).read(0)
    assert first.pixels.shape == (3, 31, 45) and first.pixels.dtype == np.float32
    assert first.pixels.flags.c_contiguous and first.pixels.flags.writeable
    assert first.pixels.min() >= 0 and first.pixels.max() <= 1
    assert (second.index, second.pts, second.duration) == (1, 40, 40)
    assert second.pts_seconds == 0.04


def test_reading_is_streamed(tmp_path, monkeypatch):
    clip = make_video(tmp_path / "a.mkv", frames=30)
    decoded = []
    original = reader_module.decode

    def counting(*arguments):
        for frame in original(*arguments):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(reader_module, "decode", counting)
    frames = open_reader(clip).read(0)
    assert len(list(islice(frames, 3))) == 3
    frames.close()
    assert len(decoded) == 3


def test_two_ranges_may_be_read_at_the_same_time(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=10)
    with open_reader(clip) as reader:
        pairs = zip(reader.read(0, 5), reader.read(5, 10), strict=True)
        assert [(a.index, b.index) for a, b in pairs] == [(n, n + 5) for n in range(5)]


@pytest.mark.parametrize(("start", "stop"), [(0, 11), (-1, 3), (5, 4), (11, 12)])
@pytest.mark.parametrize("with_index", [True, False])
def test_a_range_that_is_not_there_is_refused(tmp_path, start, stop, with_index):
    clip = make_video(tmp_path / "a.mkv", frames=10)
    with pytest.raises(InputError, match=f"frames {start}:{stop} asked for"):
        list(open_reader(clip, scan(clip) if with_index else None).read(start, stop))


def test_rotation_is_told_and_not_applied(tmp_path):
    clip = make_video(tmp_path / "a.mp4", codec="libx264", frames=2, size=(48, 64), rotation=90)
    reader = open_reader(clip)
    assert reader.info.video.rotation == 90
    assert next(reader.read(0)).pixels.shape == (3, 48, 64)


def test_tags_of_the_stream_are_honoured(tmp_path):
    bt709 = make_video(tmp_path / "a.mkv", pix_fmt="yuv444p", frames=1, matrix=1, color_range=2)
    bt601 = make_video(tmp_path / "b.mkv", pix_fmt="yuv444p", frames=1, matrix=6, color_range=1)
    for clip in (bt709, bt601):
        np.testing.assert_allclose(next(open_reader(clip).read(0)).pixels, pattern(0), atol=0.015)
