"""The cluster a job runs on: within this process, local worker processes, or one that exists already.

Knows Dask, devices and threads; knows nothing of plans and tasks. What it decides for the tasks - device,
threads, resources - it says in the `Pool` it returns.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, Nanny, Scheduler, SpecCluster

from reelprior.models.settings import ComputeSettings
from reelprior.pipeline.crew import Crew
from reelprior.pipeline.devices import visible_gpus, worker_environments
from reelprior.pipeline.errors import RestorationError, UsageError
from reelprior.pipeline.threads import threads_here

__all__ = ["Pool", "open_pool"]

_CONNECT_SECONDS = 10
_CLOSE_SECONDS = 2
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pool:
    """A cluster that is ready for tasks.

    Attributes
    ----------
    client
        Connected.
    slots
        Tasks that can run at the same time.
    device
        Device setting for the tasks, from the workers' point of view.
    threads
        CPU threads for each task; 0 leaves the workers as they are.
    resources
        Dask resources that a task has to ask for.
    dashboard
        Where Dask shows its pages and metrics, if it does.
    census
        Counts the slots again, for workers come and go; bars newcomers that cannot do the job.
    """

    client: Client
    slots: int
    device: str
    threads: int
    resources: dict[str, float] = field(default_factory=dict)
    dashboard: str | None = None
    census: Callable[[], int] = field(kw_only=True)


@contextmanager
def open_pool(
    job_dir: Path,
    *,
    workers: int | None,
    scheduler: str | None,
    compute: ComputeSettings,
    sources: Sequence[str | Path] = (),
    dashboard: str | None = None,
    per_gpu: int = 1,
) -> Iterator[Pool]:
    """Start or join a cluster, and leave it when the context ends.

    Parameters
    ----------
    job_dir
        The job directory, which every worker must see.
    workers
        Processes to start; None works within this process.
    scheduler
        Address of an existing cluster, or the path of its scheduler file (``.json``); ``workers`` is for one's own.
    compute
        Device and threads as the user set them.
    sources
        Other paths that every worker must see: what it reads.
    dashboard
        Address (``:8787``) at which a cluster of one's own serves Dask's dashboard and metrics; an existing one
        has its own.
    per_gpu
        Processes of one's own that may share a GPU.

    Raises
    ------
    UsageError
        If the address is not one, or a GPU is asked for that is not there.
    RestorationError
        If nobody answers there, it has no workers, or one of them cannot see the job directory or a source.
    """
    if scheduler is not None:
        context = _existing_pool(job_dir, scheduler, compute, sources)
    elif workers is not None:
        context = _process_pool(workers, compute, dashboard, per_gpu)
    else:
        context = _thread_pool(compute, dashboard)
    _quieten_dask()
    with context as pool:
        if scheduler is None and dashboard is None:
            yield pool
            return
        link = pool.client.dashboard_link
        _log.info("dashboard and metrics: %s", link)
        yield replace(pool, dashboard=link)


def _http_options(dashboard: str | None) -> dict[str, Any]:
    """What makes a scheduler of ours serve its pages, or open no port that it would complain about when taken."""
    return {"dashboard": dashboard is not None, "dashboard_address": dashboard or ":0"}


def _quieten_dask() -> None:
    """Keep Dask's handler silent: it reports every lost connection; what matters becomes an error of ours.

    Its loggers get their levels when it is imported, so this comes after that, and goes to the handler.
    """
    debugging = logging.getLogger("reelprior").isEnabledFor(logging.DEBUG)
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.NOTSET if debugging else logging.CRITICAL)


@contextmanager
def _thread_pool(compute: ComputeSettings, dashboard: str | None) -> Iterator[Pool]:
    """One worker thread within this process: nothing to start."""
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        scheduler_kwargs=_http_options(dashboard),
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )
    with _connected(cluster) as client:
        threads = threads_here(compute.threads)
        yield Pool(client, slots=1, device=compute.device, threads=threads, census=lambda: 1)


@contextmanager
def _process_pool(
    workers: int, compute: ComputeSettings, dashboard: str | None, per_gpu: int
) -> Iterator[Pool]:
    """Worker processes on this machine, ``per_gpu`` for each GPU at most where there are GPUs."""
    gpus = visible_gpus(compute.device)
    environments = worker_environments(workers, device=compute.device, gpus=gpus, per_gpu=per_gpu)
    if len(environments) < workers:
        _log.warning("%d workers asked for, %d started: %d for each GPU", workers, len(environments), per_gpu)
    on_gpu = "CUDA_VISIBLE_DEVICES" in environments[0]
    threads = compute.threads or max(1, CPU_COUNT // len(environments))
    numbers = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    options = {
        "nthreads": 1,
        "memory_limit": 0,
        "host": "127.0.0.1",
        "silence_logs": logging.CRITICAL,
        "resources": {"GPU": 1} if on_gpu else {},
        "dashboard": dashboard is not None,
    }
    specification = {
        number: {"cls": Nanny, "options": options | {"env": environment | numbers}}
        for number, environment in enumerate(environments)
    }
    # The nanny writes the "pre-spawn" variables, OMP_NUM_THREADS=1 among them, into this process's
    # environment too.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": numbers}), _unchanged_environment():
        cluster = _ShelteringCluster(
            workers=specification,
            scheduler={
                "cls": Scheduler,
                "options": {"host": "127.0.0.1", **_http_options(dashboard)},
            },
            silence_logs=logging.CRITICAL,
        )
        with _connected(cluster) as client:
            client.wait_for_workers(len(specification), timeout=120)
            device = "cuda" if on_gpu else compute.device
            resources: dict[str, float] = {"GPU": 1} if on_gpu else {}
            slots = len(specification)
            yield Pool(client, slots, device, threads, resources, census=lambda: slots)


class _ShelteringCluster(SpecCluster):
    """A cluster whose worker processes do not get the terminal's Ctrl-C: the client tells them what to do.

    A terminal sends SIGINT to all processes of the foreground job. A worker must end its task in good order
    when the cancel flag appears, not die with a traceback; so the thread that starts workers blocks the
    signal, and processes inherit the mask of the thread that starts them, from their first instruction and
    after a restart too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]

    async def _start(self) -> None:
        if hasattr(signal, "pthread_sigmask") and threading.current_thread() is not threading.main_thread():
            # Multiprocessing's resource tracker, when it starts, unblocks the signal: let it start before.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        await super()._start()  # type: ignore[no-untyped-call]


