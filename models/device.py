"""Where and in which arithmetic the network runs: one place decides, everything else asks."""

import os
import warnings
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reelprior.models.ahead import Ahead
from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings

__all__ = ["Compute", "repeat_exactly"]


class Compute:
    """Resolved compute settings.

    Parameters
    ----------
    settings
        ``device = "auto"`` is the first CUDA device where there is one; ``autocast = "auto"`` is bfloat16 where the
        hardware is faster in it, and float32 elsewhere.

    Raises
    ------
    FitError
        If the device is not there.
    """

    def __init__(self, settings: ComputeSettings) -> None:
        name = settings.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(name)
        if self.device.type == "cuda":
            count = torch.cuda.device_count()
            if (self.device.index or 0) >= count:
                raise FitError(
                    f"device {name}: this machine offers {count} CUDA devices; use --device cpu or auto"
                )
            repeat_exactly()
        self.memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.dtype = _autocast_dtype(settings.autocast, self.device)
        #: For what OpenCV computes. While a GPU computes, this process's threads have nothing else to do.
        self.ahead = Ahead(torch.get_num_threads() if self.device.type == "cuda" else _spare_cores())
        #: For what torch computes: on a GPU in order, since it does one thing after the other.
        self.beside = Ahead(0) if self.device.type == "cuda" else self.ahead

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the network's convolutions run."""
        # Each weight is used once: there is nothing to cache, and a cache would outlive the capture of a CUDA graph.
        return torch.autocast(
            self.device.type,
            dtype=self.dtype or torch.bfloat16,
            enabled=self.dtype is not None,
            cache_enabled=False,
        )

    def record(self, network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """On a GPU, make a network run as CUDA graphs, forward and backward, for inputs of these shapes.

        A small network's kernels take less time than their launches; a graph is launched at once. What a recorded
        network returns is overwritten by its next call.
        """
        if self.device.type == "cuda":
            with self.autocast():
                torch.cuda.make_graphed_callables(network, inputs)

    def tensor(self, array: NDArray[np.float32]) -> Tensor:
        """An array on the device; pinned first for CUDA, so that the copy overlaps with computing."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            pinned = torch.empty_like(tensor, pin_memory=True)
            # By this thread alone: PyTorch's own copy shares itself out, and waits for threads that estimate flow.
            np.copyto(pinned.numpy(), tensor.numpy())
            return pinned.to(self.device, non_blocking=True)
        return tensor


def _spare_cores() -> int:
    """One where torch computes with one thread and the processor has more; 0 where it shares its loops out anyway.

    Unlike a second thread of every loop, which all the others wait for when something else needs its core, this one
    does whole pieces of work.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    cores = (os.cpu_count() or 1) if affinity is None else len(affinity(0))
    return int(cores > 1 and torch.get_num_threads() == 1)


def repeat_exactly() -> None:
    """Make this process's GPUs give the same result for the same seed: sums in a fixed order, at no measurable cost.

    Two gradients have no fixed order on a GPU: that of warps, through which neighbours add to a picture of higher
    resolution, and that of reflection, by which the published network pads.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation")
    # Recording a graph leaves nodes that belong to another stream. It is waited for, and that is all.
    tell_nothing = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None)
    if tell_nothing is not None:  # torch before 2.10 says nothing anyway
        tell_nothing(False)


def _autocast_dtype(name: str, device: torch.device) -> torch.dtype | None:
    if name == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
        return torch.bfloat16 if _cpu_gains_by_bfloat16() else None
    return {"off": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def _cpu_gains_by_bfloat16() -> bool:
    # Since torch 2.10; older ones answer "no".
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities.get("amx_bf16"):
        return True
    # On an Emerald Rapids whose AMX a hypervisor hides, convolutions and their gradients took 1.6 times as long as in
    # float32. Told by name, not measured each time: the choice changes the result, which has to repeat exactly.
    is_intel = str(capabilities.get("cpu_name", "")).startswith("Intel")
    return bool(capabilities.get("avx512_bf16")) and not is_intel
