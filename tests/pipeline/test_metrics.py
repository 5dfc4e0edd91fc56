"""The scores: against published numbers, against scikit-image, and streamed against taken at once."""

import math

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from reelprior.pipeline.metrics import ClipScore, frame_to_frame_error, psnr, ssim, ssim_map


@pytest.fixture(scope="module")
def cameraman():
    """scikit-image's camera picture and a noisy copy, as its metric tests make it: (3, 512, 512)."""
    clean = data.camera()
    noise = np.random.RandomState(5).randn(*clean.shape)
    noisy = np.clip(clean + 20.0 * noise, 0, 255).astype(clean.dtype)
    return tuple(np.stack([picture] * 3) / 255.0 for picture in (noisy, clean))


@pytest.fixture
def clips():
    """A noisy clip and its reference, (T, 3, H, W) in [0, 1], of an odd size."""
    rng = np.random.default_rng(1)
    reference = rng.random((4, 3, 23, 31), dtype=np.float32)
    noise = rng.normal(0, 0.1, reference.shape).astype(np.float32)
    return np.clip(reference + noise, 0, 1), reference


def test_psnr_agrees_with_ipol_imdiff(cameraman):
    """Golden: `imdiff` of https://www.ipol.im/pub/art/2011/g_lmii/, from scikit-image's test_PSNR_vs_IPOL."""
    assert psnr(*cameraman) == pytest.approx(22.409353363576034, abs=1e-4)


def test_ssim_agrees_with_ipol_imdiff(cameraman):
    """Golden: `imdiff -m mssim` of IPOL, from scikit-image's test_gaussian_structural_similarity_vs_IPOL
    and with its tolerance: imdiff treats the border otherwise.
    """
    assert ssim(*cameraman) == pytest.approx(0.357959091663361, abs=1e-3)


def test_both_agree_with_scikit_image_on_colour(clips):
    pixels, reference = (clip[0].astype(np.float64) for clip in clips)
    assert psnr(pixels, reference) == pytest.approx(
        peak_signal_noise_ratio(reference, pixels, data_range=1.0), abs=1e-9
    )
    theirs = structural_similarity(
        pixels,
        reference,
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    # Theirs in float64, ours in float32.
    assert ssim(pixels, reference) == pytest.approx(theirs, abs=1e-6)


def test_an_exact_picture_scores_infinity_and_one(clips):
    picture = clips[1][0]
    assert psnr(picture, picture) == math.inf
    assert ssim(picture, picture) == pytest.approx(1.0, abs=1e-6)


def test_one_grey_level_of_error_is_48_13_db():
    """20 log10(255) = 48.1308: the ceiling that 8-bit rounding errors of one level set."""
    reference = np.full((3, 16, 16), 0.5)
    assert psnr(reference + 1 / 255, reference) == pytest.approx(20 * math.log10(255), abs=1e-9)


def test_ssim_refuses_a_picture_smaller_than_its_window():
    with pytest.raises(ValueError, match="11x11 pixels, not 40x10"):
        ssim(np.zeros((3, 10, 40)), np.zeros((3, 10, 40)))


def test_frame_to_frame_error_ignores_a_constant_offset_and_counts_flicker():
    reference = np.random.default_rng(2).random((5, 3, 8, 8)) * 0.5
    assert frame_to_frame_error(reference + 0.2, reference) == pytest.approx(0.0, abs=1e-9)
    flicker = np.array([0, 1, 0, 1, 0])[:, None, None, None] * (3 / 255)
    assert frame_to_frame_error(reference + flicker, reference) == pytest.approx(3.0)


def test_a_streamed_clip_scores_as_the_whole_clip(clips):
    score = ClipScore()
    frames = [score.add(pixels, reference) for pixels, reference in zip(*clips, strict=True)]
    assert score.psnr == pytest.approx(psnr(*clips))
    assert score.ssim == pytest.approx(np.mean([ssim(*pair) for pair in zip(*clips, strict=True)]))
    assert score.frame_to_frame_error == pytest.approx(frame_to_frame_error(*clips))
    assert [frame.psnr for frame in frames] == [psnr(*pair) for pair in zip(*clips, strict=True)]


def test_the_psnr_of_a_clip_comes_from_the_mean_squared_error():
    """One exact frame and one with an error of 0.1: 10 log10(2 / 0.01), not infinity."""
    score = ClipScore()
    black = np.zeros((3, 16, 16))
    assert score.add(black, black).psnr == math.inf
    score.add(black + 0.1, black)
    assert score.psnr == pytest.approx(10 * math.log10(200))


def test_a_region_scores_by_itself(clips):
    pixels, reference = clips[0][0], clips[1][0]
    where = np.zeros(pixels.shape[1:], bool)
    where[8:15, 10:22] = True
    score = ClipScore(where=where)
    score.add(pixels, reference)
    assert score.psnr == pytest.approx(psnr(pixels[:, 8:15, 10:22], reference[:, 8:15, 10:22]))
    # The window centred on (8, 10) is entry (3, 5) of the map.
    assert score.ssim == pytest.approx(ssim_map(pixels, reference)[:, 3:10, 5:17].mean())


def test_no_frames_and_tiny_frames_have_no_score():
    score = ClipScore()
    assert math.isnan(score.psnr)
    assert math.isnan(score.frame_to_frame_error)
    assert math.isnan(score.add(np.zeros((3, 4, 4)), np.ones((3, 4, 4))).ssim)
    assert score.psnr == 0.0
