"""Progress: what a running job shows on a terminal, and how many frames a half-done job has done.

`restore` talks to a `Display`, which is silent; the command line gives it a `TerminalDisplay` where a person
watches.
"""

from collections.abc import Collection, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as Row
from rich.text import Text

from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.plan import Plan

__all__ = ["Display", "TerminalDisplay", "frames_done"]


class Display:
    """Hears how a job is going and shows nothing."""

    def __enter__(self) -> "Display":
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def phase(self, title: str, *, frames: int | None = None, unit: str = "frames") -> None:
        """A part of the work begins; ``frames`` is how much it is in its unit, None where that is not known."""

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

    def phase(self, title: str, *, frames: int | None = None, unit: str = "frames") -> None:
        """Begin a new bar."""
        self._progress.reset(self._row, total=frames, description=title, loss="", unit=unit, visible=True)

    def update(self, done: float, *, loss: float | None = None) -> None:
        """Move the bar."""
        shown = "" if loss is None else f"loss {loss:.2e}"
        self._progress.update(self._row, completed=done, loss=shown)


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
