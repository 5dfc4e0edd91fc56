"""Quality levels change budget and ensemble, and nothing that the user has set."""

import pytest

from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.quality import Quality


def cost(settings):
    """Iterations per frame and passes, roughly what the time goes into."""
    return settings.temporal.passes * settings.temporal.warm_iterations / settings.collaborative.step


def test_a_draft_costs_less_than_the_standard_and_the_best_more():
    draft, standard, best = (cost(load_settings("denoise", quality=level)) for level in Quality)
    assert draft < standard / 2
    assert best > 2 * standard


def test_the_standard_is_the_preset_itself():
    assert load_settings("denoise", quality=Quality.STANDARD) == load_settings("denoise")


@pytest.mark.parametrize("level", list(Quality))
def test_what_the_user_sets_wins_over_the_level(level):
    settings = load_settings("denoise", quality=level, overrides=["temporal.warm_iterations=7"])
    assert settings.temporal.warm_iterations == 7


@pytest.mark.parametrize("level", list(Quality))
def test_levels_leave_the_network_alone(level):
    assert load_settings("denoise", quality=level).network == load_settings("denoise").network
