"""The GPU, where there is one: the quality levels on it, beside the processor and the published method on that GPU."""

import time
from pathlib import Path

import clips
import numpy as np
import torch
from clips import PACKAGED, Case, Video
from machine import compute_device
from measuring import psnr_of
from noises import NOISES
from reference import speed_ratio, time_of_size
from session import SIGMA_8BIT, Session
from table import Figure, Section, Table, at_most, identical

from reelprior.pipeline.job import Job
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.quality import Quality
from reelprior.pipeline.restore import run

__all__ = ["measure"]

_SMALL = next(case for case in PACKAGED if case.name == "bikes")
#: As the file has it.
_LARGE = Case("bigbuckbunny", "bigbuckbunny.mp4", 40, 8, (1280, 720))
_NOISE = "sigma25"
#: A GPU and a processor round differently; the fits end apart by luck.
_WANTED_DIFFERENCE = 0.15


def measure(session: Session) -> Section:
    """Restore two clips on the GPU, the small one on the processor as well, and the small one twice."""
    if compute_device().type != "cuda":
        return Section("GPU", notes=["Left out: there is no GPU here."])
    small, large = _Subject(session, _SMALL), _Subject(session, _LARGE)
    small.restore("cuda", Quality.DRAFT, frames=3)  # the first use of a process costs seconds
    rows = [small.row("cuda", quality) for quality in Quality]
    rows.append(large.row("cuda", Quality.STANDARD))
    rows.append(small.row("cpu", Quality.STANDARD))
    again = small.restore("cuda", Quality.STANDARD)
    first = small.restored["cuda", Quality.STANDARD]
    difference = abs(
        psnr_of(first, small.clean) - psnr_of(small.restored["cpu", Quality.STANDARD], small.clean)
    )
    figures: list[Figure] = [
        identical("GPU, the same job twice", bool(np.array_equal(first, again)), what=f"{len(first)} frames"),
        at_most("GPU against processor, PSNR", difference, _WANTED_DIFFERENCE, unit="dB"),
    ]
    header = ("clip", "where", "quality", "PSNR, dB", "s per frame", "published method / this")
    notes = [
        f"Sigma 25; whole jobs, from reading to writing, in one process that has used the GPU before; "
        f"{torch.get_num_threads()} threads beside it. The last column: the time of the published method's 1800 "
        "iterations on the same GPU over this."
    ]
    return Section("GPU", figures, [Table(header, rows)], notes)


class _Subject:
    """A clip, and what became of it."""

    def __init__(self, session: Session, case: Case) -> None:
        self._session, self._case = session, case
        self.clean = clips.load(case, data=session.data, count=session.frames)
        self._noisy = clips.write(session.clip(f"gpu-{case.name}-noisy"), NOISES[_NOISE].add(self.clean))
        self.restored: dict[tuple[str, Quality], Video] = {}

    def restore(self, device: str, quality: Quality, *, frames: int | None = None) -> Video:
        """The restored frames, the first few or all."""
        output = self._output(device, quality)
        settings = load_settings(
            "denoise",
            quality=quality,
            overrides=(f"compute.device={device}", *self._session.overrides),
            options={"denoise": SIGMA_8BIT},
        )
        job = Job(
            input=str(self._noisy),
            output=str(output),
            settings=settings,
            frames=(0, frames),
            resume=False,
            overwrite=True,
        )
        run(job)
        return clips.decode(output)

    def row(self, device: str, quality: Quality) -> tuple[str, ...]:
        """Restore it once, for the table."""
        started = time.perf_counter()
        self.restored[device, quality] = restored = self.restore(device, quality)
        seconds = (time.perf_counter() - started) / len(restored)
        size, where = self._case.size, "GPU" if device == "cuda" else "processor"
        ratio = f"{speed_ratio(time_of_size(self._session, size).median, seconds):.0f}"
        return (
            f"{self._case.name} {size[0]}x{size[1]}",
            where,
            quality.value,
            f"{psnr_of(restored, self.clean):.2f}",
            f"{seconds:.2f}",
            ratio if device == "cuda" else "",
        )

    def _output(self, device: str, quality: Quality) -> Path:
        return self._session.clip(f"gpu-{self._case.name}-{device}-{quality.value}")
