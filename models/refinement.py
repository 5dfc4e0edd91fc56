"""Filtering again and again for ever weaker noise, with what is known put back each time.

The filter of `collaborative` is a denoiser. Applied to a picture whose errors are not noise (the prior's guess where
nothing was seen, what is left of the errors of coding) it lets similar patches elsewhere correct them, if it is kept
from touching what is known: iterated denoising and projection (Tirer and Giryes, IEEE TIP 2019, arXiv:1710.06647).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reelprior.models.clip import Clip
from reelprior.models.collaborative import collaborate
from reelprior.models.device import Compute
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import EngineSettings
from reelprior.models.tiles import box_around

__all__ = ["refine", "refine_unseen"]

#: Strength of the first and the last step where nothing was seen, in 8-bit grey levels.
_FIRST, _LAST = 25.0, 2.0
#: Pixels around what is unseen in which similar patches are looked for.
_MARGIN = 32


def refine(
    pictures: NDArray[np.float32],
    sigmas_8bit: NDArray[np.float64],
    *,
    put_back: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    engine: EngineSettings,
    compute: Compute,
    on_step: Callable[[float], None],
) -> NDArray[np.float32]:
    """Filter a clip once for each strength of noise.

    Parameters
    ----------
    pictures
        (T, 3, H, W) in [0, 1].
    sigmas_8bit
        Strengths in 8-bit grey levels, in order.
    put_back
        Gives filtered pictures back with what is known in its place.
    engine, compute
        Settings, and where to compute.
    on_step
        Called with the share done; may raise to end.

    Returns
    -------
    NDArray[np.float32]
        (T, 3, H, W) in [0, 1].
    """
    frames, steps = len(pictures), len(sigmas_8bit)
    for step, sigma in enumerate(sigmas_8bit):
        noise = NoiseModel.from_sigma_8bit(float(sigma))

        def told(done: int, step: int = step) -> None:
            on_step((step + done / frames) / steps)

        filtered = collaborate(
            Clip(pictures, None, noise),
            pictures,
            noise,
            settings=engine.collaborative,
            compute=compute,
            on_frame=told,
        )
        pictures = put_back(filtered)
    return pictures


def refine_unseen(
    restored: NDArray[np.float32],
    unseen: NDArray[np.bool_],
    *,
    engine: EngineSettings,
    compute: Compute,
    on_step: Callable[[float], None],
) -> NDArray[np.float32]:
    """Refine the pixels that no frame shows; all others stay as they are.

    Parameters
    ----------
    restored
        (T, 3, H, W) in [0, 1], whole.
    unseen
        (T, H, W), True where it is the prior's guess.
    engine, compute, on_step
        See `refine`.

    Returns
    -------
    NDArray[np.float32]
        (T, 3, H, W) in [0, 1].
    """
    if not unseen.any():
        return restored
    rows, columns = box_around(np.logical_or.reduce(unseen, axis=0), _MARGIN)
    known, gaps = restored[..., rows, columns], unseen[:, None, rows, columns]
    refined = restored.copy()
    refined[..., rows, columns] = refine(
        np.ascontiguousarray(known),
        np.geomspace(_FIRST, _LAST, engine.collaborative.unseen_steps),
        put_back=lambda filtered: np.where(gaps, filtered, known),
        engine=engine,
        compute=compute,
        on_step=on_step,
    )
    return refined
