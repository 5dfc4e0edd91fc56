"""Pictures that move are films, whatever their suffix says."""

from fractions import Fraction

import av
import numpy as np
import pytest

from reelprior.io.animation import is_animated
from reelprior.io.images import is_images
from reelprior.io.probe import probe
from reelprior.io.scan import scan


def write(path, *, frames, kind="apng", pix_fmt="rgb24"):
    """Frames of growing brightness, a tenth of a second each."""
    with av.open(str(path), "w", format=kind) as output:
        stream = output.add_stream(kind, rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, pix_fmt
        for number in range(frames):
            picture = np.full((24, 32, 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def test_an_animated_png_is_a_film_of_all_its_frames(tmp_path):
    path = write(tmp_path / "moves.png", frames=4)
    assert not is_images(path)
    assert probe(path).kind == "video"
    index = scan(path)
    assert len(index) == 4
    assert (index.pts[1] - index.pts[0]) * index.time_base == Fraction(1, 10)


def test_a_renamed_gif_is_a_film_too(tmp_path):
    path = write(tmp_path / "moves.jpg", frames=3, kind="gif", pix_fmt="rgb8")
    assert len(scan(path)) == 3


def test_a_png_of_one_frame_stays_a_picture(tmp_path):
    path = write(tmp_path / "stays.png", frames=1)
    assert is_images(path)
    assert probe(path).kind == "image"


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR", b"\xff\xd8"]
)
def test_what_is_cut_off_is_not_called_animated(tmp_path, data):
    path = tmp_path / "broken.png"
    path.write_bytes(data)
    assert not is_animated(path)
    assert not is_animated(tmp_path / "absent.png")
