"""Motion inside holes: what is put into a hole does not lead it, and the border of two motions is found."""

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
