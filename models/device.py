"""Where and in which arithmetic the network runs: one place decides, everything else asks."""

from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings

__all__ = ["Compute"]


class Compute:
    """Resolved compute settings.

    Parameters
    ----------
    settings
        ``device = "auto"`` is the first CUDA device where there is one; ``autocast = "auto"`` is bfloat16 where the
        hardware multiplies in it, and float32 elsewhere.

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
        self.memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.dtype = _autocast_dtype(settings.autocast, self.device)

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the network's convolutions run."""
        return torch.autocast(
            self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None
        )

    def tensor(self, array: NDArray[np.float32]) -> Tensor:
        """An array on the device; pinned first for CUDA, so that the copy overlaps with computing."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def _autocast_dtype(name: str, device: torch.device) -> torch.dtype | None:
    if name == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
        return torch.bfloat16 if _cpu_multiplies_bfloat16() else None
    return {"off": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def _cpu_multiplies_bfloat16() -> bool:
    # Since torch 2.10; older ones answer "no".
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
