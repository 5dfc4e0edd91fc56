"""A still image: the preset ``reference`` must behave as the published method does, and the engine must beat it.

The picture is a 256x256 crop of F16 with noise of sigma 25, as in the published denoising figures. The published
implementation's averaged output passes 31.0 dB between 1500 and 2000 iterations. This takes a quarter of an hour to an
hour on two cores: ``--only still``.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import clips
import numpy as np
import torch
from clips import Video, read_picture
from measuring import psnr_of
from methods import ENGINES
from noises import NOISES, Noise
from plots import curves
from session import Session
from table import Section, Table, at_least
from torch import Tensor

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.pipeline.presets import load_settings

__all__ = ["Look", "follow_reference", "measure"]

_FILE, _CROP = "stills/cset9/image_F16_512rgb.png", slice(128, 384)
_ITERATIONS, _LOOKS_EVERY = 2000, 50
_FROM, _WANTED_PSNR, _WANTED_RATIO = 1500, 31.0, 20


@dataclass(frozen=True)
class Look:
    """The reference after some iterations: PSNR in dB of its moving average and of its last picture."""

    iteration: int
    seconds: float
    average: float
    iterate: float


def measure(session: Session) -> Section:
    """Run both on the picture."""
    noise = NOISES["sigma25"]
    path = session.data / _FILE
    if not path.is_file():
        return Section("Still image", notes=[f"Not measured: there is no {_FILE} in the folder of footage."])
    clean = np.ascontiguousarray(read_picture(path)[_CROP, _CROP, ::-1])  # B'G'R' -> R'G'B'
    noisy = noise.add(clean[None])[0]
    iterations = _ITERATIONS if session.frames is None else 20 * session.frames
    looks = follow_reference(
        noisy, noise, iterations=iterations, score=lambda picture: psnr_of(picture, clean)
    )
    late = [look for look in looks if look.iteration >= min(_FROM, iterations)]
    best = max(looks, key=lambda look: look.average)
    figures = [
        at_least(
            f"still: preset reference, best average from {_FROM} to {_ITERATIONS} iterations",
            max(look.average for look in late),
            _WANTED_PSNR,
            unit="dB",
        )
    ]
    rows = [("preset reference", f"{best.average:.2f}", f"{best.seconds:.0f}", "1")]
    levels = {}
    for engine in ENGINES:
        source = clips.write(session.clip("still-noisy"), noisy[None])
        output = session.clip("still-restored")
        facts = session.restore_by_command(source, output, *engine.options)
        psnr = psnr_of(clips.decode(output)[0], clean)
        ratio = best.seconds / facts["seconds"]
        rows.append((engine.name, f"{psnr:.2f}", f"{facts['seconds']:.0f}", f"{ratio:.0f}"))
        levels[engine.name] = psnr
        if engine is ENGINES[0]:
            name = "still: over the reference's best average"
            figures.append(at_least(f"{name}, PSNR", psnr - best.average, 0.0, unit="dB"))
            figures.append(at_least(f"{name}, time", ratio, _WANTED_RATIO, digits=0))
    passed = next((look.iteration for look in looks if look.average >= _WANTED_PSNR), None)
    notes = [
        f"F16, rows and columns {_CROP.start} to {_CROP.stop}, sigma 25. The reference's average "
        f"{f'passed {_WANTED_PSNR:g} dB at iteration {passed}' if passed else f'did not reach {_WANTED_PSNR:g} dB'}; "
        f"its best was at iteration {best.iteration} of {iterations}, looked at every {_LOOKS_EVERY}; it is not "
        "stopped by itself, so that is an oracle's choice."
    ]
    axis = [look.iteration for look in looks]
    lines = {
        "average of the iterates": (axis, [look.average for look in looks]),
        "iterates": (axis, [look.iterate for look in looks]),
    }
    picture = curves(lines, levels, x_label="iterations of the published method on a 256x256 picture")
    header = ("still, sigma 25", "PSNR, dB", "seconds", "reference / this")
    return Section(
        "Still image",
        figures,
        [Table(header, rows)],
        notes,
        data=[vars(look) for look in looks],
        pictures={"still-curve.svg": picture},
    )


def follow_reference(
    noisy: Video,
    noise: Noise,
    *,
    iterations: int,
    score: Callable[[Video], float],
    seconds: float = math.inf,
) -> list[Look]:
    """Fit a picture (H, W, 3) by the preset ``reference`` and score it on the way; ``seconds`` end it early."""
    settings = load_settings("reference", overrides=(f"fit.iterations={iterations}",))
    compute = Compute(settings.compute)
    frames = noisy.transpose(2, 0, 1)[None].astype(np.float32, order="C") / np.float32(255)
    model = NoiseModel.from_sigma_8bit(noise.sigma_8bit())
    around = Neighbours(Clip(frames, None, model), frames, settings.fusion, compute)
    captured = around.captured(0)
    prior = _Watched(settings, compute, size=noisy.shape[:2], guide_channels=0, seed=settings.seed)
    prior.score = score
    started = time.monotonic()

    def on_iteration(done: int, loss: float) -> None:
        if time.monotonic() - started > seconds:
            raise _TimeIsUpError

    with contextlib.suppress(_TimeIsUpError):
        fit(
            prior,
            Problem((captured,), None, model, captured),
            iterations=iterations,
            learning_rate=settings.fit.learning_rate,
            on_iteration=on_iteration,
        )
    return prior.looks


class _TimeIsUpError(Exception):
    """Ends a fit: `fit` lets what its callback raises through."""


class _Watched(Prior):
    """A prior that looks at the moving average of its pictures, which the fit itself shows at the end only."""

    score: Callable[[Video], float]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.looks: list[Look] = []
        self._average: Tensor | None = None
        self._iteration = 0
        self._started = time.monotonic()

    def generate(self, guides: Tensor | None, *, code_noise: float = 0.0) -> Tensor:
        picture = super().generate(guides, code_noise=code_noise)
        iterate = picture.detach()
        # As `fit` averages: a running mean at first.
        decay = min(self.engine.fit.average, self._iteration / (self._iteration + 1))
        self._average = iterate.clone() if self._average is None else self._average.lerp_(iterate, 1 - decay)
        self._iteration += 1
        if self._iteration % _LOOKS_EVERY == 0 or self._iteration == self.engine.fit.iterations:
            seconds = time.monotonic() - self._started
            psnrs = (self.score(_to_8bit(tensor)) for tensor in (self._average, iterate))
            self.looks.append(Look(self._iteration, seconds, *psnrs))
        return picture


def _to_8bit(picture: Tensor) -> Video:
    pixels: Video = (255 * picture[0].clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return pixels
