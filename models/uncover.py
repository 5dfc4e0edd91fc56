"""What neighbours show of holes, found in rounds.

Motion inside a hole is found the more surely the more of the hole is known. What the neighbours show of it at once is
put in place and counts as known in the next round, which sees farther into the hole, from both frames.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reelprior.models.device import Compute
from reelprior.models.lost import holes_of, lost_frames
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import quick_denoise

__all__ = ["uncover"]

#: Pixels around what was found that its denoising looks at.
_MARGIN = 16


def uncover(
    clip: Clip,
    shown: NDArray[np.float32],
    *,
    sigma: float,
    fusion: FusionSettings,
    compute: Compute,
    on_share: Callable[[int, float], None],
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Put into the holes of pictures what neighbours show of them.

    Parameters
    ----------
    clip
        What was captured.
    shown
        (T, 3, H, W) in [0, 1]: the same frames without their noise, holes filled from around them.
    sigma
        Standard deviation of the noise, in [0, 1].
    fusion, compute
        How far neighbours are looked at and how many rounds there are, and where to compute.
    on_share
        Called with a frame and the share that is done; may raise to end.

    Returns
    -------
    tuple
        The pictures, and (T, H, W), True in holes of which nothing was found; None where nothing is missing.
    """
    if clip.missing is None:
        return shown, None
    lost = lost_frames(clip.missing, len(clip.frames))
    holes = np.stack([holes_of(one) for one in clip.missing])
    hidden = holes
    partly = [t for t in range(len(holes)) if holes[t].any() and not lost[t]]
    rounds = fusion.hole_rounds if fusion.radius else 0
    for number in range(rounds):
        around = Neighbours(clip, shown, fusion, compute, hidden=hidden)
        shown, hidden = shown.copy(), holes.copy()
        for done, t in enumerate(partly):
            around.forget(keep=range(t - fusion.radius, t + fusion.radius + 1))
            for soon in partly[done : done + 2]:
                around.expect(soon, radius=fusion.radius)
            fused = around.fused(t, radius=fusion.radius)
            seen = holes[t] & (fused.weight.amax((0, 1)) > 0).cpu().numpy()
            hidden[t] &= ~seen
            if seen.any():
                rows, columns = (_around(np.flatnonzero(seen.any(axis=axis))) for axis in (1, 0))
                picture, here = (
                    fused.image[0, :, rows, columns].clamp(0, 1).cpu().numpy(),
                    seen[rows, columns],
                )
                before = shown[t][:, rows, columns]
                found = quick_denoise(np.where(here, picture, before), sigma=sigma)
                shown[t][:, rows, columns] = np.where(here, found, before)
            on_share(t, (number + (done + 1) / len(partly)) / rounds)
    return shown, hidden


def _around(at: NDArray[np.intp]) -> slice:
    return slice(max(0, int(at[0]) - _MARGIN), int(at[-1]) + 1 + _MARGIN)
