"""The noise of a clip: given by the user, or measured on a few frames."""

import numpy as np

from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex
from reelprior.models.noise import NoiseModel, detect_clipping, estimate_noise

__all__ = ["noise_of", "sigma_8bit"]

_FRAMES_TO_LOOK_AT = 5


def noise_of(path: str, index: FrameIndex, frames: range, *, sigma: float | None = None) -> NoiseModel:
    """What is known of the noise, after a look at a few frames, evenly spread over a range.

    Parameters
    ----------
    path
        The source.
    index
        Of the source.
    frames
        The frames to restore.
    sigma
        Standard deviation in 8-bit grey levels, if the user gave one; the frames then only tell whether
        the noise was clipped.
    """
    count = min(_FRAMES_TO_LOOK_AT, len(frames))
    chosen = [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]
    with open_reader(path, index) as reader:
        pictures = np.stack([frame.pixels for t in chosen for frame in reader.read(t, t + 1)])
    if sigma is None:
        return estimate_noise(pictures)
    return detect_clipping(NoiseModel.from_sigma_8bit(sigma), pictures)


def sigma_8bit(noise: NoiseModel) -> float:
    """Standard deviation at mid-grey, in 8-bit grey levels: the one number that people know noise by."""
    return 255.0 * noise.sigma
