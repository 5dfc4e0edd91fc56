"""Quantisers as decoders tell them, against the quantisers that clips were coded with."""

from fractions import Fraction

import av
import pytest
from media import make_video

from reelprior.io.field_rate import at_field_rate, at_frame_rate
from reelprior.io.moment import read_moment
from reelprior.io.probe import probe
from reelprior.io.quantisers import QuantiserLog, Quantisers
from reelprior.io.scan import FrameIndex, scan

#: x264 and libavcodec vary what they are asked for unless they are told not to.
X264 = {"qp": "30", "x264-params": "ipratio=1:pbratio=1"}
FIXED = {"qmin": "8", "qmax": "8"}


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt", "options", "kind", "step", "words"),
    [
        (".mkv", "libx264", "yuv420p", X264, "h264", 20.0, "mean QP 30.0"),
        # Of 10 bits x264 counts from the finer steps, as the stream does.
        (".mkv", "libx264", "yuv420p10le", X264 | {"qp": "42"}, "h264", 20.0, "mean QP 30.0"),
        (".mkv", "mpeg4", "yuv420p", FIXED, "mpeg", 16.0, "mean quantiser 8.0"),
        (".mkv", "mpeg2video", "yuv420p", FIXED, "mpeg", 16.0, "mean quantiser 8.0"),
        (".avi", "msmpeg4", "yuv420p", FIXED, "mpeg", 16.0, "mean quantiser 8.0"),
    ],
)
def test_quantisers_are_those_of_the_coding(tmp_path, suffix, codec, pix_fmt, options, kind, step, words):
    """H.264: 0.625 * 2^(30 / 6) = 20; MPEG: 2 * 8 = 16."""
    path = make_video(
        tmp_path / f"clip{suffix}", codec=codec, pix_fmt=pix_fmt, options=options, audio=False, frames=6
    )
    quantisers = scan(path).quantisers
    assert quantisers.kind == kind
    assert quantisers.mean() == pytest.approx(step, rel=1e-3)
    assert quantisers.describe() == words


@pytest.mark.parametrize("codec", ["ffv1", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks"])
def test_decoders_that_tell_nothing_are_taken_at_that(tmp_path, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {codec}")
    suffix = ".mov" if codec == "prores_ks" else ".mkv"
    path = make_video(tmp_path / f"clip{suffix}", codec=codec, audio=False, size=(64, 64), frames=3)
    assert scan(path).quantisers == Quantisers()


def test_a_moment_tells_the_quantisers_of_its_frames(tmp_path):
    path = make_video(tmp_path / "clip.mkv", codec="mpeg4", options=FIXED, audio=False)
    assert read_moment(probe(path), 0.2, before=1, after=1).quantisers == Quantisers("mpeg", (16.0,) * 3)


def test_frames_that_tell_nothing_count_for_nothing():
    quantisers = Quantisers("mpeg", (0.0, 16.0, 32.0, 0.0))
    assert quantisers.mean() == 24
    assert quantisers.mean(range(2)) == 16
    assert quantisers.mean(range(1)) == 0


def test_lost_frames_and_fields_keep_the_quantisers_of_the_others():
    assert Quantisers("h264", (10.0, 20.0)).of([0, None, 1]).steps == (10, 0, 20)
    index = FrameIndex(
        (0, 1), (1, 1), Fraction(1, 25), (0.0, 0.0), quantisers=Quantisers("mpeg", (16.0, 32.0))
    )
    fields = at_field_rate(index, "top")
    assert fields.quantisers.steps == (16, 16, 32, 32)
    assert at_frame_rate(fields).quantisers == index.quantisers


def test_quantisers_survive_the_file_of_the_index(tmp_path):
    path = make_video(tmp_path / "clip.mkv", codec="mpeg4", options=FIXED, audio=False)
    index = scan(path)
    assert FrameIndex.from_json(index.to_json()) == index


def test_frames_with_side_data_that_nobody_knows_tell_nothing():
    class Unknown:
        @property
        def side_data(self):
            raise ValueError("29 is not a valid Type")

    log = QuantiserLog()
    log(Unknown())
    assert log.quantisers == Quantisers()
