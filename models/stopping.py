"""When to stop: before the network learns the noise. Rules are state machines that never see the truth.

A fit shows its rule how it stands (`Look`) every few iterations; the rule says which of the last looks is the best so
far, whose picture the fit then keeps, and whether the fit should end. A rule that smooths over several looks judges
the one in their middle: the picture of the last one is older than what the mean tells.
"""

import math
from collections import deque
from collections.abc import Callable
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

#: Looks over which the error of the held-out rule is averaged, odd.
_SMOOTHED_LOOKS = 7
#: The variance rule looks back over this share of the looks so far, until the window is full, but over some at least.
_WINDOW_SHARE, _LEAST_WINDOW = 1 / 2, 5
#: It has so many times the patience: iterates wander by chance, too.
_MORE_PATIENCE = 1.5


@dataclass(frozen=True, eq=False)
class Look:
    """How a fit stands. What takes time to compute is a function: no rule needs all of it.

    Attributes
    ----------
    iteration
        From 0.
    data
        The data term of the last picture.
    residual
        The data term of the averaged picture, in units of what it is at the truth.
    discrepancy
        The same, in units of what it would be if that picture were the truth.
    hidden_error
        Squared error of the averaged picture at the pixels hidden from the fit, in the same units: the true error there
        plus 1. Only asked for where pixels are hidden.
    iterate
        The last picture, made smaller: any shape, the same at every look.
    """

    iteration: int
    data: float
    residual: Callable[[], float]
    discrepancy: Callable[[], float]
    hidden_error: Callable[[], float]
    iterate: Callable[[], NDArray[np.float32]]


class StoppingRule(Protocol):
    """What a fit asks."""

    @property
    def reach(self) -> int:
        """How many looks back the best one may lie."""
        ...

    def look(self, look: Look) -> int | None:
        """Take note of how the fit stands; returns how many looks ago the best so far was, None if nothing changed."""
        ...

    def ends(self, iteration: int) -> bool:
        """Whether the fit should end after this iteration."""
        ...


class BudgetRule:
    """Use the whole budget; the last picture is the result."""

    reach = 0

    def look(self, look: Look) -> int | None:
        """Later is better."""
        return 0

    def ends(self, iteration: int) -> bool:
        """Never before the budget does."""
        return False


@dataclass
class DiscrepancyRule:
    """Stop when the residual falls to what it is at the truth (Morozov's principle).

    Attributes
    ----------
    enough
        That residual.
    averaged
        Whether to judge the averaged picture, which is the result, in units of the noise. A cold fit does. A warm fit
        is too short for an average: its last picture's data term lets a frame that the warm start already explains go
        at once, and gives the time to one that moved.
    """

    enough: float
    averaged: bool = False
    reach: int = field(default=0, init=False)
    _reached: bool = field(default=False, init=False)

    def look(self, look: Look) -> int | None:
        """Later is better, until it is enough."""
        self._reached = (look.discrepancy() if self.averaged else look.data) <= self.enough
        return 0

    def ends(self, iteration: int) -> bool:
        """Whether the residual is down to the noise."""
        return self._reached


@dataclass
class _Minimum:
    """Where a number was least; a fit without a new minimum for ``patience`` iterations ends, not before ``floor``.

    Attributes
    ----------
    best_iteration
        At which the least value so far was found.
    """

    settings: StoppingSettings
    best_iteration: int = field(default=-1, init=False)
    _best: float = field(default=float("inf"), init=False)

    def _wait(self, iteration: int) -> int:
        """Too few looks to tell: later is better."""
        self.best_iteration = iteration
        return 0

    def _judge(self, iteration: int, value: float, looks: int) -> int | None:
        """Whether the value over the last looks is the least so far: if so, how many looks ago their middle was."""
        if value >= self._best:
            return None
        self._best, self.best_iteration = value, iteration
        return looks // 2

    def ends(self, iteration: int) -> bool:
        """Whether the minimum lies far enough behind."""
        waited = iteration - self.best_iteration
        return iteration + 1 >= self.settings.floor and waited >= self._patience

    @property
    def _patience(self) -> float:
        return self.settings.patience


@dataclass
class HeldOutRule(_Minimum):
    """Stop at the minimum of the error that pixels hidden from the fit tell of.

    For noise that is independent between pixels the squared error at hidden pixels is their true error plus that of
    the noise. Yet most pixels are seen, and a picture that listens to a pixel's own sample is better there, and best
    later, than where it can only listen to the neighbours'. How much it listens, the leverage h, shows in how much
    larger the error is at hidden pixels: for a linear smoother a residual grows by 1 / (1 - h) when its sample is left
    out. With the residual r and the hidden error e in units of the noise, h = 1 - sqrt(r / e), and the true error at
    the seen pixels is estimated as r - 1 + 2 h (Stein's estimate, which takes h from the estimator's derivative).
    """

    reach: int = field(default=_SMOOTHED_LOOKS // 2, init=False)
    _errors: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the errors that are averaged."""
        self._errors = deque(maxlen=_SMOOTHED_LOOKS)

    def look(self, look: Look) -> int | None:
        """Whether the estimated error, averaged over some looks, is the least so far; at first later is better."""
        seen, hidden = look.residual(), look.hidden_error()
        leverage = 1 - math.sqrt(min(1.0, seen / hidden)) if hidden > 0 else 0.0
        self._errors.append(seen - 1 + 2 * leverage)
        if len(self._errors) < _SMOOTHED_LOOKS:
            return self._wait(look.iteration)
        return self._judge(look.iteration, math.fsum(self._errors), _SMOOTHED_LOOKS)


@dataclass
class VarianceRule(_Minimum):
    """Stop at the minimum of the variance of the last iterates (ES-WMV, Wang et al., TMLR 2023).

    While the network learns the picture its iterates converge, and when it learns the noise they wander again. Needs
    neither hidden pixels nor the noise, so it serves where noise is correlated between pixels. A window as long as the
    fit so far would see the descent from the start and nothing else, so that it grows with the fit.
    """

    _iterates: deque[NDArray[np.float32]] = field(init=False)
    _looks: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Keep no more iterates than the window holds."""
        self._iterates = deque(maxlen=self.settings.window)

    @property
    def _patience(self) -> float:
        return _MORE_PATIENCE * self.settings.patience

    @property
    def reach(self) -> int:
        """The middle of the full window."""
        return self.settings.window // 2

    def look(self, look: Look) -> int | None:
        """Whether the variance over the window is the least so far; the first iterates are too few to tell."""
        self._iterates.append(look.iterate())
        self._looks += 1
        least = min(_LEAST_WINDOW, self.settings.window)
        count = min(self.settings.window, max(least, round(_WINDOW_SHARE * self._looks)))
        if len(self._iterates) < count:
            return self._wait(look.iteration)
        window = np.stack(list(self._iterates)[-count:])
        return self._judge(look.iteration, float(np.var(window, axis=0, ddof=1).mean()), count)


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
        return DiscrepancyRule(settings.discrepancy, averaged=True)
    return HeldOutRule(settings) if hides_pixels else BudgetRule()
