import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelprior.models.tiles import Canvas, plan_tiles

SIZES = st.integers(1, 300)


@st.composite
def plans(draw):
    tile = draw(st.integers(8, 120))
    overlap = draw(st.integers(0, tile // 3))
    height, width = draw(SIZES), draw(SIZES)
    return height, width, tile, plan_tiles(height, width, tile, overlap)


@given(plans())
def test_the_weights_of_all_tiles_add_up_to_one_at_every_pixel(plan):
    height, width, _, tiles = plan
    total = np.zeros((height, width))
    for tile in tiles:
        total[tile.write.slices] += tile.weights()
    # Two or four float32 numbers in [0, 1] are added: a few of their rounding errors.
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(plans())
def test_tiles_are_of_one_size_and_within_the_frame(plan):
    height, width, longest, tiles = plan
    assert {(tile.read.height, tile.read.width) for tile in tiles} == {
        (tiles[0].read.height, tiles[0].read.width)
    }
    for tile in tiles:
        assert max(tile.read.height, tile.read.width) <= longest
        assert tile.read.top >= 0
        assert tile.read.left >= 0
        assert tile.read.top + tile.read.height <= height
        assert tile.read.left + tile.read.width <= width


@given(plans())
def test_every_tile_but_the_first_starts_from_a_finished_neighbour_that_touches_it(plan):
    *_, tiles = plan
    assert tiles[0].start_from is None
    for tile in tiles[1:]:
        other = tiles[tile.start_from]
        assert other.index < tile.index
        assert (tile.read.top == other.read.top) or (tile.read.left == other.read.left)
        assert tile.read.top <= other.read.top + other.read.height
        assert tile.read.left <= other.read.left + other.read.width


@given(plans(), st.integers(1, 3))
def test_blending_cut_tiles_gives_the_picture_back(plan, factor):
    height, width, _, tiles = plan
    picture = np.random.default_rng(0).random((2, height * factor, width * factor), np.float32)
    finer = [tile.scaled(factor) for tile in tiles]
    canvas = Canvas(finer, channels=2)
    for tile in finer:
        canvas.add(tile, picture[:, *tile.read.slices])
    # Of the weights' rounding, see above.
    np.testing.assert_allclose(canvas.pixels, picture, atol=1e-6)


def test_a_frame_no_larger_than_a_tile_is_one_tile():
    (tile,) = plan_tiles(40, 64, 64, 16)
    assert tile.read == tile.write
    assert (tile.read.height, tile.read.width) == (40, 64)


def test_the_border_of_a_tile_is_read_but_not_written():
    left, right = plan_tiles(32, 112, 64, 16)
    assert left.read.left + left.read.width - (left.write.left + left.write.width) == 4
    assert right.write.left - right.read.left == 4
    assert left.fades[3] == right.fades[2] == 8


@pytest.mark.parametrize(("height", "overlap"), [(0, 8), (64, 22), (64, -1)])
def test_what_cannot_be_covered_is_refused(height, overlap):
    with pytest.raises(ValueError, match=r"nothing to cover|not between"):
        plan_tiles(height, 64, 64, overlap)
