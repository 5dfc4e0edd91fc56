"""Noise: what `--denoise auto` measures against noise that was added, per channel, over clips and photographs.

Only the measuring is run, on five frames of each clip as a job would look at; nothing is restored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import clips
import numpy as np
from numpy.typing import NDArray
from session import Session
from table import Section, Table, at_least, at_most

from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import NoiseEstimate, estimate_noise

__all__ = ["Added", "measure", "ratios"]

_FRAMES = 5
_FRAMES_APART = 3
_SPAN = (_FRAMES - 1) * _FRAMES_APART + 1
_SEED = 7
_WITHIN = 0.10
#: Footage beside the cases of the comparison: file of the folder of clips, first frame, divisor.
_MORE_CLIPS = (
    ("blackswan_gt.mp4", 2, 1),
    ("blackswan_gt.mp4", 2, 2),
    ("camel_gt.mp4", 2, 1),
    ("camel_gt.mp4", 2, 2),
    ("judo.mp4", 2, 2),
)
_PHOTOGRAPHS = "stills/cset9/kodim*.png"

Clip = NDArray[np.float32]


@dataclass(frozen=True)
class Added:
    """Noise to add: variance gain * x + (sigma / 255)^2 at a clean value x; sigma may differ between the channels."""

    label: str
    sigma_8bit: tuple[float, float, float]
    gain: float = 0.0

    def model(self) -> NoiseModel:
        """With the noise that rounding to 8 bits adds."""
        red, green, blue = ((sigma**2 + 1 / 12) / 255**2 for sigma in self.sigma_8bit)
        return NoiseModel(self.gain, (red, green, blue))

    def to(self, clean: Clip) -> Clip:
        """The noisy clip, clipped and rounded to 8 bits."""
        sigma = np.array(self.sigma_8bit)[:, None, None] / 255
        deviation = np.sqrt(self.gain * clean + np.square(sigma))
        noisy = clean + deviation * np.random.default_rng(_SEED).normal(0, 1, clean.shape)
        return np.asarray(np.rint(np.clip(noisy, 0, 1) * 255) / 255, np.float32)


_CONSTANT = tuple(Added(f"sigma {s}", (s, s, s)) for s in (2, 5, 10, 15, 25, 50, 75))
_OTHERS = (
    Added("0.002 x + 2^2", (2, 2, 2), 0.002),
    Added("0.01 x + 3^2", (3, 3, 3), 0.01),
    Added("0.01 x + 10^2", (10, 10, 10), 0.01),
    Added("0.02 x + 10^2", (10, 10, 10), 0.02),
    Added("sigma 4, 8, 24", (4, 8, 24)),
)


def measure(session: Session) -> Section:
    """Add every noise to every clip, measure it, and compare."""
    header = ["clip", "own", *(added.label for added in (*_CONSTANT, *_OTHERS))]
    rows: list[list[str]] = []
    constant: list[float] = []
    others: list[float] = []
    told: list[bool] = []
    for name, clean in _material(session.data):
        own = 255 * estimate_noise(clean).noise.sigma
        row = [name, f"{own:.2f}"]
        for added in (*_CONSTANT, *_OTHERS):
            estimate = estimate_noise(added.to(clean))
            found = ratios(estimate, added, clean)
            (constant if added in _CONSTANT else others).extend(found)
            told.append((estimate.kind == "constant") == (added.gain == 0))
            row.append(" ".join(f"{ratio:.2f}" for ratio in found))
        rows.append(row)
    figures = [
        at_least(
            "noise, constant: share of channels within 10 %", _share_within(constant), 95, unit="%", digits=1
        ),
        at_most("noise, constant: mean error of sigma", _mean_error(constant), 10, unit="%", digits=1),
        at_least(
            "noise, other: share of channels within 10 %", _share_within(others), 95, unit="%", digits=1
        ),
        at_least(
            "noise, told apart: constant or growing with the light", 100 * float(np.mean(told)), 95, unit="%"
        ),
    ]
    notes = [
        f"Measured over added sigma, red green blue, at the mean grey level of the clip. {_FRAMES} frames of a "
        f"clip, {_FRAMES_APART} apart; Gaussian noise of one fixed seed, clipped and rounded to 8 bits. `a x + s^2`: "
        "variance a x on [0, 1] plus a sigma s in grey levels. Own: what is measured before any noise was added; "
        "footage and photographs have grain, which counts as an error here (at sigma 2, a grain of 1 makes 1.12)."
    ]
    return Section("Noise", figures, [Table(header, rows)], notes)


def ratios(estimate: NoiseEstimate, added: Added, clean: Clip) -> list[float]:
    """Measured over added sigma of red, green and blue, at each channel's mean."""
    values = []
    truth = added.model()
    for channel, level in enumerate(clean.mean((0, 2, 3))):
        values.append(estimate.noise.sigmas(float(level))[channel] / truth.sigmas(float(level))[channel])
    return values


def _material(data: Path) -> Iterator[tuple[str, Clip]]:
    """Name and (T, 3, H, W) float32 in [0, 1]."""
    for case in clips.CASES:
        if clips.is_there(case, data=data):
            yield case.name, _planes(clips.load(case, data=data)[:_SPAN:_FRAMES_APART])
    for file, start, divisor in _MORE_CLIPS:
        path = data / "clips" / file
        if path.is_file():
            whole = clips.decode(path, range(start, start + _SPAN))[::_FRAMES_APART]
            size = whole.shape[2] // divisor, whole.shape[1] // divisor
            name = path.stem if divisor == 1 else f"{path.stem} / {divisor}"
            yield name, _planes(clips.reduce(whole, size=size))
    for path in sorted(data.glob(_PHOTOGRAPHS)):
        yield path.stem, _planes(clips.read_picture(path)[None, ..., ::-1])


def _planes(pictures: NDArray[np.uint8]) -> Clip:
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def _share_within(values: list[float]) -> float:
    """In per cent."""
    return 100 * float(np.mean([abs(value - 1) <= _WITHIN for value in values]))


def _mean_error(values: list[float]) -> float:
    """In per cent."""
    return 100 * float(np.mean([abs(value - 1) for value in values]))
