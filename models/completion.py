"""Wide holes of a picture by itself: what a deep prior without skip connections makes of them.

Continuing edges into a hole, and filtering the guess together with its surroundings, fills a scratch; a hole wider than
the structures around it comes out as a blur. The generator that Ulyanov et al. 2017 use for large regions has no skip
connections: everything passes its coarsest scale, where few pixels hold the picture and a hole is as good as closed.
Here it is fitted to the reduced picture, where an iteration costs a quarter or less and a hole is half as wide, and the
`Enlarger` adds the detail that it has learnt from the same picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.enlarging import Enlarger
from reelprior.models.first_look import look_at_frame
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.progress import Told
from reelprior.models.settings import EngineSettings, NetworkSettings
from reelprior.models.tiles import box_around

__all__ = ["complete", "wide_holes"]

#: Of pictures with more missing, what is left says too little of what is wide: pixels that stand alone, or rows.
_MUCH = 0.4
#: Pixels around the holes that the prior is fitted to as well, at least.
_MARGIN = 128
#: Pixels of the reduced picture at most: what one iteration costs, and how coarse what it sees may be.
_MOST_PIXELS = 80_000
_CODE_CHANNELS = 32
#: What the fit may leave of the known pixels: they are put back anyway.
_TOLERANCE = NoiseModel.from_sigma_8bit(3.0)
#: Lessons of each enlargement by 2, of those that the settings give a picture by itself.
_SHARE_OF_LESSONS = 0.5
#: Share of the work, for the display, that the fit takes.
_FITTING = 0.8


def wide_holes(missing: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """(H, W), True in the holes of ``missing`` (H, W) that are ``width`` pixels wide somewhere; 0 takes none."""
    if not width or missing.mean() > _MUCH:
        return np.zeros_like(missing)
    holes = missing.astype(np.uint8)
    count, labels = cv2.connectedComponents(holes)
    deepest = np.zeros(count, np.float32)
    depths = np.asarray(cv2.distanceTransform(holes, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
    np.maximum.at(deepest, np.asarray(labels, np.intp), depths)
    wide: NDArray[np.bool_] = (2 * deepest >= width)[labels]
    return wide & missing


def complete(
    clip: Clip, wide: NDArray[np.bool_], *, engine: EngineSettings, compute: Compute, seed: int, told: Told
) -> Clip:
    """Fill the wide holes of a picture.

    Parameters
    ----------
    clip
        One frame.
    wide
        (H, W), True in the holes to fill; see `wide_holes`.
    engine, compute, seed
        Settings, where to compute, and the seed of weights and code.
    told
        Hears how far this is; may raise to end.

    Returns
    -------
    Clip
        With a guess, free of noise, in these holes, which are missing no more.

    Raises
    ------
    FitError
        If the loss stops being a number.
    """
    missing, frame = clip.missing_at(0), clip.frames[0]
    if missing is None or not wide.any():
        return clip
    filled, groups = frame.copy(), _groups(wide)
    for number, holes in enumerate(groups):

        def so_far(t: int, share: float, loss: float | None, number: int = number) -> None:
            told(t, (number + share) / len(groups), loss)

        window = box_around(holes, _MARGIN)
        shown = look_at_frame(frame[:, *window], missing[window], sigma=clip.noise.sigma)
        guess = _guess(shown, missing[window], engine=engine, compute=compute, seed=seed, told=so_far)
        filled[:, *window] = np.where(holes[window], guess, filled[:, *window])
    left = missing & ~wide
    return replace(clip, frames=filled[None], missing=left[None] if left.any() else None)


def _groups(wide: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """(H, W) each: holes with surroundings in common. One window for all would be reduced until little was left."""
    around = cv2.dilate(wide.astype(np.uint8), np.ones((2 * _MARGIN + 1,) * 2, np.uint8))
    count, labels = cv2.connectedComponents(around)
    return [wide & (np.asarray(labels) == number) for number in range(1, count)]


@dataclass(frozen=True, eq=False)
class _Reduced:
    """A picture (1, 3, H, W) reduced by means of its known pixels, and the share (1, 1, H, W) of them that is known."""

    picture: Tensor
    known: Tensor

    def halved(self) -> "_Reduced":
        known = functional.avg_pool2d(self.known, 2)
        picture = functional.avg_pool2d(self.picture * self.known, 2) / known.clamp(min=1e-6)
        return _Reduced(picture, known)


def _guess(
    shown: NDArray[np.float32],
    missing: NDArray[np.bool_],
    *,
    engine: EngineSettings,
    compute: Compute,
    seed: int,
    told: Told,
) -> NDArray[np.float32]:
    """(3, H, W): the picture with the prior's guess wherever it is missing."""
    height, width = missing.shape
    halvings = 1
    while height * width / 4**halvings > _MOST_PIXELS:
        halvings += 1
    unit = 2**halvings
    padding = (0, -width % unit, 0, -height % unit)
    reduced = _Reduced(
        functional.pad(compute.tensor(shown)[None], padding, mode="replicate"),
        functional.pad(compute.tensor((~missing).astype(np.float32))[None, None], padding),
    )
    for _ in range(halvings):
        reduced = reduced.halved()
    known = torch.where(reduced.known < 0.5, 0.0, reduced.known)
    fitted = _fitted(reduced.picture, known, engine=engine, compute=compute, seed=seed, told=told)
    picture = torch.where(known > 0, reduced.picture, fitted)[0].cpu().numpy()
    for number in range(halvings):

        def on_lesson(share: float, loss: float, number: int = number) -> None:
            told(0, _FITTING + (1 - _FITTING) * (number + share) / halvings, loss)

        picture = _doubled(picture, engine=engine, compute=compute, seed=seed, on_lesson=on_lesson)
    whole: NDArray[np.float32] = picture[:, :height, :width]
    return whole


