"""What masks share: confidence and mask, growing and feathering."""

from itertools import pairwise

import numpy as np

from reelprior.models.defects import Defects, feathered, grown
from reelprior.models.steadiness import jump, unsteadiness


def dot(size=11):
    mask = np.zeros((1, size, size), bool)
    mask[0, size // 2, size // 2] = True
    return mask


def test_half_sure_is_sure():
    np.testing.assert_array_equal(
        Defects(np.array([[[0.0, 0.49, 0.5, 1.0]]], np.float32)).mask, [[[False, False, True, True]]]
    )


def test_merging_keeps_the_surer():
    one, two = (Defects(np.full((1, 2, 2), value, np.float32)) for value in (0.3, 0.7))
    assert (one.merged(two).confidence == np.float32(0.7)).all()


def test_a_mask_grows_to_a_disc():
    np.testing.assert_array_equal(grown(dot(), 0), dot())
    disc = grown(dot(), 3)[0]
    assert disc[5, 2] and disc[5, 8] and disc[2, 5] and not disc[2, 2]


def test_a_feather_falls_from_one_to_nothing():
    weights = feathered(dot(), 3)[0, 5]
    np.testing.assert_allclose(weights[5:10], [1, 0.75, 0.5, 0.25, 0], atol=0.02)
    np.testing.assert_array_equal(feathered(dot(), 0), dot().astype(np.float32))


def test_a_jumping_picture_is_unsteady_and_a_pan_is_not():
    rng = np.random.default_rng(0)
    wide = np.kron(rng.random((30, 40)), np.ones((4, 4))).astype(np.float32)

    def taken(offsets):
        frames = [wide[20 + dy : 84 + dy, 20 + dx : 100 + dx] for dx, dy in offsets]
        return unsteadiness(jump(a, b) for a, b in pairwise(frames))

    assert taken([(2 * t, t) for t in range(10)]) < 0.2
    assert taken([tuple(rng.integers(-3, 4, 2)) for _ in range(10)]) > 1.0
