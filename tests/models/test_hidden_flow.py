"""Motion inside holes: what is put into a hole does not lead it, and the border of two motions is found."""

import cv2
import numpy as np
from photographs import panned, photograph

from reelprior.models.hidden_flow import grown, match_hidden
from reelprior.models.warp import estimate_flow


def test_a_wire_that_stays_does_not_hold_the_scene_behind_it_still():
    """The camera moves 3 pixels a frame, the wire does not; off by less than half a pixel. Measured: 0.03."""
    truth = panned(2, 64, 96, step=(3, 0))
    holes = np.zeros((64, 96), bool)
    holes[:, 46:49] = True
    frames = np.where(holes, np.float32(0), truth)
    seen = estimate_flow(*frames)
    assert np.abs(seen[0] + 3)[:, 46:49].mean() > 1  # the wire itself is what flow sees
    found = match_hidden(seen, grown(holes) > 0, pictures=tuple(frames), holes=(holes, holes))
    assert np.abs(found.flow[0] + 3)[8:-8, 46:49].mean() < 0.5
    assert np.abs(found.flow[1])[8:-8, 46:49].mean() < 0.5


def test_each_side_of_a_hole_across_two_motions_keeps_its_own():
    """The upper half moves, the lower one does not, and a wire crosses both; a smooth completion would blend them."""
    still = photograph(64, 96, top=20, left=80)
    moved = still.copy()
    moved[:, :32] = photograph(64, 96, top=20, left=83)[:, :32]
    holes = np.zeros((64, 96), bool)
    holes[:, 46:50] = True
    flow = np.zeros((2, 64, 96), np.float32)
    flow[0, :32] = -3
    flow[:, holes] = 1  # what it saw in the hole is nonsense
    found = match_hidden(flow, grown(holes) > 0, pictures=(still, moved), holes=(holes, holes))
    assert np.abs(found.flow[0] + 3)[6:28, 46:50].mean() < 0.5
    assert np.abs(found.flow[0])[36:-6, 46:50].mean() < 0.5


def test_flow_outside_of_holes_stays_as_it_was_and_is_not_judged():
    flow = np.random.default_rng(3).normal(size=(2, 48, 64)).astype(np.float32)
    picture = photograph(48, 64)
    holes = np.zeros((48, 64), bool)
    holes[20:24, 30:40] = True
    blind = grown(holes) > 0
    found = match_hidden(flow, blind, pictures=(picture, picture), holes=(holes, holes))
    np.testing.assert_array_equal(found.flow[:, ~blind], flow[:, ~blind])
    assert (found.difference[~blind] < 0).all()
    assert (found.difference[blind] >= 0).all()


def test_what_cannot_be_matched_differs():
    """The second picture shows something else: its difference says so."""
    holes = np.zeros((48, 64), bool)
    holes[20:24, 30:40] = True
    pictures = (np.zeros((3, 48, 64), np.float32), np.ones((3, 48, 64), np.float32))
    found = match_hidden(
        np.zeros((2, 48, 64), np.float32), grown(holes) > 0, pictures=pictures, holes=(holes, holes)
    )
    assert found.difference[holes].min() > 0.9


def test_deep_inside_a_large_hole_the_scene_goes_on_as_a_plane_would():
    """A zoom: 24 pixels from any rim, no side of the hole tells the motion there. Measured: 0.07."""
    height, width = 96, 128
    y, x = np.mgrid[:height, :width].astype(np.float32)
    flow = 0.08 * np.stack([x - 64, y - 48])
    first = photograph(height, width)
    # The second picture shows the first enlarged about its middle: fetched from where each pixel came.
    second = np.stack(
        [cv2.remap(one, 64 + (x - 64) / 1.08, 48 + (y - 48) / 1.08, cv2.INTER_CUBIC) for one in first]
    )
    holes = np.zeros((height, width), bool)
    holes[16:80, 24:104] = True
    seen = np.where(holes, np.float32(0), flow)
    found = match_hidden(
        seen, grown(holes) > 0, pictures=(first, second), holes=(holes, np.zeros_like(holes))
    )
    assert np.abs(found.flow - flow)[:, 40:56, 52:76].mean() < 0.5


def test_blocks_of_a_large_picture_are_searched_as_a_small_picture_is():
    """A wire through several of them. Measured: 0.11, all at the seams of what is repeated."""
    truth = np.tile(panned(2, 64, 96, step=(3, 0)), (1, 1, 3, 3))[..., :180, :270]
    holes = np.zeros((180, 270), bool)
    np.fill_diagonal(holes[:, 20:], True)
    holes |= np.roll(holes, 1, axis=1)
    frames = np.where(holes, np.float32(0), truth)
    flow = np.zeros((2, 180, 270), np.float32)
    flow[0] = np.where(holes, 5, -3)
    found = match_hidden(flow, grown(holes) > 0, pictures=tuple(frames), holes=(holes, holes))
    assert np.abs(found.flow[0] + 3)[holes].mean() < 0.3
