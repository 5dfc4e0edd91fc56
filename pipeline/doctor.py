"""What this machine offers, and whether a restoration can work here: the facts of ``reelprior doctor``."""

import os
import platform
from importlib import import_module
from typing import Any

from reelprior.pipeline.versions import versions

__all__ = ["examine_machine"]

_MODULES = ("torch", "av", "cv2", "kornia", "numpy", "distributed", "pydantic", "rich")


def examine_machine() -> dict[str, Any]:
    """Versions, devices, memory and codecs; ``problems`` is empty when a restoration can work."""
    problems = [problem for module in _MODULES if (problem := _import_problem(module))]
    facts: dict[str, Any] = {
        "platform": platform.platform(),
        "versions": versions(),
        "cores": _cores(),
        "memory_gib": _memory_gib(),
    }
    if not problems:
        facts |= {"devices": _devices(), "codecs": _codecs()}
        if not facts["codecs"]["ffv1"]:
            problems.append("FFV1 is not among the codecs: PyAV must be built with it")
    return facts | {"problems": problems, "ok": not problems}


def _import_problem(module: str) -> str | None:
    try:
        import_module(module)
    except Exception as error:  # a broken shared library raises almost anything
        return f"{module} cannot be imported: {error}"
    return None


def _cores() -> int:
    """Cores this process may use, containers' limits counted."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def _memory_gib() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _devices() -> list[str]:
    """Devices in the order in which ``--device cuda:K`` counts them, with their memory."""
    import torch

    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    names = [f"cuda:{i}: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for i, gpu in enumerate(gpus)]
    return [*names, f"cpu: {torch.get_num_threads()} threads"]


def _codecs() -> dict[str, bool]:
    """Whether each codec that an output can have is in this build of FFmpeg."""
    from reelprior.io.coding import codec_names

    return {name: _can_encode(name) for name in codec_names()}


def _can_encode(codec: str) -> bool:
    from reelprior.io.coding import Coding, video_encoding
    from reelprior.io.errors import OutputError

    try:
        video_encoding("any.mkv", Coding(codec=codec), source_pix_fmt="yuv420p", width=64, height=64)
    except OutputError:
        return False
    return True
