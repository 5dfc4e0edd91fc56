"""The machine that the numbers were measured on, as far as they depend on it."""

import os
import platform
from pathlib import Path

import torch

from reelprior.models.device import Compute
from reelprior.models.settings import ComputeSettings

__all__ = ["compute_device", "describe_machine"]


def compute_device() -> torch.device:
    """Where the engine computes unless told otherwise."""
    return Compute(ComputeSettings()).device


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, GPU and how busy the machine was before the first measurement."""
    machine = {
        "CPU": _cpu_name(),
        "cores": str(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()),
        "torch threads": str(torch.get_num_threads()),
    }
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        machine["memory"] = f"{memory / 2**30:.0f} GiB"
    device = compute_device()
    if device.type == "cuda":
        machine["GPU"] = torch.cuda.get_device_name(device)
    machine["system"] = f"{platform.system()} {platform.machine()}"
    if hasattr(os, "getloadavg"):
        machine["load before the run"] = f"{os.getloadavg()[0]:.1f}"
    return machine


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None) or platform.processor() or platform.machine()
