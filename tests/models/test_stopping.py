"""Stopping by held-out pixels, as a machine fed with numbers."""

from hypothesis import given
from hypothesis import strategies as st

from reelprior.models.settings import StoppingSettings
from reelprior.models.stopping import HeldOutRule


def rule(*, floor=0, patience=10):
    return HeldOutRule(StoppingSettings(floor=floor, patience=patience))


def ended_at(rule, errors):
    """Feed one error per iteration; the iteration at which the rule ends the fit, or None."""
    for iteration, error in enumerate(errors):
        rule.look(iteration, error)
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
    assert rule().look(0, 3.0)


def test_only_a_smaller_smoothed_error_is_the_least_so_far():
    machine = rule()
    machine.look(0, 1.0)
    assert machine.look(1, 0.5)
    assert not machine.look(2, 2.0)
    assert machine.best_iteration == 1


def test_an_equal_error_is_no_new_minimum():
    machine = rule()
    machine.look(0, 1.0)
    assert not machine.look(1, 1.0)


def test_one_lucky_look_does_not_pass_for_the_minimum():
    """The error is smoothed: noise in it must not decide."""
    machine = rule()
    machine.look(0, 1.0)
    machine.look(1, 0.9)
    machine.look(2, 2.0)
    assert not machine.look(3, 0.8)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(0, 30), st.integers(1, 20))
def test_it_ends_never_before_floor_and_patience(errors, floor, patience):
    machine = rule(floor=floor, patience=patience)
    end = ended_at(machine, errors)
    if end is not None:
        assert end + 1 >= floor
        assert end - machine.best_iteration >= patience
