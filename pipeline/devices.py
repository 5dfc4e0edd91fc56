"""Devices: which GPUs there are, and which one each worker process gets to see."""

import os

from reelprior.pipeline.errors import UsageError

__all__ = ["check_device", "visible_gpus", "worker_environments"]


def worker_environments(
    workers: int, *, device: str, gpus: tuple[str, ...], per_gpu: int = 1
) -> list[dict[str, str]]:
    """The environment of every worker process: one GPU where there are GPUs, none for the CPU.

    Parameters
    ----------
    workers
        How many are asked for.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:K``.
    gpus
        Names of the GPUs that CUDA shows to this process, as CUDA_VISIBLE_DEVICES takes them.
    per_gpu
        Processes that may share a GPU; every GPU gets its first before any gets its second.

    Raises
    ------
    UsageError
        If a GPU is asked for that does not exist.
    """
    _require_device(device, gpus)
    if device == "cpu" or not gpus:
        return [{} for _ in range(workers)]
    number = device.partition(":")[2]
    chosen = ((gpus[int(number)],) if number else gpus) * per_gpu
    # The variable must be set before torch looks, and the numbering must be the one of nvidia-smi.
    return [{"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu} for gpu in chosen[:workers]]


def check_device(device: str) -> None:
    """Raise `UsageError` if a GPU is asked for that this process cannot use."""
    _require_device(device, visible_gpus(device))


def _require_device(device: str, gpus: tuple[str, ...]) -> None:
    kind, _, number = device.partition(":")
    if kind == "cuda" and int(number or 0) >= len(gpus):
        raise UsageError(f"--device {device}: CUDA shows {len(gpus)} GPUs here")


def visible_gpus(device: str) -> tuple[str, ...]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    if device == "cpu":
        return ()
    import torch  # a second to import, and only GPUs need it here

    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    count = torch.cuda.device_count()
    return tuple(names[:count]) if names else tuple(str(number) for number in range(count))
