"""What is restored: consecutive frames of one scene, and what is known of them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelprior.models.lost import missing_rows
from reelprior.models.noise import NoiseModel
from reelprior.models.quantisation import Quantisation

__all__ = ["Clip"]

#: Noise below half a grey level leaves nothing to take off.
_HARDLY_NOISE = 0.5 / 255


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames of one scene.

    Attributes
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1].
    missing
        (T, H, W) bool, True where a frame says nothing; None if nothing is missing.
    noise
        Of the frames.
    quantisation
        Of their coding, where it bounds the result; None if it does not.
    only_missing
        Whether nothing but what is missing is wanted: what else is restored beside it will not be used.
    """

    frames: NDArray[np.float32]
    missing: NDArray[np.bool_] | None
    noise: NoiseModel
    quantisation: Quantisation | None = None
    only_missing: bool = False

    def missing_at(self, t: int) -> NDArray[np.bool_] | None:
        """(H, W) of one frame, or None."""
        return None if self.missing is None else self.missing[t]

    @property
    def has_fields(self) -> bool:
        """Whether any frame is a field: every other row of it is missing."""
        return self.missing is not None and any(missing_rows(one) is not None for one in self.missing)

    @property
    def has_noise(self) -> bool:
        """Whether there is noise to take off."""
        return self.noise.sigma > _HARDLY_NOISE

    @property
    def has_defects(self) -> bool:
        """Whether pixels are missing, or noise is to be taken off."""
        return self.missing is not None or self.has_noise

    def part(self, frames: range) -> "Clip":
        """Some of its frames, as a clip."""
        at = slice(frames.start, frames.stop)
        missing = None if self.missing is None else self.missing[at]
        return replace(self, frames=self.frames[at], missing=missing)
