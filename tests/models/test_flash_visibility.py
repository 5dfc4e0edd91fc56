import numpy as np
from pairs import SHADOW, flash_pair

from reelprior.models.flash_visibility import flash_visibility
from reelprior.models.noise import NoiseModel

NOISE = NoiseModel(0.0, 0.02**2)


def border_of_shadow(shape):
    mask = np.zeros(shape, bool)
    rows, columns = SHADOW
    mask[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = True
    mask[rows.start + 1 : rows.stop - 1, columns.start + 1 : columns.stop - 1] = False
    return mask


def test_the_border_of_a_shadow_of_the_flash_is_not_believed():
    flash, ambient, _ = flash_pair(sigma=0.02)
    visible = flash_visibility(flash, ambient, NOISE)
    assert visible[border_of_shadow(visible.shape)].mean() < 0.2


def test_paint_and_soft_light_are_believed():
    flash, ambient, _ = flash_pair(sigma=0.02, shadow=False)
    assert flash_visibility(flash, ambient, NOISE).mean() > 0.9


def test_overexposed_parts_are_not_believed():
    flash, ambient, _ = flash_pair(sigma=0.02, shadow=False)
    flash[:, 10:20, 10:20] = 1
    assert flash_visibility(flash, ambient, NOISE)[10:20, 10:20].max() < 0.01


def test_where_the_flash_shot_does_not_reach_it_is_not_believed():
    flash, ambient, _ = flash_pair(sigma=0.02, shadow=False)
    inside = np.ones(flash.shape[1:], bool)
    inside[:, :8] = False
    visible = flash_visibility(flash, ambient, NOISE, inside=inside)
    assert visible[:, :8].max() < 0.01


def test_strong_noise_is_not_taken_for_edges():
    flash, ambient, _ = flash_pair(sigma=0.15, shadow=False)
    assert flash_visibility(flash, ambient, NoiseModel(0.0, 0.15**2)).mean() > 0.8
