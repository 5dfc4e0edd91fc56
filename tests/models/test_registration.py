import cv2
import numpy as np
import pytest
from photographs import photograph

from reelprior.models.registration import Registration, register

HOMOGRAPHY = np.array([[1.004, 0.012, 2.3], [-0.010, 0.998, -1.7], [1e-5, -2e-5, 1]])


def moved(picture):
    height, width = picture.shape[1:]
    return cv2.warpPerspective(
        picture.transpose(1, 2, 0),
        HOMOGRAPHY,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    ).transpose(2, 0, 1)


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_a_hand_held_shot_in_other_light_is_found(noise):
    scene = photograph(176, 160)
    light = np.linspace(0.3, 1, 160, dtype=np.float32) * np.array([0.9, 0.5, 0.3], np.float32)[:, None, None]
    ambient = scene * light + np.random.default_rng(0).normal(0, noise, scene.shape)
    aligned = register(moved(scene), np.clip(ambient, 0, 1).astype(np.float32), relative_noise=noise / 0.2)

    rows, columns = np.mgrid[:176, :160]
    x, y, w = np.einsum("ij,jhw->ihw", HOMOGRAPHY, np.stack([columns, rows, np.ones_like(rows)]))
    error = np.hypot(aligned.maps[0] - x / w, aligned.maps[1] - y / w)
    assert aligned.is_reliable
    # Half a pixel is what a guide's detail tolerates; measured 0.05 and 0.3.
    assert error.mean() < 0.5


def test_shots_of_different_scenes_are_not_reliable():
    noise = np.random.default_rng(0).random((3, 120, 120), np.float32)
    blurred = np.stack([cv2.GaussianBlur(channel, (0, 0), 2) for channel in noise])
    assert not register(photograph(120, 120), blurred, relative_noise=0.2).is_reliable


def test_no_registration_leaves_the_shot_as_it_is():
    picture = photograph(20, 30)
    aligned = Registration.none(20, 30)
    np.testing.assert_array_equal(aligned.warp(picture), picture)
    assert aligned.inside.all()
    assert not aligned.flow.any()
