"""The bounds that coding sets: the truth lies between them, and what leaves them is brought back."""

import cv2
import numpy as np
import pytest
from photographs import photograph, psnr

from reelprior.models.quantisation import Quantisation, errors_of_rate, errors_of_step

#: ITU-T T.81, table K.1, times 5: libjpeg's quality 10.
LUMA = tuple(
    5 * step
    for step in (
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    )
)


def grey_photograph(height=64, width=64):
    grey = photograph(height, width).mean(0)
    return np.repeat(np.rint(grey * 255).astype(np.float32)[None] / 255, 3, 0)


def decoded(picture, quality=10):
    levels = np.rint(picture[0] * 255).astype(np.uint8)
    data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    return np.repeat(grey[None], 3, 0)


def test_the_truth_lies_between_the_bounds():
    """It comes back as it was but for the rounding of the decoded picture: three grey levels at the most."""
    truth = grey_photograph()
    np.testing.assert_allclose(Quantisation((LUMA,)).bound(truth, decoded(truth)), truth, atol=3 / 255)


def test_a_flat_picture_is_brought_back_towards_what_was_stored():
    truth = grey_photograph()
    flat = np.full_like(truth, truth.mean())
    bounded = Quantisation((LUMA,)).bound(flat, decoded(truth))
    assert psnr(bounded, truth) > psnr(flat, truth) + 6


def test_a_part_of_the_picture_has_its_blocks_where_the_whole_has_them():
    """Cut off anywhere, whole blocks are bounded as in the whole picture, and parts of blocks stay as they are."""
    truth = grey_photograph()
    flat, seen, coding = np.full_like(truth, truth.mean()), decoded(truth), Quantisation((LUMA,))
    whole = coding.bound(flat, seen)
    part = coding.at(3, 5).bound(flat[:, 3:, 5:], seen[:, 3:, 5:])
    np.testing.assert_allclose(part[:, 5:, 3:], whole[:, 8:, 8:], atol=1e-6)
    np.testing.assert_array_equal(part[:, :5], flat[:, 3:8, 5:])


def test_the_strength_of_the_errors_is_near_what_they_are():
    """Within a factor of two at quality 10; the formula is an average over photographs."""
    truth = grey_photograph()
    measured = float(np.sqrt(np.mean((decoded(truth) - truth) ** 2)))
    assert measured / 2 < Quantisation((LUMA,)).noise.sigma < measured * 2


def test_fine_steps_leave_uniform_errors_and_coarse_ones_those_of_photographs():
    """q / sqrt(12) at a quarter of a grey level; 0.69 q^1.3 at 1000: its square root is 74.0."""
    assert 255 * errors_of_step(0.25).sigma == pytest.approx(0.25 / np.sqrt(12), rel=0.05)
    assert 255 * errors_of_step(1000).sigma == pytest.approx(74.0, rel=0.05)


def test_without_a_loop_filter_a_step_leaves_more():
    assert errors_of_step(16, loop_filter=False).sigma == pytest.approx(errors_of_step(48).sigma)


def test_errors_grow_with_the_contrast_and_fall_with_the_root_of_the_rate():
    clip = np.stack([photograph(48, 64)] * 2)
    sigma = errors_of_rate(clip, bits_per_pixel=0.1).sigma
    assert errors_of_rate(clip / 2, bits_per_pixel=0.1).sigma == pytest.approx(sigma / 2, rel=1e-3)
    assert errors_of_rate(clip, bits_per_pixel=0.4).sigma == pytest.approx(sigma / 2, rel=1e-3)
    assert errors_of_rate(np.zeros((1, 3, 1, 1), np.float32), bits_per_pixel=1).sigma == 0
