"""The temporal prior: one generator that walks through a scene, warm-started from frame to frame.

A scene's key frame is fitted from a random start once (`fit_key_frame`). A chunk starts from those parameters
(`restore_clip`): a forward pass whose guides are a quick spatial denoising of the frame and the motion-compensated
result before it; then a backward pass whose flow and fusion are made anew from the first results. The output is the
mean of the passes with the structure of the residual added back.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.device import Compute
from reelprior.models.fit import Prior, Problem, Reference, fit
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.residual import add_back_structure
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import fill_holes, quick_denoise
from reelprior.models.warp import warp

__all__ = ["Clip", "Step", "fit_key_frame", "restore_clip"]

#: The first frame of a pass gets this many times the budget: its parameters come from the key frame, not a neighbour.
_FIRST_FRAME_FACTOR = 2


@dataclass(frozen=True)
class Step:
    """Where a fit is, once per iteration: position in the clip, frames done (fractions count), latest loss."""

    frame: int
    frames_done: float
    loss: float


OnStep = Callable[[Step], None]


def fit_key_frame(
    clip: Clip, key: int, *, engine: EngineSettings, compute: ComputeSettings, seed: int, on_step: OnStep
) -> dict[str, NDArray[np.float32]]:
    """Fit one frame of a scene from a random start: the start of all its chunks.

    Parameters
    ----------
    clip
        The key frame and its neighbours.
    key
        Its position in the clip.
    engine, compute, seed
        Settings and the seed of weights, code and held-out pixels.
    on_step
        Called once per iteration; may raise to end the fit.

    Returns
    -------
    dict[str, NDArray[np.float32]]
        Parameters and optimiser state, for `restore_clip`.

    Raises
    ------
    FitError
        See `reelprior.models.fit.fit`.
    """
    walk = _Walk(clip, engine, Compute(compute), seed)
    walk.cold_fit(key, on_step=lambda done, of, loss: on_step(Step(key, done / of, loss)))
    return walk.prior.save()


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
    """Restore consecutive frames.

    Parameters
    ----------
    clip
        The frames and, on both sides, neighbours of the same scene as far as there are.
    wanted
        Positions of the frames to restore.
    parameters
        From `fit_key_frame`, with the same settings and seed; None fits every frame from a random start of its own,
        which is the method as published, and the way for a single picture.
    engine, compute, seed, on_step
        As there.

    Returns
    -------
    NDArray[np.float32]
        (len(wanted), 3, H, W) in [0, 1].
    """
    walk = _Walk(clip, engine, Compute(compute), seed)
    if parameters is None:
        return walk.frame_by_frame(wanted, on_step)
    walk.prior.load(parameters)
    return walk.warm(wanted, on_step)


class _Walk:
    """One generator walking through a clip."""

    def __init__(self, clip: Clip, engine: EngineSettings, compute: Compute, seed: int) -> None:
        self.clip, self.engine, self.compute, self.seed = clip, engine, compute, seed
        self.noise = clip.noise if engine.fit.clipping else NoiseModel(clip.noise.gain, clip.noise.offset)
        self.quick = np.stack([self._quick(t, clip.missing_at(t)) for t in range(len(clip.frames))])
        self.prior = self._new_prior()

    def cold_fit(self, frame: int, *, on_step: Callable[[int, int, float], None]) -> Tensor:
        """Fit a frame from the prior's random start, stopped by held-out pixels; (1, 3, H, W)."""
        around = Neighbours(self.clip, self.quick, self.engine.fusion, self.compute)
        iterations = self.engine.fit.iterations
        fused = around.fused(frame, radius=self.engine.fusion.radius)
        hidden, quick = self._hide_pixels(frame)
        problem = Problem(
            (fused,), self._guides(quick, quick), self.noise, around.captured(frame), hidden=hidden
        )
        latent = fit(
            self.prior,
            problem,
            iterations=iterations,
            learning_rate=self.engine.fit.learning_rate,
            on_iteration=lambda done, loss: on_step(done, iterations, loss),
        )
        return add_back_structure(latent, fused, self.noise) if self.engine.temporal.add_back else latent

    def frame_by_frame(self, wanted: range, on_step: OnStep) -> NDArray[np.float32]:
        """Every frame from a random start of its own."""
        restored = []
        for number, t in enumerate(wanted):

            def on_iteration(done: int, of: int, loss: float, number: int = number, t: int = t) -> None:
                on_step(Step(t, number + done / of, loss))

            self.prior = self._new_prior()
            restored.append(self.cold_fit(t, on_step=on_iteration)[0].cpu().numpy())
        return np.stack(restored)

    def warm(self, wanted: range, on_step: OnStep) -> NDArray[np.float32]:
        """The forward pass, and the backward pass made from its results."""
        temporal, fusion = self.engine.temporal, self.engine.fusion
        passes = temporal.passes
        first = self._pass(
            wanted,
            shown=self.quick,
            radius=fusion.radius,
            iterations=temporal.warm_iterations,
            learning_rate=self.engine.fit.learning_rate,
            on_step=lambda t, done, loss: on_step(Step(t, done / passes, loss)),
            others=None,
        )
        if passes == 1:
            return first.results
        shown = self.quick.copy()
        shown[wanted.start : wanted.stop] = first.results
        second = self._pass(
            wanted[::-1],
            shown=shown,
            radius=fusion.second_radius,
            iterations=temporal.second_iterations,
            learning_rate=temporal.second_learning_rate,
            on_step=lambda t, done, loss: on_step(Step(t, (len(wanted) + done) / 2, loss)),
            others=first.latents,
        )
        return second.results

    def _pass(
        self,
        order: range,
        *,
        shown: NDArray[np.float32],
        radius: int,
        iterations: int,
        learning_rate: float,
        on_step: Callable[[int, float, float], None],
        others: NDArray[np.float32] | None,
    ) -> "_PassResult":
        """Walk through the frames in an order, each starting from the parameters the last one ended with.

        ``shown`` are the best pictures so far, for flow, visibility and fusion. In the first pass the guide from the
        neighbour is its result in this pass; in the second it is the neighbour's first result. ``others`` are latents
        of the other pass, to be averaged with before residuals are added back.
        """
        temporal = self.engine.temporal
        around = Neighbours(self.clip, shown, self.engine.fusion, self.compute)
        count, height, width = len(order), *self.clip.frames.shape[2:]
        latents = np.empty((count, 3, height, width), np.float32)
        results = np.empty_like(latents)
        start = min(order[0], order[-1])
        neighbour: int | None = None
        neighbour_result: Tensor | None = None
        for number, t in enumerate(order):
            around.forget(keep=range(t - radius, t + radius + 1))
            budget = min(iterations * (1 if number else _FIRST_FRAME_FACTOR), self.engine.fit.iterations)
            guide, reference = self._from_neighbour(around, t, neighbour, neighbour_result)
            fused = around.fused(t, radius=radius)
            quick = self.compute.tensor(self.quick[t])[None]

            def on_iteration(
                done: int, loss: float, number: int = number, t: int = t, budget: int = budget
            ) -> None:
                on_step(t, number + done / budget, loss)

            problem = Problem((fused,), self._guides(quick, guide), self.noise, around.captured(t), reference)
            latent = fit(
                self.prior,
                problem,
                iterations=budget,
                learning_rate=learning_rate,
                discrepancy=self.engine.stopping.discrepancy,
                on_iteration=on_iteration,
            )
            mean = latent if others is None else (latent + self.compute.tensor(others[t - start])[None]) / 2
            result = add_back_structure(mean, fused, self.noise) if temporal.add_back else mean
            latents[t - start] = latent[0].cpu().numpy()
            results[t - start] = result[0].cpu().numpy()
            neighbour, neighbour_result = t, latent if others is None else around.shown(t)
        return _PassResult(latents, results)

    def _from_neighbour(
        self, around: Neighbours, t: int, neighbour: int | None, result: Tensor | None
    ) -> tuple[Tensor, Reference | None]:
        """The neighbouring result on frame t's grid: a guide, and the reference of the consistency term."""
        if neighbour is None or result is None:
            return around.shown(t), None
        warped = warp(result, around.flow(t, neighbour))
        return warped, Reference(warped, around.visible(t, neighbour))

    def _guides(self, own: Tensor, neighbour: Tensor) -> Tensor | None:
        """(1, 6, H, W): the frame itself without its noise, and the neighbouring result on its grid."""
        return torch.cat([own, neighbour], 1) if self.engine.network.guided else None

    def _new_prior(self) -> Prior:
        return Prior(
            self.engine,
            self.compute,
            size=(self.clip.frames.shape[2], self.clip.frames.shape[3]),
            guide_channels=6 if self.engine.network.guided else 0,
            seed=self.seed,
        )

    def _hide_pixels(self, t: int) -> tuple[Tensor | None, Tensor]:
        """Pixels to hide from the fit, and the frame without its noise made without them.

        A guide that had seen the hidden pixels would carry their noise, and the rule would wait for the network to
        copy it.
        """
        share = self.engine.stopping.held_out
        if not share:
            return None, self.compute.tensor(self.quick[t])[None]
        hidden = self.prior.hidden_pixels(share)
        unseen = hidden[0, 0].cpu().numpy() > 0
        missing = self.clip.missing_at(t)
        quick = self._quick(t, unseen if missing is None else missing | unseen)
        return hidden, self.compute.tensor(quick)[None]

    def _quick(self, t: int, missing: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        return quick_denoise(fill_holes(self.clip.frames[t], missing), sigma=self.noise.sigma)


@dataclass(frozen=True, eq=False)
class _PassResult:
    """(t, 3, H, W) each: the fits themselves, and what is shown for them (averaged, residual added back)."""

    latents: NDArray[np.float32]
    results: NDArray[np.float32]
