"""What a file may ask of the machine: refused by its header, before memory is taken."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from media import make_video

from reelprior.io.errors import InputError
from reelprior.io.headers import picture_size
from reelprior.io.images import read_image
from reelprior.io.limits import Limits
from reelprior.io.pictures import encode_jpeg, encode_png
from reelprior.io.probe import probe
from reelprior.io.scan import scan


def png_bomb(path, *, width, height):
    """A PNG whose rows are all zero: some kilobytes that decompress to gigabytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 100_000, 9)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("name", ["bomb.png", "bomb.mp4"])
def test_a_decompression_bomb_is_refused_before_memory_is_taken(tmp_path, name):
    bomb = png_bomb(tmp_path / name, width=30000, height=30000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"bomb.*(900 million|not one frame|Invalid|invalid)"):
            probe(bomb)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_the_limit_can_be_raised_and_lowered(tmp_path, monkeypatch):
    clip = make_video(tmp_path / "clip.mkv", frames=5, audio=False)
    probe(clip)
    monkeypatch.setenv("REELPRIOR_MAX_MEGAPIXELS", "0.001")
    with pytest.raises(InputError, match="REELPRIOR_MAX_MEGAPIXELS"):
        probe(clip)
    monkeypatch.delenv("REELPRIOR_MAX_MEGAPIXELS")
    monkeypatch.setenv("REELPRIOR_MAX_FRAMES", "4")
    with pytest.raises(InputError, match="more than 4 frames"):
        scan(clip)


@pytest.mark.parametrize("text", ["many", "-1", "0", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="REELPRIOR_MAX_SECONDS"):
        Limits.from_environment({"REELPRIOR_MAX_SECONDS": text})


def test_sizes_are_read_from_headers(tmp_path):
    picture = np.zeros((3, 20, 30), np.float32)
    (tmp_path / "a.png").write_bytes(encode_png(picture))
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(picture))
    assert picture_size(tmp_path / "a.png") == (30, 20)
    assert picture_size(tmp_path / "a.jpg") == (30, 20)
    for count in range(0, 60, 3):  # cut off anywhere: unknown, never an error
        (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:count])
        picture_size(tmp_path / "cut.jpg")
    assert read_image(tmp_path / "a.png")[0].shape == (3, 20, 30)
