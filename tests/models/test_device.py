"""Where the network runs. A machine with a GPU is played by replacing what torch.cuda answers."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from reelprior.models.device import Compute
from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def one_gpu(monkeypatch):
    """torch.cuda says that there is one GPU; nothing may be computed on it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    # It would hold for all tests after.
    monkeypatch.setattr("reelprior.models.device.repeat_exactly", lambda: None)


@pytest.fixture
def copies(monkeypatch):
    """What happens to tensors on their way to the device, in order; they stay on the CPU."""
    log = []
    empty_like = torch.empty_like

    def pinned_like(tensor, *, pin_memory):
        assert pin_memory
        log.append("pinned")
        return empty_like(tensor)

    def to(tensor, device, *, non_blocking=False):
        log.append((str(device), non_blocking))
        return tensor

    monkeypatch.setattr(torch, "empty_like", pinned_like)
    monkeypatch.setattr(torch.Tensor, "to", to)
    return log


def test_without_a_gpu_auto_is_the_cpu(no_gpu):
    assert Compute(ComputeSettings(device="auto")).device == torch.device("cpu")


def test_with_a_gpu_auto_is_the_gpu(one_gpu):
    compute = Compute(ComputeSettings(device="auto"))
    assert compute.device.type == "cuda"
    assert compute.dtype is torch.bfloat16


def test_the_cpu_can_be_chosen_beside_a_gpu(one_gpu):
    assert Compute(ComputeSettings(device="cpu")).device.type == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_missing_gpu_is_an_error_that_says_what_there_is(no_gpu, device):
    with pytest.raises(
        FitError, match=rf"device {device}: this machine offers 0 CUDA devices; use --device cpu"
    ):
        Compute(ComputeSettings(device=device))


def test_a_gpu_beyond_the_last_is_an_error(one_gpu):
    with pytest.raises(FitError, match="offers 1 CUDA devices"):
        Compute(ComputeSettings(device="cuda:1"))


@pytest.mark.parametrize(
    ("autocast", "dtype"), [("off", None), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_the_arithmetic_is_what_the_settings_say(autocast, dtype):
    assert Compute(ComputeSettings(device="cpu", autocast=autocast)).dtype is dtype


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, torch.bfloat16),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, None),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, torch.bfloat16),
        ({"avx2": True}, None),
    ],
)
def test_auto_is_bfloat16_only_where_the_cpu_is_faster_in_it(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert Compute(ComputeSettings(device="cpu", autocast="auto")).dtype is dtype


def test_a_torch_that_cannot_tell_means_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert Compute(ComputeSettings(device="cpu", autocast="auto")).dtype is None


@pytest.mark.parametrize(("autocast", "dtype"), [("off", torch.float32), ("bfloat16", torch.bfloat16)])
def test_autocast_decides_what_convolutions_compute_in(autocast, dtype):
    compute = Compute(ComputeSettings(device="cpu", autocast=autocast))
    with compute.autocast():
        assert torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 4, 4)).dtype is dtype


@pytest.mark.parametrize(
    ("channels_last", "layout"), [(True, torch.channels_last), (False, torch.contiguous_format)]
)
def test_the_memory_format_is_a_setting(channels_last, layout):
    assert Compute(ComputeSettings(device="cpu", channels_last=channels_last)).memory_format is layout


def test_a_gpu_is_told_to_repeat_itself_and_a_cpu_does_so_anyway(one_gpu, monkeypatch):
    told = []
    monkeypatch.setattr("reelprior.models.device.repeat_exactly", lambda: told.append(True))
    Compute(ComputeSettings(device="cpu"))
    assert not told
    Compute(ComputeSettings(device="cuda"))
    assert told


def test_repeating_exactly_is_set_for_the_process_and_says_nothing():
    """In a process of its own: these are settings of the whole process."""
    code = (
        "import torch; from reelprior.models.device import repeat_exactly; repeat_exactly();"
        "print(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
    assert not done.stderr


@pytest.mark.parametrize(("device", "recorded"), [("cpu", 0), ("cuda", 1)])
def test_only_a_gpu_records_a_network(one_gpu, monkeypatch, device, recorded):
    seen = []
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda *arguments: seen.append(arguments))
    network, inputs = torch.nn.Conv2d(1, 1, 1), (torch.zeros(1, 1, 4, 4),)
    Compute(ComputeSettings(device=device, autocast="off")).record(network, inputs)
    assert seen == [(network, inputs)] * recorded


@pytest.mark.parametrize(
    ("cores", "threads", "helps"), [({0, 1}, 1, True), ({0}, 1, False), ({0, 1, 2}, 2, False)]
)
def test_a_core_that_loops_do_not_share_does_pieces_of_work(monkeypatch, cores, threads, helps):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    compute = Compute(ComputeSettings(device="cpu"))
    for place in (compute.ahead, compute.beside):
        assert (place.begin(threading.current_thread)() is not threading.current_thread()) is helps


def test_on_a_gpu_torch_does_one_thing_after_the_other(one_gpu):
    compute = Compute(ComputeSettings(device="cuda"))
    assert compute.beside.begin(threading.current_thread)() is threading.current_thread()
    assert compute.ahead.begin(threading.current_thread)() is not threading.current_thread()


def test_arrays_are_pinned_and_copied_without_waiting_for_a_gpu(one_gpu, copies):
    array = np.random.default_rng(0).random((3, 4, 4), np.float32)
    tensor = Compute(ComputeSettings(device="cuda")).tensor(array)
    assert copies == ["pinned", ("cuda", True)]
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_arrays_are_not_copied_for_the_cpu(copies):
    array = np.zeros((3, 4, 4), np.float32)
    tensor = Compute(ComputeSettings(device="cpu")).tensor(array)
    assert copies == []
    assert tensor.data_ptr() == array.ctypes.data
