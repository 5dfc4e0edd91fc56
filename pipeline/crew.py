"""The workers of somebody else's cluster: whether they can do a job, and how many tasks they run at once.

A worker has to see the job directory and the sources, and to have this version; one that cannot is refused with its
name, at the start and when it joins in the middle of a job.
"""

import logging
import socket
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dask.system import CPU_COUNT
from distributed import Client

from reelprior.pipeline.versions import versions

__all__ = ["Crew", "inspect_worker"]

_log = logging.getLogger(__name__)


class Crew:
    """The workers of somebody else's cluster, of which some may come and go while a job runs.

    Parameters
    ----------
    client
        Connected.
    job_dir, sources
        What every worker must see.
    """

    def __init__(self, client: Client, job_dir: Path, sources: Sequence[str | Path]) -> None:
        self._client, self._job_dir, self._sources = client, job_dir, sources
        self._known: dict[str, dict[str, Any]] = {}
        self._slots: dict[str, int] = {}

    @property
    def slots(self) -> int:
        """Tasks that the workers known to be fit run at once."""
        return int(sum(self._slots.get(worker, 0) for worker in self._known))

    @property
    def threads(self) -> int:
        """CPU threads for each task: the fewest cores per task suit every host.

        The nanny's OMP_NUM_THREADS=1 would leave cores idle.
        """
        on_host = Counter[str]()
        for worker, answer in self._known.items():
            on_host[answer["host"]] += self._slots.get(worker, 1)
        shares = [int(answer["cores"]) // on_host[answer["host"]] for answer in self._known.values()]
        return max(1, min(shares))

    def census(self) -> int:
        """Count the slots again, and bar newcomers that cannot do the job; who is barred is logged."""
        try:
            for refusal, worker in self.inspect().items():
                _log.warning("%s; it gets no work", refusal)
                # Closing a worker is its owner's affair; for this scheduler it is as good as gone.
                self._client.retire_workers([worker], close_workers=False)
        except Exception as error:  # the cluster is not to be reached just now; the tasks in flight will say
            _log.debug("the workers could not be counted: %s", error)
        return self.slots

    def inspect(self) -> dict[str, str]:
        """Look at the workers that are not known yet; what is wrong with which worker."""
        self._slots = self._client.nthreads()
        self._known = {worker: answer for worker, answer in self._known.items() if worker in self._slots}
        newcomers = [worker for worker in self._slots if worker not in self._known]
        if not newcomers:
            return {}
        token = self._job_dir / f".seen-{uuid.uuid4().hex}"
        token.touch()
        try:
            answers = self._client.run(
                inspect_worker,
                [str(token), *map(str, self._sources)],
                workers=newcomers,
                on_error="return",
            )
        finally:
            token.unlink(missing_ok=True)
        refusals: dict[str, str] = {}
        for worker, answer in answers.items():
            if refusal := self._refusal(worker, answer, token):
                refusals[refusal] = worker
            else:
                self._known[worker] = answer
        return refusals

    def _refusal(self, worker: str, answer: Any, token: Path) -> str | None:
        """Why a worker cannot do the job; None if it can."""
        if isinstance(answer, BaseException):
            return f"worker {worker} cannot run reelprior: {answer}"
        if answer["missing"]:
            [path, *_] = answer["missing"]
            if path == str(token):
                return (
                    f"worker {worker} on {answer['host']} does not see {self._job_dir}; "
                    "put --job-dir on a file system that all workers share"
                )
            return (
                f"worker {worker} on {answer['host']} does not see {path}; "
                "put the source on a file system that all workers share"
            )
        if answer["version"] != versions()["reelprior"]:
            return (
                f"worker {worker} has reelprior {answer['version']}, this is {versions()['reelprior']}; "
                "install the same version"
            )
        return None


def inspect_worker(paths: Sequence[str]) -> dict[str, Any]:
    """What one worker says about itself."""
    return {
        "missing": [path for path in paths if not Path(path).exists()],
        "host": socket.gethostname(),
        "cores": CPU_COUNT,
        "version": versions()["reelprior"],
    }
