"""Progress: what a running job shows on a terminal, and how many frames a half-done job has done.

`restore` talks to a `Display`, which is silent; the command line gives it a `TerminalDisplay` where a person
watches, and a `LineDisplay` where what it says goes to a log.
"""

import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as Row
from rich.text import Text

from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.plan import Plan

__all__ = ["Display", "LineDisplay", "TerminalDisplay", "frames_done", "readable_time"]


class Display:
    """Hears how a job is going and shows nothing."""

    def __enter__(self) -> "Display":
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def phase(
        self, title: str, *, frames: int | None = None, unit: str = "frames", seconds: float | None = None
    ) -> None:
        """A part of the work begins.

        Parameters
        ----------
        title
            What is done.
        frames
            How much it is, in its unit; None where that is not known.
        unit
            What is counted.
        seconds
            How long it will take, where that was estimated.
        """

    def update(self, done: float, *, loss: float | None = None) -> None:
        """So many frames of the phase are done."""


class TerminalDisplay(Display):
    """A progress bar: frames done of all, speed, time left, current loss."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            _FramesColumn(),
            _SpeedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[loss]}"),
            console=console,
            transient=True,
            speed_estimate_period=600,  # a chunk may take minutes
        )
        self._row = self._progress.add_task("", total=None, loss="", unit="frames", visible=False)

    def __enter__(self) -> "TerminalDisplay":
        """Put the bar on the terminal."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar off the terminal."""
        self._progress.stop()

    def phase(
        self, title: str, *, frames: int | None = None, unit: str = "frames", seconds: float | None = None
    ) -> None:
        """Begin a new bar."""
        about = "" if seconds is None else f", about {readable_time(seconds)}"
        self._progress.reset(
            self._row, total=frames, description=f"{title}{about}", loss="", unit=unit, visible=True
        )

    def update(self, done: float, *, loss: float | None = None) -> None:
        """Move the bar."""
        shown = "" if loss is None else f"loss {loss:.2e}"
        self._progress.update(self._row, completed=done, loss=shown)


class LineDisplay(Display):
    """A line now and then: the first after half a minute, the next ones ever more rarely, every ten minutes at last.

    What is done in less leaves a log without a line.

    Parameters
    ----------
    say
        Takes a line.
    clock
        Seconds that only grow.
    """

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._pause = _FIRST_LINE_SECONDS
        self._next = clock() + self._pause
        self._title, self._unit = "", "frames"
        self._total: int | None = None
        self._first: tuple[float, float] | None = None

    def phase(
        self, title: str, *, frames: int | None = None, unit: str = "frames", seconds: float | None = None
    ) -> None:
        """Remember what is done, and say how long it will take if that is long."""
        self._title, self._total, self._unit, self._first = title, frames, unit, None
        if seconds is not None and seconds >= _FIRST_LINE_SECONDS:
            self._say(f"{title}: about {readable_time(seconds)}")

    def update(self, done: float, *, loss: float | None = None) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        if self._first is None:
            self._first = now, done  # what an earlier run has done tells nothing about the speed of this one
        if now < self._next or self._total is None:
            return
        self._pause = min(2 * self._pause, _LAST_LINE_SECONDS)
        self._next = now + self._pause
        text = f"{self._title}: {int(done)}/{self._total} {self._unit}"
        began, done_before = self._first
        if done > done_before:
            each = (now - began) / (done - done_before)
            text += f", {each:.2f} s/{self._unit[:-1]}, {readable_time(each * (self._total - done))} left"
        self._say(text)


_FIRST_LINE_SECONDS, _LAST_LINE_SECONDS = 30.0, 600.0


def readable_time(seconds: float) -> str:
    """A duration in the unit that people would choose."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


class _FramesColumn(ProgressColumn):
    def render(self, task: Row) -> Text:
        if task.total is None:
            return Text("")
        return Text(f"{int(task.completed)}/{int(task.total)} {task.fields['unit']}")


class _SpeedColumn(ProgressColumn):
    def render(self, task: Row) -> Text:
        if not task.speed:
            return Text("")
        unit = task.fields["unit"]
        return Text(f"{1 / task.speed:.2f} s/{unit[:-1]}" if task.speed < 1 else f"{task.speed:.1f} {unit}/s")


def frames_done(plan: Plan, done: Collection[Task], running: Mapping[Task, TaskProgress]) -> float:
    """Frames of a plan that are restored, counting the fractions of running chunks.

    A chunk restores its fades too, so what a running task reports is scaled to the frames that are its own.
    """
    total = 0.0
    for chunk in plan.chunks:
        task = Task("chunk", chunk.id)
        if task in done:
            total += len(chunk.core)
        elif task in running:
            total += len(chunk.core) * min(1.0, running[task].frames_done / len(chunk.write))
    return total
