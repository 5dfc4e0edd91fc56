"""Stopping rules, as machines fed with numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelprior.models.settings import StoppingSettings
from reelprior.models.stopping import DiscrepancyRule, HeldOutRule, Look, VarianceRule, choose_rule


def rule(*, floor=0, patience=10):
    return HeldOutRule(StoppingSettings(floor=floor, patience=patience))


def look(iteration, *, error=float("nan"), data=1.0, iterate=0.0):
    return Look(iteration, data, error, np.full((2, 2), iterate, np.float32))


def ended_at(rule, errors):
    """Feed one error per iteration; the iteration at which the rule ends the fit, or None."""
    for iteration, error in enumerate(errors):
        rule.look(look(iteration, error=error))
        if rule.ends(iteration):
            return iteration
    return None


def test_a_falling_error_never_ends_the_fit():
    assert ended_at(rule(patience=3), [1 / (n + 1) for n in range(200)]) is None


def test_a_rising_error_ends_it_when_patience_is_over():
    assert ended_at(rule(patience=10), [1.0 + n for n in range(200)]) == 10


def test_the_floor_is_always_done():
    assert ended_at(rule(floor=50, patience=10), [1.0 + n for n in range(200)]) == 49


def test_a_new_minimum_renews_patience():
    errors = [5.0, *[6.0] * 8, 0.1, *[9.0] * 50]
    assert ended_at(rule(patience=10), errors) == 19


def test_the_first_error_is_the_least_so_far():
    assert rule().look(look(0, error=3.0))


def test_only_a_smaller_smoothed_error_is_the_least_so_far():
    machine = rule()
    machine.look(look(0, error=1.0))
    assert machine.look(look(1, error=0.5))
    assert not machine.look(look(2, error=2.0))
    assert machine.best_iteration == 1


def test_an_equal_error_is_no_new_minimum():
    machine = rule()
    machine.look(look(0, error=1.0))
    assert not machine.look(look(1, error=1.0))


def test_one_lucky_look_does_not_pass_for_the_minimum():
    """The error is smoothed: noise in it must not decide."""
    machine = rule()
    machine.look(look(0, error=1.0))
    machine.look(look(1, error=0.9))
    machine.look(look(2, error=2.0))
    assert not machine.look(look(3, error=0.8))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(0, 30), st.integers(1, 20))
def test_it_ends_never_before_floor_and_patience(errors, floor, patience):
    machine = rule(floor=floor, patience=patience)
    end = ended_at(machine, errors)
    if end is not None:
        assert end + 1 >= floor
        assert end - machine.best_iteration >= patience


def test_a_residual_at_the_noise_is_enough():
    machine = DiscrepancyRule(0.5)
    for iteration, (data, ends) in enumerate([(1.0, False), (0.6, False), (0.5, True)]):
        assert machine.look(look(iteration, data=data))
        assert machine.ends(iteration) is ends


def test_iterates_that_wander_again_end_the_fit():
    """They come to rest until iteration 40 and then swing ever wider."""
    machine = VarianceRule(StoppingSettings(floor=0, patience=10, window=4))
    swings = [abs(40 - n) / 40 for n in range(100)]
    for iteration, swing in enumerate(swings):
        machine.look(look(iteration, iterate=swing * (-1) ** iteration))
        if machine.ends(iteration):
            break
    assert machine.best_iteration == pytest.approx(41, abs=2)
    assert iteration == machine.best_iteration + 10


@pytest.mark.parametrize(
    ("settings", "discrepancy", "hides_pixels", "name"),
    [
        ({}, 0.0, True, "HeldOutRule"),
        ({}, 0.0, False, "BudgetRule"),
        ({}, 1.0, False, "DiscrepancyRule"),
        ({"rule": "variance"}, 0.0, False, "VarianceRule"),
        ({"rule": "discrepancy"}, 0.0, False, "DiscrepancyRule"),
    ],
)
def test_the_rule_follows_from_settings_and_fit(settings, discrepancy, hides_pixels, name):
    chosen = choose_rule(
        StoppingSettings.model_validate(settings),
        discrepancy=discrepancy,
        expected=1.0,
        hides_pixels=hides_pixels,
    )
    assert type(chosen).__name__ == name
