"""VP8 and VP9 with opacity: it is given out, survives seeking, and is refused where no decoder knows of it."""

from fractions import Fraction

import av
import numpy as np
import pytest

from reelprior.io import opacity
from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import check_output

FRAMES = 40


def alpha_of(number):
    """(48, 64) uint8: a bright square that wanders."""
    plane = np.full((48, 64), 20, np.uint8)
    plane[8:24, number : number + 16] = 230
    return plane


@pytest.fixture(scope="module", params=["libvpx", "libvpx-vp9"])
def overlay(request, tmp_path_factory):
    """40 frames of VP8 or VP9 with opacity, a key frame in every ten."""
    path = tmp_path_factory.mktemp("overlay") / "overlay.webm"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(request.param, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.options = {"g": "10", "crf": "4", "b": "2M", "auto-alt-ref": "0", "deadline": "realtime"}
        stream.metadata["alpha_mode"] = "1"
        for number in range(FRAMES):
            frame = av.VideoFrame(64, 48, "yuva420p")
            for plane, values in zip(frame.planes, (90 + number, 110, 140, alpha_of(number)), strict=True):
                samples = np.zeros((plane.height, plane.line_size), np.uint8)
                samples[:, : plane.width] = values
                plane.update(samples.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def test_opacity_beside_the_packets_is_part_of_the_pictures(overlay):
    video = probe(overlay).video
    assert (video.pix_fmt, video.has_alpha, video.alpha_is_hidden) == ("yuva420p", True, False)
    index = scan(overlay)
    assert len(index) == FRAMES
    assert not index.unreadable


def test_opacity_is_that_of_the_frame_after_a_seek_too(overlay):
    """To the errors of coding, which are small at this quality."""
    index = scan(overlay)
    with open_reader(overlay, index) as reader:
        for start in (0, 35, 12):
            (samples,) = reader.samples(start, start + 1)
            alpha = samples.alpha
            assert np.abs(alpha.astype(float) - alpha_of(start)).mean() < 3


def test_opacity_that_no_decoder_gives_out_is_refused_by_name(overlay, tmp_path, monkeypatch):
    monkeypatch.setattr(opacity, "_DECODERS", {})
    source = probe(overlay)
    assert source.video.alpha_is_hidden
    with pytest.raises(OutputError, match="opacity"):
        check_output(tmp_path / "out.mkv", source=source, coding=Coding(), overwrite=False)


def test_a_stream_without_opacity_keeps_the_decoder_it_has(tmp_path):
    path = tmp_path / "plain.webm"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode())
    with av.open(str(path)) as source:
        assert opacity.decoder_with_opacity(source.streams.video[0]) is None
