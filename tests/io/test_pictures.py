"""Pictures in memory: what is encoded can be decoded again, and shrinking keeps means."""

import cv2
import numpy as np
import pytest

from reelprior.io.errors import OutputError
from reelprior.io.pictures import encode_jpeg, encode_png, shrink


@pytest.fixture
def picture():
    """Smooth, coloured, of an odd size: (3, 45, 61) in [0, 1]."""
    y, x = np.mgrid[0:45, 0:61] / 61
    return np.stack([x, y, 1 - x]).astype(np.float32)


def decode(data: bytes) -> np.ndarray:
    """(3, H, W) uint8, R'G'B'."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1)


def test_png_keeps_every_8_bit_level_and_the_order_of_channels(picture):
    data = encode_png(picture)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    np.testing.assert_array_equal(decode(data), np.rint(picture * 255).astype(np.uint8))


def test_values_out_of_range_are_clipped():
    pixels = np.full((3, 2, 2), np.float32(1.5))
    pixels[1] = -0.5
    assert np.unique(decode(encode_png(pixels))[1]) == [0]
    assert np.unique(decode(encode_png(pixels))[0]) == [255]


def test_jpeg_is_close_and_keeps_chroma_resolution(picture):
    checkered = np.zeros((3, 32, 32), np.float32)
    checkered[0, :, ::2] = 1.0  # red every other column: chroma at half resolution would blur it away
    red = decode(encode_jpeg(checkered))[0]
    assert red[:, ::2].mean() - red[:, 1::2].mean() > 200
    # Quality 90 on a smooth gradient: within a few levels.
    assert np.abs(decode(encode_jpeg(picture)).astype(int) - picture * 255).max() < 8


def test_shrink_averages_areas_and_never_enlarges(picture):
    small = shrink(picture, max_width=20)
    assert small.shape == (3, 15, 20)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small.mean(axis=(1, 2)), picture.mean(axis=(1, 2)), atol=1e-4)
    assert shrink(picture, max_width=61) is picture


def test_shrink_by_a_whole_factor_is_the_mean_of_blocks():
    pixels = np.random.default_rng(0).random((3, 8, 12), dtype=np.float32)
    blocks = pixels.reshape(3, 2, 4, 3, 4).mean(axis=(2, 4))  # (3, 8, 12) -> (3, 2, 3)
    np.testing.assert_allclose(shrink(pixels, max_width=3), blocks, atol=1e-6)


def test_a_picture_that_jpeg_cannot_hold_is_an_output_error():
    """JPEG's limit is 65,500 rows in OpenCV, which only says False."""
    with pytest.raises(OutputError, match=r"1x66000 cannot be encoded as \.jpg"):
        encode_jpeg(np.zeros((3, 66000, 1), np.float32))
