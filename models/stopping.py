"""When to stop: before the network learns the noise. Rules are state machines that never see the truth.

A fit shows its rule how it stands (`Look`) every few iterations; the rule says whether that is the best so far, which
the fit then keeps, and whether the fit should end.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelprior.models.settings import StoppingSettings

__all__ = [
    "BudgetRule",
    "DiscrepancyRule",
    "HeldOutRule",
    "Look",
    "StoppingRule",
    "VarianceRule",
    "choose_rule",
]

#: Weight of the past in the smoothed error, per look.
_SMOOTHING = 0.7


@dataclass(frozen=True, eq=False)
class Look:
    """How a fit stands.

    Attributes
    ----------
    iteration
        From 0.
    data
        The data term.
    hidden_error
        Squared error at the pixels hidden from the fit, in units of the noise variance; NaN where none are hidden.
    iterate
        The last picture, made smaller: any shape, the same at every look.
    """

    iteration: int
    data: float
    hidden_error: float
    iterate: NDArray[np.float32]


class StoppingRule(Protocol):
    """What a fit asks."""

    def look(self, look: Look) -> bool:
        """Take note of how the fit stands; returns whether it is the best so far."""
        ...

    def ends(self, iteration: int) -> bool:
        """Whether the fit should end after this iteration."""
        ...


class BudgetRule:
    """Use the whole budget; the last picture is the result."""

    def look(self, look: Look) -> bool:
        """Later is better."""
        return True

    def ends(self, iteration: int) -> bool:
        """Never before the budget does."""
        return False


@dataclass
class DiscrepancyRule:
    """Stop when the data term falls to what it is at the truth (Morozov's principle).

    It lets a frame that the warm start already explains go at once, and gives the time to one that moved.
    """

    enough: float
    _reached: bool = field(default=False, init=False)

    def look(self, look: Look) -> bool:
        """Later is better, until it is enough."""
        self._reached = look.data <= self.enough
        return True

    def ends(self, iteration: int) -> bool:
        """Whether the residual is down to the noise."""
        return self._reached


@dataclass
class _Minimum:
    """Where a number was least; a fit without a new minimum for ``patience`` iterations ends, not before ``floor``."""

    settings: StoppingSettings
    best_iteration: int = field(default=-1, init=False)
    _best: float = field(default=float("inf"), init=False)

    def _is_least(self, iteration: int, value: float) -> bool:
        if value < self._best:
            self._best, self.best_iteration = value, iteration
            return True
        return False

    def ends(self, iteration: int) -> bool:
        """Whether the minimum lies far enough behind."""
        return (
            iteration + 1 >= self.settings.floor and iteration - self.best_iteration >= self.settings.patience
        )


@dataclass
class HeldOutRule(_Minimum):
    """Stop at the minimum of the error at pixels hidden from the fit.

    For noise that is independent between pixels the expected squared error at hidden pixels is the true error plus a
    constant, so that its minimum is the best iterate. The error is smoothed.
    """

    _smoothed: float | None = field(default=None, init=False)

    def look(self, look: Look) -> bool:
        """Whether the smoothed error is the least so far."""
        past = look.hidden_error if self._smoothed is None else self._smoothed
        self._smoothed = _SMOOTHING * past + (1 - _SMOOTHING) * look.hidden_error
        return self._is_least(look.iteration, self._smoothed)


@dataclass
class VarianceRule(_Minimum):
    """Stop at the minimum of the variance of the last iterates (ES-WMV, Wang et al., TMLR 2023).

    While the network learns the picture its iterates converge, and when it learns the noise they wander again. Needs
    neither hidden pixels nor the noise, so it serves where noise is correlated between pixels.
    """

    _iterates: deque[NDArray[np.float32]] = field(init=False)

    def __post_init__(self) -> None:
        """Keep no more iterates than the window holds."""
        self._iterates = deque(maxlen=self.settings.window)

    def look(self, look: Look) -> bool:
        """Whether the variance over the window is the least so far; the first windows are not full."""
        self._iterates.append(look.iterate)
        if len(self._iterates) < self.settings.window:
            return True
        return self._is_least(look.iteration, float(np.var(np.stack(self._iterates), axis=0).mean()))


def choose_rule(
    settings: StoppingSettings, *, discrepancy: float, expected: float, hides_pixels: bool
) -> StoppingRule:
    """The rule of a fit.

    Parameters
    ----------
    settings
        For a cold fit.
    discrepancy
        Of a warm fit: it stops at this many times ``expected``; 0 for a cold fit.
    expected
        The data term at the truth.
    hides_pixels
        Whether there are hidden pixels to judge by.
    """
    if discrepancy:
        return DiscrepancyRule(discrepancy * expected)
    if settings.rule == "variance":
        return VarianceRule(settings)
    if settings.rule == "discrepancy":
        return DiscrepancyRule(settings.discrepancy * expected)
    return HeldOutRule(settings) if hides_pixels else BudgetRule()
