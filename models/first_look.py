"""What the frames of a clip show before anything was fitted: the pictures that flow is estimated on and guides made of.

Noise is taken off by classical means, holes are filled from around them, lost frames interpolated between whole ones.
Of fields the rows between are then shown as the other fields tell them (`weaving`).
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.lost import fill_lost, holes_of, lost_frames
from reelprior.models.neighbours import Neighbours
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import fill_holes, quick_denoise

__all__ = ["look_at", "look_at_frame"]


def look_at(clip: Clip, *, sigma: float, fusion: FusionSettings, compute: Compute) -> NDArray[np.float32]:
    """All frames of a clip.

    Parameters
    ----------
    clip
        What was captured.
    sigma
        Standard deviation of its noise, in [0, 1].
    fusion, compute
        How fields are brought together, and where.

    Returns
    -------
    NDArray[np.float32]
        (T, 3, H, W) in [0, 1], whole.
    """
    lost = lost_frames(clip.missing, len(clip.frames))
    looks = [
        compute.ahead.begin(partial(look_at_frame, frame, clip.missing_at(t), sigma=sigma))
        for t, frame in enumerate(clip.frames)
    ]
    shown = fill_lost(np.stack([look() for look in looks]), lost)
    if not clip.has_fields:
        return shown
    around, woven = Neighbours(clip, shown, fusion, compute), shown.copy()
    for t in map(int, np.flatnonzero(~lost)):
        around.forget(keep=range(t - fusion.radius, t + fusion.radius + 1))
        fused = around.fused(t, radius=fusion.radius).image[0].clamp(0, 1).cpu().numpy()
        picture, missing = quick_denoise(fused, sigma=sigma), clip.missing_at(t)
        woven[t] = picture if missing is None else np.where(holes_of(missing), shown[t], picture)
    return fill_lost(woven, lost)


def look_at_frame(
    frame: NDArray[np.float32], missing: NDArray[np.bool_] | None, *, sigma: float
) -> NDArray[np.float32]:
    """(3, H, W) of a frame by itself; ``missing`` is (H, W), True where it says nothing."""
    return quick_denoise(fill_holes(frame, missing), sigma=sigma)
