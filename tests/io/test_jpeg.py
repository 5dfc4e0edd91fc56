"""What a JPEG file says about its coding."""

import cv2
import numpy as np
import pytest
from photographs import photograph

from reelprior.io.errors import InputError
from reelprior.io.jpeg import read_jpeg_coding


def jpeg(path, *, quality=50, sampling=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, progressive=False):
    levels = np.rint(photograph(40, 56) * 255).astype(np.uint8)[::-1].transpose(1, 2, 0)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    options += [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    path.write_bytes(cv2.imencode(".jpg", np.ascontiguousarray(levels), options)[1].tobytes())
    return path


@pytest.mark.parametrize("progressive", [False, True])
def test_the_tables_of_quality_50_are_those_of_the_standard(tmp_path, progressive):
    """ITU-T T.81, tables K.1 and K.2, which libjpeg scales by 1 at quality 50."""
    coding = read_jpeg_coding(jpeg(tmp_path / "a.jpg", progressive=progressive))
    luma, blue, red = coding.tables
    assert luma[:8] == (16, 11, 10, 16, 24, 40, 51, 61)
    assert luma[8:16] == (12, 12, 14, 19, 26, 58, 60, 55)
    assert luma[56:] == (72, 92, 95, 98, 112, 100, 103, 99)
    assert blue == red
    assert blue[:4] == (17, 18, 24, 47)
    assert not coding.is_subsampled
    assert coding.is_upright


def test_subsampled_chroma_is_seen(tmp_path):
    path = jpeg(tmp_path / "a.jpg", sampling=cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    assert read_jpeg_coding(path).is_subsampled


def test_another_kind_of_file_has_no_coding(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    assert read_jpeg_coding(tmp_path / "a.png") is None


@pytest.mark.parametrize("length", [2, 3, 30, 100])
def test_a_header_cut_off_is_one_clear_error(tmp_path, length):
    path = jpeg(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="header is damaged"):
        read_jpeg_coding(path)