def _existing_file(path: str) -> str:
    """The path of a scheduler file, which may be about to be written."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not Path(path).is_file():
        if time.monotonic() > deadline:
            raise RestorationError(f"--scheduler {path}: no such scheduler file; is the scheduler running?")
        time.sleep(0.2)
    return path


@contextmanager
def _existing_pool(
    job_dir: Path, address: str, compute: ComputeSettings, sources: Sequence[str | Path]
) -> Iterator[Pool]:
    """Somebody else's cluster: check that it can do this job before giving it work."""
    # Dask's scheduler file, which stands on the shared disk anyway, says what the address is.
    where = {"scheduler_file": _existing_file(address)} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise RestorationError(f"no Dask scheduler answers at {address}; is it running?") from error
    except ValueError as error:
        raise UsageError(
            f"--scheduler {address}: not an address, write tcp://HOST:PORT or the path of a scheduler file (.json)"
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            raise RestorationError(
                f"the scheduler at {address} has no workers; start some: dask worker {address}"
            ) from error
        crew = Crew(client, job_dir, sources)
        for refusal in crew.inspect():
            raise RestorationError(refusal)
        offers = [worker["resources"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
        # A resource that nobody offers would be waited for without end.
        with_gpus = compute.device != "cpu" and any(offer.get("GPU") for offer in offers)
        resources: dict[str, float] = {"GPU": 1} if with_gpus else {}
        threads = compute.threads or crew.threads
        yield Pool(client, crew.slots, compute.device, threads, resources, census=crew.census)
    finally:
        with suppress(Exception):  # the cluster may be what failed
            client.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _connected(cluster: SpecCluster) -> Iterator[Client]:
    """A client of an own cluster; both closed at the end, with a limit on how long that may take."""
    client = Client(cluster, set_as_default=False)
    try:
        yield client
    except BaseException:  # Ctrl-C too: nothing may leave workers behind; it goes on its way
        _kill_processes(cluster)
        raise
    finally:
        # What goes wrong while closing is no news: a worker that does not end in time ends with us.
        with suppress(Exception):
            client.close(timeout=_CLOSE_SECONDS)
        with suppress(Exception):
            cluster.close(timeout=_CLOSE_SECONDS)


def _kill_processes(cluster: SpecCluster) -> None:
    """End worker processes at once: who had not stopped by now would make closing wait for it.

    Nothing is lost, since tasks rename whole files into place.
    """
    for worker in cluster.workers.values():
        if isinstance(worker, Nanny) and worker.pid is not None:
            with suppress(OSError):
                os.kill(worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@contextmanager
def _unchanged_environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
