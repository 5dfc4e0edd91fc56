import cv2
import numpy as np
import pytest
from photographs import photograph

from reelprior.models.fine_alignment import refine
from reelprior.models.noise import NoiseModel
from reelprior.models.registration import Registration, register

HOMOGRAPHY = np.array([[1.004, 0.012, 2.3], [-0.010, 0.998, -1.7], [1e-5, -2e-5, 1]])
LIGHT = np.array([0.9, 0.5, 0.3], np.float32)[:, None, None]


def pair(noise, height=176, width=160):
    """A moved shot, the noisy one in other light with a shadow of its own, and where the one lies in the other."""
    scene = photograph(height, width)
    moving = cv2.warpPerspective(
        scene.transpose(1, 2, 0),
        HOMOGRAPHY,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    ).transpose(2, 0, 1)
    light = np.linspace(0.3, 1, width, dtype=np.float32) * LIGHT
    light[:, 40:90, 50:80] *= 0.4
    noisy = scene * light + np.random.default_rng(0).normal(0, noise, scene.shape)
    rows, columns = np.mgrid[:height, :width]
    x, y, w = np.einsum("ij,jhw->ihw", HOMOGRAPHY, np.stack([columns, rows, np.ones_like(rows)]))
    return np.ascontiguousarray(moving), np.clip(noisy, 0, 1).astype(np.float32), np.stack([x / w, y / w])


def error_px(aligned, maps):
    return float(np.hypot(*(aligned.maps - maps)).mean())


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.2])
def test_a_noisy_shot_in_other_light_is_aligned_to_a_fraction_of_a_pixel(noise):
    moving, fixed, maps = pair(noise)
    model = NoiseModel.from_sigma_8bit(255 * noise)
    aligned = refine(Registration.none(176, 160), moving, fixed, model, relative_noise=noise / 0.2)
    # A tenth of a pixel at the noise of a dim room, more where the noise is as strong as the picture.
    assert error_px(aligned, maps) < (0.1 if noise < 0.15 else 0.25)


def test_what_the_structures_found_is_made_better_and_never_worse():
    moving, fixed, maps = pair(0.15)
    model = NoiseModel.from_sigma_8bit(255 * 0.15)
    rough = register(moving, fixed, relative_noise=0.75)
    refined = refine(rough, moving, fixed, model, relative_noise=0.75)
    assert error_px(refined, maps) <= error_px(rough, maps)
    assert refined.is_reliable


def test_shots_of_different_scenes_stay_unreliable():
    noise = np.random.default_rng(0).random((3, 120, 120), np.float32)
    blurred = np.stack([cv2.GaussianBlur(channel, (0, 0), 2) for channel in noise])
    scene = photograph(120, 120)
    rough = register(scene, blurred, relative_noise=0.2)
    refined = refine(rough, scene, blurred, NoiseModel.from_sigma_8bit(10), relative_noise=0.2)
    assert not refined.is_reliable


def test_shots_without_any_structure_stay_where_they_are():
    flat = np.full((3, 40, 50), 0.5, np.float32)
    rough = Registration.none(40, 50)
    refined = refine(rough, flat, flat, NoiseModel.from_sigma_8bit(5), relative_noise=0.1)
    np.testing.assert_allclose(refined.maps, rough.maps, atol=1e-3)  # nothing pulls at them
