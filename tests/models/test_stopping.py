"""Stopping rules, as machines fed with numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelprior.models.settings import StoppingSettings
from reelprior.models.stopping import DiscrepancyRule, HeldOutRule, Look, VarianceRule, choose_rule


def rule(*, floor=0, patience=10):
    return HeldOutRule(StoppingSettings(floor=floor, patience=patience))


def look(iteration, *, error=0.0, data=1.0, residual=None, discrepancy=1.0, iterate=0.0):
    """A look at a fit whose pictures do not listen to single samples, unless a residual says so."""
    return Look(
        iteration,
        data,
        residual=lambda: 1.0 + error if residual is None else residual,
        discrepancy=lambda: discrepancy,
        hidden_error=lambda: 1.0 + error,
        iterate=lambda: np.full((2, 2), iterate, np.float32),
    )


def looks_at(machine, errors):
    """Feed one error per iteration; what the rule says to each."""
    return [machine.look(look(iteration, error=error)) for iteration, error in enumerate(errors)]


def best_of(machine, errors):
    """The number of the look that the rule takes for the best."""
    return max(number - ago for number, ago in enumerate(looks_at(machine, errors)) if ago is not None)


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
    """The first minimum is found when seven looks are there to be averaged."""
    assert ended_at(rule(patience=10), [1.0 + n for n in range(200)]) == 6 + 10


def test_the_floor_is_always_done():
    assert ended_at(rule(floor=50, patience=10), [1.0 + n for n in range(200)]) == 49


def test_a_new_minimum_renews_patience():
    errors = [6.0] * 14 + [0.1] + [9.0] * 50
    assert ended_at(rule(patience=10), errors) == 14 + 10


def test_the_best_look_is_the_one_where_the_error_was_least_and_no_later_one():
    """A smoothed error lags behind: the picture must not."""
    assert best_of(rule(patience=100), [abs(n - 40) / 40 for n in range(100)]) == 40


def test_a_fit_too_short_to_average_ends_with_its_last_picture():
    assert looks_at(rule(), [3.0, 4.0, 5.0]) == [0, 0, 0]


def test_an_equal_error_is_no_new_minimum():
    assert looks_at(rule(), [1.0] * 9)[6:] == [3, None, None]


def test_one_lucky_look_does_not_pass_for_the_minimum():
    """The error is averaged: noise in it must not decide."""
    errors = [abs(n - 40) / 40 for n in range(100)]
    errors[60] = 0.0
    assert best_of(rule(patience=100), errors) == 40


def test_what_a_pixel_tells_of_itself_counts_as_what_it_tells():
    """A smoother of leverage h whose true error is least at look 50, where that at hidden pixels rises already."""
    machine, best = rule(patience=100), None
    for number in range(100):
        leverage, error = 0.004 * number, 0.2 + (number - 50) ** 2 / 2e4
        residual = error + 1 - 2 * leverage
        hidden = residual / (1 - leverage) ** 2 - 1
        ago = machine.look(look(number, error=hidden, residual=residual))
        best = best if ago is None else number - ago
    assert best == 50


def test_a_picture_that_fits_what_is_hidden_better_does_not_listen():
    """Chance may make the error at hidden pixels smaller than the residual: a leverage below 0 there is not."""
    machine = rule()
    assert looks_at(machine, [0.0] * 7)[-1] == 3
    assert machine.look(look(7, error=-0.9, residual=0.9)) == 3


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
        assert machine.look(look(iteration, data=data)) == 0
        assert machine.ends(iteration) is ends


def test_a_cold_fit_is_judged_by_its_averaged_picture():
    machine = DiscrepancyRule(1.0, averaged=True)
    for iteration, (discrepancy, ends) in enumerate([(1.2, False), (1.01, False), (0.99, True)]):
        assert machine.look(look(iteration, data=0.0, discrepancy=discrepancy)) == 0
        assert machine.ends(iteration) is ends


def test_iterates_that_wander_again_end_the_fit():
    """They come to rest until iteration 40 and then swing ever wider."""
    machine = VarianceRule(StoppingSettings(floor=0, patience=10, window=4))
    swings = [abs(40 - n) / 40 for n in range(100)]
    best = 0
    for iteration, swing in enumerate(swings):
        ago = machine.look(look(iteration, iterate=swing * (-1) ** iteration))
        best = best if ago is None else iteration - ago
        if machine.ends(iteration):
            break
    assert best == pytest.approx(40, abs=2)
    assert iteration == machine.best_iteration + 15


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
