"""The cluster: devices and threads for each worker, and clear words about one that cannot be used."""

import os
import socket

import pytest
from dask.system import CPU_COUNT
from distributed import LocalCluster

from reelprior.models.settings import ComputeSettings
from reelprior.pipeline import cluster, crew
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.devices import worker_environments
from reelprior.pipeline.errors import RestorationError, UsageError

CPU = ComputeSettings(device="cpu")


def test_workers_on_the_cpu_get_no_gpu():
    assert worker_environments(2, device="cpu", gpus=("0",)) == [{}, {}]
    assert worker_environments(2, device="auto", gpus=()) == [{}, {}]


def test_every_gpu_gets_one_worker_and_no_gpu_two():
    environments = worker_environments(3, device="auto", gpus=("2", "5"))
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["2", "5"]
    assert all(each["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID" for each in environments)


def test_workers_that_share_gpus_are_dealt_out_evenly():
    environments = worker_environments(3, device="auto", gpus=("2", "5"), per_gpu=2)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["2", "5", "2"]
    assert len(worker_environments(9, device="cuda:0", gpus=("2", "5"), per_gpu=3)) == 3


def test_a_gpu_by_number_is_the_only_one():
    environments = worker_environments(3, device="cuda:1", gpus=("2", "5"))
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["5"]


@pytest.mark.parametrize(("device", "gpus"), [("cuda", ()), ("cuda:2", ("0", "1"))])
def test_a_gpu_that_is_not_there_is_refused(device, gpus):
    with pytest.raises(UsageError, match=f"--device {device}: CUDA shows {len(gpus)} GPUs"):
        worker_environments(1, device=device, gpus=gpus)


def test_the_pool_within_this_process_needs_no_start_and_no_port(tmp_path):
    with open_pool(tmp_path, workers=None, scheduler=None, compute=CPU) as pool:
        assert pool.slots == 1
        assert pool.client.submit(os.getpid).result() == os.getpid()
        assert pool.client.scheduler.address.startswith("inproc://")


def test_worker_processes_share_the_cores_and_leave_this_environment_alone(tmp_path):
    before = dict(os.environ)
    with open_pool(tmp_path, workers=2, scheduler=None, compute=CPU) as pool:
        numbers = pool.client.run(os.getenv, "OMP_NUM_THREADS")
        processes = pool.client.run(os.getpid)
        assert pool.threads == max(1, CPU_COUNT // 2)
        assert set(numbers.values()) == {str(pool.threads)}
        assert len({os.getpid(), *processes.values()}) == 3
        assert not pool.resources
    assert dict(os.environ) == before


@pytest.fixture
def nobody():
    """An address where nobody answers: bound, so that nobody else takes it, and never listening."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{placeholder.getsockname()[1]}"


@pytest.fixture
def others_cluster():
    """Somebody else's cluster with one worker thread."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=":0"
    ) as others:
        yield others


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, nobody, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(RestorationError, match=f"no Dask scheduler answers at {nobody}"),
        open_pool(tmp_path, workers=None, scheduler=nobody, compute=CPU),
    ):
        pass


def test_an_address_that_is_none_is_refused(tmp_path):
    with (
        pytest.raises(UsageError, match="--scheduler smoke://signal"),
        open_pool(tmp_path, workers=None, scheduler="smoke://signal", compute=CPU),
    ):
        pass


def test_an_existing_cluster_is_used_and_left_running(tmp_path, others_cluster):
    with open_pool(tmp_path, workers=None, scheduler=others_cluster.scheduler_address, compute=CPU) as pool:
        assert pool.slots == 2
        assert pool.threads == max(1, CPU_COUNT // 2)
        assert not list(tmp_path.iterdir()), "the test file for the workers is left"
    assert others_cluster.status.name == "running"


def test_a_cluster_without_workers_is_named(tmp_path, others_cluster, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    others_cluster.scale(0)
    with (
        pytest.raises(RestorationError, match="has no workers; start some"),
        open_pool(tmp_path, workers=None, scheduler=others_cluster.scheduler_address, compute=CPU),
    ):
        pass


def test_a_worker_that_does_not_see_the_job_directory_is_named(tmp_path, others_cluster, monkeypatch):
    elsewhere = {"missing": [str(tmp_path)], "host": "node7", "cores": 4, "version": "1"}
    monkeypatch.setattr(crew, "inspect_worker", lambda paths: elsewhere | {"missing": paths[:1]})
    with (
        pytest.raises(RestorationError, match=r"worker .* on node7 does not see .*shared?"),
        open_pool(tmp_path, workers=None, scheduler=others_cluster.scheduler_address, compute=CPU),
    ):
        pass


def test_a_worker_of_another_version_is_named(tmp_path, others_cluster, monkeypatch):
    older = {"missing": [], "host": "node7", "cores": 4, "version": "0.0.1"}
    monkeypatch.setattr(crew, "inspect_worker", lambda _paths: older)
    with (
        pytest.raises(RestorationError, match=r"has reelprior 0\.0\.1, this is"),
        open_pool(tmp_path, workers=None, scheduler=others_cluster.scheduler_address, compute=CPU),
    ):
        pass