def _fitted(
    picture: Tensor, known: Tensor, *, engine: EngineSettings, compute: Compute, seed: int, told: Told
) -> Tensor:
    """The deep prior's fit (1, 3, H, W) to a picture, with weights (1, 1, H, W)."""
    settings = engine.completion
    network = NetworkSettings(
        channels=settings.channels,
        skip_channels=(0,) * len(settings.channels),
        shuffle=1,
        code_channels=_CODE_CHANNELS,
        guided=False,
    )
    prior = Prior(
        engine.model_copy(update={"network": network}),
        compute,
        size=(picture.shape[2], picture.shape[3]),
        guide_channels=0,
        seed=seed,
    )
    variance = _TOLERANCE.variance(picture).mean(1, keepdim=True)
    observed = Observation(picture, known / variance, variance)
    return fit(
        prior,
        Problem((observed,), None, _TOLERANCE, observed),
        iterations=settings.iterations,
        learning_rate=engine.fit.learning_rate,
        to_the_end=True,
        on_iteration=lambda done, loss: told(0, _FITTING * done / settings.iterations, loss),
    )


def _doubled(
    picture: NDArray[np.float32],
    *,
    engine: EngineSettings,
    compute: Compute,
    seed: int,
    on_lesson: Callable[[float, float], None],
) -> NDArray[np.float32]:
    """(3, H, W) to (3, 2 H, 2 W), whose blocks of 2 x 2 have the picture as their means."""
    enlarging = engine.enlarging.model_copy(update={"reduction": "box"})
    enlarger = Enlarger(engine.model_copy(update={"scale": 2, "enlarging": enlarging}), compute, seed)
    lessons = max(1, round(_SHARE_OF_LESSONS * enlarging.lessons))
    enlarged = enlarger.enlarged(
        Clip(picture[None], None, NoiseModel.from_sigma_8bit(0.0)),
        range(1),
        lessons=min(lessons, engine.fit.iterations),
        on_lesson=on_lesson,
    )
    doubled: NDArray[np.float32] = enlarged[0]
    return doubled
