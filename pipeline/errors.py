"""The error tree of this layer, and the one table from errors to exit statuses.

::

    PipelineError
    ├── UsageError          an option, preset, key or value that cannot be      (exit status 2)
    ├── RestorationError    a task, a worker or the scheduler failed            (exit status 4)
    │   ├── SchedulerLost       the cluster went away, and with it all that was in flight
    │   └── UnfitWorker         a worker cannot do this job; another one may
    └── Interrupted         Ctrl-C, a termination signal, or the cancel flag    (exit status 130)

`reelprior.io` and `reelprior.models` have trees of their own (``MediaError``, ``FitError``); they pass
through unchanged, because their messages already name the file and the remedy.
"""

from reelprior.io.errors import InputError, OutputError
from reelprior.models.errors import FitError

__all__ = [
    "Interrupted",
    "PipelineError",
    "RestorationError",
    "SchedulerLost",
    "UnfitWorker",
    "UsageError",
    "exit_status",
]


class PipelineError(Exception):
    """Something about a job: the base of this layer's errors."""


class UsageError(PipelineError):
    """What the user asked for does not exist or contradicts itself."""


class RestorationError(PipelineError):
    """The work was well asked for and could not be done."""


class SchedulerLost(RestorationError):  # noqa: N818 - what happened, not a kind of mistake
    """The scheduler does not answer any more; no task can be done until it is back."""


class UnfitWorker(RestorationError):  # noqa: N818 - who it is about
    """A worker does not see the job's files, or has another version of this package."""


class Interrupted(PipelineError):  # noqa: N818 - being told to stop is not an error of the job
    """The job was told to stop; what was finished is kept."""


_STATUS_OF: tuple[tuple[type[BaseException], int], ...] = (
    (UsageError, 2),
    (InputError, 3),
    (FitError, 4),
    (RestorationError, 4),
    (OutputError, 5),
    (Interrupted, 130),
    (KeyboardInterrupt, 130),
)


def exit_status(error: BaseException) -> int | None:
    """The exit status of an error that a user may see, None for one that is a defect of the program."""
    for kind, status in _STATUS_OF:
        if isinstance(error, kind):
            return status
    return None
