"""Go on with a single job from what its directory says of it."""

from pathlib import Path
from typing import Any

from reelprior.io.errors import InputError
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.progress import Display
from reelprior.pipeline.restore import run
from reelprior.pipeline.result import Result

__all__ = ["resume_job"]


def resume_job(
    path: Path, *, changes: dict[str, Any], overwrite: bool = False, display: Display | None = None
) -> Result:
    """Finish the job of a job directory.

    Parameters
    ----------
    path
        The job directory, or the output that it stands beside.
    changes
        ``workers``, ``scheduler`` and ``device``, where they are to be others than at the beginning.
    overwrite
        Whether an existing output may be replaced.
    display
        Hears how it is going.

    Raises
    ------
    UsageError
        If it is no job directory.
    reelprior.io.errors.InputError
        If it does not exist.
    """
    folder = next(
        (each for each in (path, path.with_name(f"{path.name}.reelprior")) if (each / "job.json").is_file()),
        None,
    )
    if folder is None:
        if not path.exists():
            raise InputError(f"{path}: there is no such job directory")
        raise UsageError(f"{path}: neither a job directory nor the directory of a batch: job.json is missing")
    try:
        job = JobDirectory(folder).load_order()[0].job
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}: cannot be read as a job directory ({error})") from error
    fields = job.model_dump(exclude_unset=False)
    if (device := changes.pop("device", None)) is not None:
        fields["settings"]["compute"]["device"] = device
    fields |= changes
    if job.directory.absolute() != folder.absolute():
        fields["job_dir"] = str(folder.absolute())  # it was moved
    return run(Job.model_validate(fields | {"overwrite": overwrite or job.overwrite}), display=display)
