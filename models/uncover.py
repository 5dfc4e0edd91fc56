"""What neighbours show of holes, found in rounds.

Motion inside a hole is found the more surely the more of the hole is known. What the neighbours show of it at once is
put in place and counts as known in the next round, which sees farther into the hole, from both frames, and farther in
time: neighbours tell what they were told by theirs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.lost import holes_of, lost_frames
from reelprior.models.neighbours import Neighbours
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import quick_denoise
from reelprior.models.tiles import box_around

__all__ = ["uncover", "widened"]

#: Pixels around what was found that its denoising looks at.
_MARGIN = 16


def uncover(
    clip: Clip,
    shown: NDArray[np.float32],
    wanted: range,
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
    wanted
        The frames in whose holes to look. Those beside them are looked at in the rounds in which they can tell
        them something: in the last none, in each before it ``fusion.radius`` frames more.
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
    partly = [t for t in range(len(holes)) if holes[t].any() and not lost[t]]
    rounds = fusion.hole_rounds if fusion.radius else 0
    if not partly or not rounds:
        return shown, holes
    hidden = holes.copy()
    for number in range(rounds):
        around = Neighbours(clip, shown, fusion, compute, hidden=hidden.copy() if number else None)
        shown = shown.copy()
        tells = widened(wanted, (rounds - 1 - number) * fusion.radius, len(holes))
        order = [t for t in partly if t in tells and hidden[t].any()]
        for done, t in enumerate(order):
            around.forget(keep=range(t - fusion.radius, t + fusion.radius + 1))
            for soon in order[done : done + 2]:
                around.expect(soon, radius=fusion.radius)
            fused = around.fused(t, radius=fusion.radius)
            seen = holes[t] & (fused.weight.amax((0, 1)) > 0).cpu().numpy()
            hidden[t] = holes[t] & ~seen
            if seen.any():
                shown[t] = _put(fused.image[0].clamp(0, 1).cpu().numpy(), seen, shown[t], sigma)
            on_share(t, (number + (done + 1) / len(order)) / rounds)
    return shown, hidden


def _put(
    found: NDArray[np.float32], seen: NDArray[np.bool_], picture: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """A picture with what was found, less its noise, where that was seen."""
    rows, columns = box_around(seen, _MARGIN)
    put, here = picture.copy(), seen[rows, columns]
    before = picture[:, rows, columns]
    less_noise = quick_denoise(np.where(here, found[:, rows, columns], before), sigma=sigma)
    put[:, rows, columns] = np.where(here, less_noise, before)
    return put


def widened(frames: range, by: int, count: int) -> range:
    """The frames and those beside them, of so many."""
    return range(max(0, frames.start - by), min(count, frames.stop + by))
