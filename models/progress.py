"""How far a task is: shares of its work, told as frames done."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["OnStep", "Progress", "Step", "Told"]


@dataclass(frozen=True)
class Step:
    """Where a task is, once per iteration: position in the clip, frames done (fractions count), latest loss."""

    frame: int
    frames_done: float
    loss: float


OnStep = Callable[[Step], None]
#: Called with the position of a frame, the fraction of a part that is done, and the loss if there is a new one.
Told = Callable[[int, float, float | None], None]


class Progress:
    """The parts of a task, one after another.

    Parameters
    ----------
    frames
        That are done when all parts are.
    on_step
        Who is told; may raise to end the task.
    """

    def __init__(self, frames: int, on_step: OnStep) -> None:
        self._frames, self._on_step = frames, on_step
        self._loss = 0.0
        self.planned = 0.0
        """Sum of the shares given out so far."""

    def part(self, share: float) -> Told:
        """The next part, with its share of the whole."""
        start = self.planned
        self.planned += share

        def told(frame: int, fraction: float, loss: float | None) -> None:
            if loss is not None:
                self._loss = loss
            self._on_step(Step(frame, self._frames * (start + share * fraction), self._loss))

        return told
