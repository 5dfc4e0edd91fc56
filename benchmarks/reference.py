"""Time: one iteration of the published per-frame method at every size of the comparison, timed in the same run.

The reference is Deep Image Prior as published for denoising (Ulyanov et al. 2017; the preset ``reference``): 1800
iterations of Adam on one frame. One iteration is timed and multiplied; the whole would take hours.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from machine import compute_device
from numpy.typing import NDArray
from session import Session
from table import Section, Table
from torch import nn

from reelprior.models.network import SkipGenerator
from reelprior.pipeline.presets import load_settings

__all__ = [
    "REFERENCE_ITERATIONS",
    "IterationTime",
    "measure",
    "speed_ratio",
    "time_iteration",
    "time_of_size",
]

REFERENCE_ITERATIONS = 1800
_WARM_UP, _TIMED = 2, 10
#: The median of iterations on an idle machine is within this factor of the fastest.
_EVEN = 1.2

_NOTES = (
    "Reference: five scales of 128 channels, skips of 4, full resolution, bilinear, two convolutions down, reflection "
    "padding, code of 32 channels; float32, contiguous memory, Adam, mean squared error; median of "
    f"{_TIMED} iterations after {_WARM_UP} to warm up, with as many threads as the engine takes by itself, x "
    f"{REFERENCE_ITERATIONS}. Our class pads frames to a multiple of 32 where the published one crops: its time is "
    "scaled down by the pixels this adds. A method's seconds are those of the whole job (reelprior: reading, "
    "planning, cold fit, all passes, writing).",
)


@dataclass(frozen=True)
class IterationTime:
    """Time of one iteration in milliseconds."""

    median: float
    fastest: float

    @property
    def is_disturbed(self) -> bool:
        """Whether other programs took the cores meanwhile, which makes the reference look slower than it is."""
        return self.median > _EVEN * self.fastest


def measure(session: Session) -> Section:
    """Time the reference at every size of the comparison."""
    rows, notes = [], list(_NOTES)
    for size in dict.fromkeys(case.size for case in session.cases()):
        timed = time_of_size(session, size)
        name = f"{size[0]}x{size[1]}"
        seconds = timed.median * REFERENCE_ITERATIONS / 1000
        rows.append((name, f"{timed.median:.0f}", f"{timed.fastest:.0f}", f"{seconds:.0f}"))
        if timed.is_disturbed:
            notes.append(
                f"**Disturbed**: at {name} the median iteration took {timed.median / timed.fastest:.1f} times as long "
                "as the fastest one; something else was running, and the ratios are not to be trusted."
            )
    header = ("reference at", "ms per iteration", "its fastest", "s per frame")
    return Section("Time", (), [Table(header, rows)], notes)


def time_of_size(session: Session, size: tuple[int, int]) -> IterationTime:
    """Time iterations on a picture of a (width, height), which its content does not matter for; once in a run."""
    key = f"reference {size}"
    if key not in session.memo:
        picture = np.random.default_rng(0).integers(0, 256, (*reversed(size), 3), np.uint8)
        session.memo[key] = time_iteration(picture)
    memo: IterationTime = session.memo[key]
    return memo


def speed_ratio(
    reference_ms: float, seconds_per_frame: float, *, iterations: int = REFERENCE_ITERATIONS
) -> float:
    """How many times faster a frame is than the reference's ``iterations`` of ``reference_ms`` each."""
    return reference_ms / 1000 * iterations / seconds_per_frame


def time_iteration(picture: NDArray[np.uint8]) -> IterationTime:
    """Time iterations of the reference on a picture (H, W, 3) uint8."""
    settings = load_settings("reference")
    network_settings, device = settings.network, compute_device()
    height, width = picture.shape[:2]
    unit = SkipGenerator.multiple_of(network_settings)
    padded = tuple(-(-side // unit) * unit for side in (height, width))
    noisy = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32) / 255)[None].to(device)
    network = SkipGenerator(network_settings, guide_channels=0).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.fit.learning_rate)
    code = network_settings.code_scale * torch.rand(1, network_settings.code_channels, *padded, device=device)
    loss_of = nn.MSELoss()

    def iterate() -> None:
        optimiser.zero_grad()
        code_now = code + settings.fit.code_noise * torch.randn_like(code)
        loss = loss_of(network(code_now)[..., :height, :width], noisy)
        torch.autograd.backward(loss)
        optimiser.step()

    times = [_seconds(iterate, device) for _ in range(_WARM_UP + _TIMED)][_WARM_UP:]
    # In milliseconds, as if the network worked on the pixels of the picture only.
    scale = 1000 * (height * width) / (padded[0] * padded[1])
    return IterationTime(scale * statistics.median(times), scale * min(times))


def _seconds(action: Callable[[], None], device: torch.device) -> float:
    started = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
