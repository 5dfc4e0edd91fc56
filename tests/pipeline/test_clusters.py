"""What the documentation says about clusters, done with real processes; and what is watched on them."""

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from jobs import TINY
from media import make_video

from reelprior.models.settings import ComputeSettings
from reelprior.pipeline import cluster, crew, tasks
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.errors import RestorationError, UnfitWorker
from reelprior.pipeline.schedule import run_task

DOCS = Path(__file__).parents[2] / "docs"
CPU = ComputeSettings(device="cpu")


@pytest.fixture
def commands(tmp_path):
    """A PATH on which ``dask``, ``reelprior`` and ``srun`` are what a cluster's node has; srun runs things here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python = shlex.quote(sys.executable)
    for name, line in (
        ("dask", f'exec {python} -m dask "$@"'),
        ("reelprior", f'exec {python} -m reelprior.pipeline.cli "$@"'),
        ("srun", 'exec "$@"'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.slow
def test_the_launch_file_for_slurm_runs_a_batch_and_takes_everything_down(commands, tmp_path):
    tapes = tmp_path / "tapes"
    tapes.mkdir()
    make_video(tapes / "a.mkv", frames=3, noise_8bit=10, audio=False)
    done = subprocess.run(
        ["bash", DOCS / "slurm.sh", tapes, tmp_path / "out", *TINY, "--json"],
        cwd=tmp_path,
        env=commands | {"WORKER_OPTIONS": "--no-nanny --no-dashboard", "SLURM_JOB_ID": "7"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a.mkv").exists()
    assert '"all_done": true' in done.stdout
    assert not list(tmp_path.glob("scheduler-*.json"))


def test_the_launch_file_for_slurm_asks_for_what_its_text_says():
    text = (DOCS / "slurm.sh").read_text()
    page = (DOCS / "clusters.md").read_text()
    for directive in ("--dependency=singleton", "--signal=B:TERM@180"):
        assert f"#SBATCH {directive}" in text
        assert directive in page
    subprocess.run(["bash", "-n", DOCS / "slurm.sh"], check=True)


@pytest.mark.skipif(
    importlib.util.find_spec("dask_jobqueue") is None, reason="the extra cluster is not there"
)
@pytest.mark.filterwarnings("ignore")  # of other packages, about themselves
def test_the_example_for_dask_jobqueue_makes_workers_of_one_gpu_and_one_thread():
    page = (DOCS / "clusters.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names = {}
    before = signal.getsignal(signal.SIGINT)
    exec(code.partition("cluster.adapt")[0].replace("memory=", 'interface="lo", memory='), names)
    try:
        script = names["cluster"].job_script()
    finally:
        names["cluster"].close()
        signal.signal(signal.SIGINT, before)  # importing dask-jobqueue takes it
    assert "#SBATCH --gpus=1" in script
    assert "--nthreads 1" in script
    assert "--resources GPU=1" in script
    assert "--lifetime 220m" in script


def test_a_scheduler_file_that_never_appears_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    with (
        pytest.raises(RestorationError, match="no such scheduler file; is the scheduler running"),
        open_pool(tmp_path, workers=None, scheduler=str(tmp_path / "none.json"), compute=CPU),
    ):
        pass


@pytest.fixture
def others():
    """Somebody else's cluster with one worker."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as running:
        yield running


def test_a_task_in_a_worker_that_does_not_see_the_job_is_given_back(tmp_path):
    with pytest.raises(UnfitWorker, match=r"the worker on .* does not see .*nowhere"):
        tasks.fit_key_frame(str(tmp_path / "nowhere"), 0, "cpu", 0)


def test_a_worker_that_does_not_see_the_sources_is_named(tmp_path, others):
    with (
        pytest.raises(
            RestorationError, match=r"does not see /nowhere/tapes; put the source on a file system"
        ),
        open_pool(
            tmp_path,
            workers=None,
            scheduler=others.scheduler_address,
            compute=CPU,
            sources=["/nowhere/tapes"],
        ),
    ):
        pass


def test_an_unfit_worker_that_joins_later_gets_no_work_and_the_others_go_on(
    tmp_path, others, monkeypatch, caplog
):
    monkeypatch.setattr("logging.Logger.propagate", True, raising=False)
    with open_pool(tmp_path, workers=None, scheduler=others.scheduler_address, compute=CPU) as pool:
        assert pool.census() == 1
        older = {"missing": [], "host": "node7", "cores": 4, "version": "0.0.1"}
        monkeypatch.setattr(crew, "inspect_worker", lambda _paths: older)
        others.scale(2)
        pool.client.wait_for_workers(2, timeout=30)
        assert pool.census() == 1
        # All of these would be shared among two workers.
        ran = pool.client.gather([pool.client.submit(os.getpid, pure=False) for _ in range(8)])
        assert len(ran) == 8
        assert pool.census() == 1


def task(_job_dir, number, _device, _threads):
    return str(number)


@pytest.mark.skipif(
    importlib.util.find_spec("prometheus_client") is None, reason="the extra monitoring is not there"
)
def test_prometheus_reads_the_tasks_at_dask_s_own_endpoint(tmp_path):
    with open_pool(tmp_path, workers=None, scheduler=None, compute=CPU, dashboard="127.0.0.1:0") as pool:
        assert pool.dashboard.startswith("http://")
        pool.client.submit(run_task, task, "", 3, "cpu", 1, kind="chunk").result()
        port = pool.client.scheduler_info()["services"]["dashboard"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            text = page.read().decode()
    assert re.search(r'reelprior_task_seconds_count\{kind="chunk"\} [1-9]', text)
    assert re.search(r"reelprior_peak_memory_bytes [1-9]", text)
