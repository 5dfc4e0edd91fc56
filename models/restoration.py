"""What the pipeline calls: a scene restored on the grid it was captured on, and then on a finer one if asked for.

Noise, holes and missing detail are taken in this order, each by what knows it best: the temporal prior and the filter
work where noise is white and holes have edges; the `Enlarger` then sees frames without either. A job that asks for one
of the two does nothing of the other.
"""

import numpy as np
from numpy.typing import NDArray

from reelprior.models import temporal
from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.enlarging import Enlarger
from reelprior.models.noise import NoiseModel
from reelprior.models.progress import OnStep, Progress, Step
from reelprior.models.refinement import refine
from reelprior.models.settings import ComputeSettings, EngineSettings

__all__ = ["fit_key_frame", "restore_clip"]

_ENLARGER = "enlarger/"
#: Share of the work that the captured grid takes where the resolution is raised too.
_SHARE_OF_CAPTURED_GRID = 0.5
#: The weakest filtering of what is left of the errors of coding, against the first.
_LAST_OF_STRENGTH = 0.3
#: What the filter leaves of the variance of noise, about.
_LEFT_OF_VARIANCE = 1 / 25


def fit_key_frame(
    clip: Clip,
    key: int,
    *,
    start: dict[str, NDArray[np.float32]] | None = None,
    engine: EngineSettings,
    compute: ComputeSettings,
    seed: int,
    on_step: OnStep,
) -> dict[str, NDArray[np.float32]]:
    """Fit all generators that a job needs to one frame of a scene; see `temporal.fit_key_frame`."""
    progress = Progress(1, on_step)
    fitted: dict[str, NDArray[np.float32]] = {}
    if engine.scale == 1 or clip.has_defects:
        told = progress.part(1.0 if engine.scale == 1 else _SHARE_OF_CAPTURED_GRID)
        fitted = temporal.fit_key_frame(
            clip,
            key,
            start=None if start is None else _without_enlarger(start),
            engine=engine,
            compute=compute,
            seed=seed,
            on_step=lambda step: told(step.frame, step.frames_done, step.loss),
        )
    if engine.scale > 1:
        told = progress.part(1 - progress.planned)
        enlarger = Enlarger(engine, Compute(compute), seed)
        lessons = engine.enlarging.lessons
        if start is not None:
            enlarger.load(_of_enlarger(start))
            lessons = min(lessons, engine.enlarging.warm_lessons)
        enlarger.learn(
            clip.frames[key],
            lessons=min(lessons, engine.fit.iterations),
            on_lesson=lambda share, loss: told(key, share, loss),
        )
        fitted |= {f"{_ENLARGER}{name}": value for name, value in enlarger.save().items()}
    return fitted


def restore_clip(
    clip: Clip,
    wanted: range,
    *,
    parameters: dict[str, NDArray[np.float32]] | None,
    engine: EngineSettings,
    compute: ComputeSettings,
    seed: int,
    on_step: OnStep,
) -> NDArray[np.float32]:
    """Restore consecutive frames: (len(wanted), 3, H * scale, W * scale); see `temporal.restore_clip`."""
    if engine.scale == 1:
        restored = temporal.restore_clip(
            clip,
            wanted,
            parameters=parameters,
            engine=engine,
            compute=compute,
            seed=seed,
            on_step=on_step,
        )
        return _within_bounds(clip.part(wanted), restored, engine, Compute(compute), on_step)
    progress = Progress(len(wanted), on_step)
    if clip.has_defects:
        told = progress.part(_SHARE_OF_CAPTURED_GRID)
        # Neighbours too: their samples are observations of the finer grid.
        restored = temporal.restore_clip(
            clip,
            range(len(clip.frames)),
            parameters=None if parameters is None else _without_enlarger(parameters),
            engine=engine,
            compute=compute,
            seed=seed,
            on_step=lambda step: told(step.frame, step.frames_done / len(clip.frames), step.loss),
        )
        clip = _believed(clip, _within_bounds(clip, restored, engine, Compute(compute), on_step))
    told = progress.part(1 - progress.planned)
    enlarger = Enlarger(engine, Compute(compute), seed)
    lessons = engine.enlarging.lessons
    if parameters is not None:
        enlarger.load(_of_enlarger(parameters))
        lessons = engine.enlarging.warm_lessons
    return enlarger.enlarged(
        clip,
        wanted,
        lessons=min(lessons, engine.fit.iterations),
        on_lesson=lambda share, loss: told(wanted.start, share, loss),
    )


def _within_bounds(
    clip: Clip, restored: NDArray[np.float32], engine: EngineSettings, compute: Compute, on_step: OnStep
) -> NDArray[np.float32]:
    """The restored frames refined, and kept between the bounds that their coding states where they were captured."""
    coding = clip.quantisation
    if coding is None:
        return restored
    frames, missing = clip.frames, clip.missing

    def put_back(filtered: NDArray[np.float32]) -> NDArray[np.float32]:
        bounded = np.stack([coding.bound(*pair) for pair in zip(filtered, frames, strict=True)])
        return bounded if missing is None else np.where(missing[:, None], filtered, bounded)

    strength = 255 * coding.noise.sigma
    steps = engine.collaborative.bounded_steps if engine.collaborative.enabled else 0
    return refine(
        put_back(restored),
        np.geomspace(strength, strength * _LAST_OF_STRENGTH, steps),
        put_back=put_back,
        engine=engine,
        compute=compute,
        on_step=lambda share: on_step(Step(len(frames) - 1, float(len(frames)), 0.0)),
    )


def _believed(clip: Clip, restored: NDArray[np.float32]) -> Clip:
    """The restored frames as what was captured, and the noise that is left in them."""
    if clip.has_noise:
        left = 255 * clip.noise.sigma * _LEFT_OF_VARIANCE**0.5
        return Clip(restored, None, NoiseModel.from_sigma_8bit(left))
    assert clip.missing is not None
    return Clip(np.where(clip.missing[:, None], restored, clip.frames), None, clip.noise)


def _of_enlarger(parameters: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    return {k.removeprefix(_ENLARGER): v for k, v in parameters.items() if k.startswith(_ENLARGER)}


def _without_enlarger(parameters: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    return {name: value for name, value in parameters.items() if not name.startswith(_ENLARGER)}
