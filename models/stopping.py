"""When to stop: before the network learns the noise. Rules are state machines over one number; no tensors, no truth."""

from dataclasses import dataclass, field

from reelprior.models.settings import StoppingSettings

__all__ = ["HeldOutRule"]

#: Weight of the past in the smoothed error, per look.
_SMOOTHING = 0.7


@dataclass
class HeldOutRule:
    """Stop at the minimum of the error at pixels hidden from the fit.

    For noise that is independent between pixels the expected squared error at hidden pixels is the true error plus a
    constant, so that its minimum is the best iterate. The error is smoothed; ``floor`` iterations are always done;
    without a new minimum for ``patience`` iterations the fit ends.
    """

    settings: StoppingSettings
    best_iteration: int = field(default=-1, init=False)
    _best: float = field(default=float("inf"), init=False)
    _smoothed: float | None = field(default=None, init=False)

    def look(self, iteration: int, error: float) -> bool:
        """Take the error at an iteration; returns whether it is the least so far."""
        past = error if self._smoothed is None else self._smoothed
        self._smoothed = _SMOOTHING * past + (1 - _SMOOTHING) * error
        if self._smoothed < self._best:
            self._best, self.best_iteration = self._smoothed, iteration
            return True
        return False

    def ends(self, iteration: int) -> bool:
        """Whether the fit should end after this iteration."""
        return (
            iteration + 1 >= self.settings.floor and iteration - self.best_iteration >= self.settings.patience
        )
