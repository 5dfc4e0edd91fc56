"""Flicker: frames brighter or darker than their neighbours, as a smooth tone curve per frame that can be undone.

The quantiles of a frame's grey levels are compared with their own weighted mean over the neighbouring frames
(scale-time equalisation, Delon 2006), and a curve of three numbers is fitted to the pairs. Slow changes of light and
of content move the mean along and stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import grey_of

__all__ = ["ToneCurve", "estimate_flicker", "tone_quantiles"]

_SHARES = np.linspace(0.03, 0.97, 16)
#: Standard deviation of the weights over neighbouring frames, in frames.
_NEIGHBOURHOOD = 4.0
#: A curve that changes no level by more than this, in [0, 1], is not worth touching a frame for.
_LEAST = 1 / 255
#: How firmly the three numbers are held to "no change", in units of squared grey levels in [0, 1].
_TIMIDITY = (3e-2, 3e-3, 3e-2)


@dataclass(frozen=True)
class ToneCurve:
    """The correction of one frame: y = offset + gain x + bend x (1 - x), rising everywhere in [0, 1].

    Attributes
    ----------
    offset, gain, bend
        0, 1 and 0 change nothing.
    """

    offset: float = 0.0
    gain: float = 1.0
    bend: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return (self.offset, self.gain, self.bend) == (0.0, 1.0, 0.0)

    def apply(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """The corrected frame: any shape, in [0, 1], clipped to it."""
        if self.is_identity:
            return frame
        curved: NDArray[np.float32] = self.offset + self.gain * frame + self.bend * frame * (1 - frame)
        return np.clip(curved, 0, 1).astype(np.float32)

    def undo(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frame before the correction, where nothing was clipped; any shape, in [0, 1]."""
        if self.is_identity:
            return frame
        slope, level = self.gain + self.bend, frame - self.offset
        if abs(self.bend) < 1e-9:
            before = level / slope
        else:
            before = (slope - np.sqrt(np.maximum(slope**2 - 4 * self.bend * level, 0))) / (2 * self.bend)
        return np.clip(np.asarray(before, np.float32), 0, 1)


def tone_quantiles(frame: NDArray[np.float32]) -> NDArray[np.float64]:
    """Quantiles of a frame's grey levels: (3, H, W) in [0, 1] -> (16,). A few numbers stand for the frame."""
    return np.quantile(grey_of(frame)[::2, ::2], _SHARES).astype(np.float64)


def estimate_flicker(quantiles: Sequence[NDArray[np.float64]]) -> list[ToneCurve]:
    """The corrections of the frames of one scene.

    Parameters
    ----------
    quantiles
        From `tone_quantiles`, one entry per frame, in order.
    """
    levels = np.stack(quantiles)
    if len(levels) < 3:
        return [ToneCurve()] * len(levels)
    times = np.arange(len(levels))
    curves = []
    for t, own in enumerate(levels):
        # The value at t of a straight line through the neighbours, so that a fade stays a fade at the scene's ends too.
        weights = np.exp(-0.5 * ((times - t) / _NEIGHBOURHOOD) ** 2)
        line = np.stack([np.ones_like(weights), times - t], axis=1)
        normal = line.T @ (weights[:, None] * line)
        value_and_slope = np.linalg.solve(normal, line.T @ (weights[:, None] * levels))
        curves.append(_fit(own, value_and_slope[0]))
    return curves


def _fit(own: NDArray[np.float64], wanted: NDArray[np.float64]) -> ToneCurve:
    """The curve from a frame's quantiles to the wanted ones, by least squares with a leaning to no change."""
    basis = np.stack([np.ones_like(own), own, own * (1 - own)], axis=1)
    timidity = np.diag(_TIMIDITY)
    offset, gain, bend = np.linalg.solve(basis.T @ basis + timidity, basis.T @ (wanted - own))
    curve = ToneCurve(float(offset), 1.0 + float(gain), float(bend))
    rising = curve.gain - abs(curve.bend) > 0.3
    worth = np.abs(basis @ np.array([offset, gain, bend])).max() >= _LEAST
    return curve if rising and worth else ToneCurve()
