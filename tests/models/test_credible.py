"""Whom to believe of what a hole hides: those who agree, and at second hand no fewer than three."""

import torch

from reelprior.models.credible import credible_in_holes, told_by_several
from reelprior.models.observation import Observation

HOLE = torch.ones(1, 1, 4, 4, dtype=torch.bool)
ONE = torch.ones(1, 1, 4, 4)


def observations(*levels):
    return {k: Observation(torch.full((1, 3, 4, 4), level), ONE, ONE) for k, level in enumerate(levels, 1)}


def weights(fetched):
    found = credible_in_holes(fetched, HOLE, frame=0, full_weight=ONE, colour_scale=0.08)
    return [float(one.weight.mean()) for one in found.values()]


def test_who_does_not_agree_with_the_others_is_left_out():
    assert [weight > 0 for weight in weights(observations(0.5, 0.5, 0.5, 0.9))] == [True, True, True, False]


def test_who_is_nearer_counts_for_more():
    near, far = weights(observations(0.5, 0.5))
    assert near == 2 * far


def test_outside_of_holes_nothing_changes():
    found = credible_in_holes(observations(0.1, 0.9), ~HOLE, frame=0, full_weight=ONE, colour_scale=0.08)
    assert all(bool((one.weight == ONE).all()) for one in found.values())


def test_what_two_tell_at_second_hand_is_not_enough():
    assert not any(one.weight.any() for one in told_by_several(observations(0.5, 0.5)))
    assert all(one.weight.all() for one in told_by_several(observations(0.5, 0.5, 0.5)))
