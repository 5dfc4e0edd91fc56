"""The temporal prior: one generator that walks through a scene, warm-started from frame to frame.

A scene's key frame is fitted from a random start once (`fit_key_frame`). A chunk starts from those parameters
(`restore_clip`): a forward pass whose guides are a classical denoising of the frame and the motion-compensated result
before it; structure left in the residual is added back. What was captured is then filtered once more together, with
these results as the pilot (`collaborative`). On request a backward pass follows, whose flow, fusion and guides are made
anew from the filtered results, and is filtered in its turn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.coarse import fit_coarse_to_fine
from reelprior.models.collaborative import collaborate
from reelprior.models.device import Compute
from reelprior.models.first_look import look_at, look_at_frame
from reelprior.models.fit import Prior, Problem, Reference, fit
from reelprior.models.lost import holes_of, lost_frames, nearest_whole
from reelprior.models.neighbours import Clip, Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.progress import OnStep, Progress, Step, Told
from reelprior.models.refinement import refine_unseen
from reelprior.models.residual import add_back_structure
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.warp import warp

__all__ = ["Clip", "Step", "fit_key_frame", "restore_clip"]

#: The first frame of a pass gets this many times the budget: its parameters come from the key frame, not a neighbour.
_FIRST_FRAME_FACTOR = 2
#: Shares of a chunk's work, for the display: filtering the quick denoisings, and filtering results.
_CLOSER_LOOK, _FILTERING = 0.15, 0.1


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
    """Fit one frame of a scene: the start of all its chunks.

    Parameters
    ----------
    clip
        The key frame and its neighbours.
    key
        Its position in the clip.
    start
        Parameters to start from, of another tile of the same frame, which spares the coarse iterations; None for a
        random start.
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
    if start is not None:
        walk.prior.load(start)
    budget = min(engine.temporal.key_iterations, engine.fit.iterations)
    walk.fit_key(nearest_whole(walk.lost, key), budget, on_step, cold=start is None)
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
        self.lost = lost_frames(clip.missing, len(clip.frames))
        #: (T, 3, H, W): the frames as classical means show them.
        self.shown = look_at(clip, sigma=self.noise.sigma, fusion=engine.fusion, compute=self.compute)
        #: (T, H, W), True where no observation says anything: holes, until neighbours are found to show them.
        self.unseen = None if clip.missing is None else np.stack([holes_of(one) for one in clip.missing])
        self.prior = self._new_prior(seed)

    def fit_key(self, key: int, budget: int, on_step: OnStep, *, cold: bool) -> None:
        """Bring the prior from where it is, if ``cold`` at its random start, to a frame of the scene."""
        progress = Progress(1, on_step)
        if self._filters:
            self._look_closer(progress.part(_CLOSER_LOOK))
        told = progress.part(1 - progress.planned)
        around = self._neighbours(self.shown)
        fused = around.fused(key, radius=self.engine.fusion.radius)
        shown = around.shown(key)
        problem = Problem((fused,), self._guides(shown, shown), self.noise, around.captured(key))
        discrepancy = self.engine.stopping.discrepancy
        if cold:
            fit_coarse_to_fine(
                self.prior,
                problem,
                iterations=budget,
                discrepancy=discrepancy,
                on_iteration=lambda share, loss: told(key, share, loss),
            )
        else:
            fit(
                self.prior,
                problem,
                iterations=budget,
                learning_rate=self.engine.fit.learning_rate,
                discrepancy=discrepancy,
                on_iteration=lambda done, loss: told(key, done / budget, loss),
            )

    def frame_by_frame(self, wanted: range, on_step: OnStep) -> NDArray[np.float32]:
        """Every frame from random starts of its own, each stopped by held-out pixels; the mean of the starts."""
        progress = Progress(len(wanted), on_step)
        starts = self.engine.fit.starts
        told = progress.part(1 - (2 * _FILTERING if self._filters else 0))
        around = self._neighbours(self.shown)
        restored = np.zeros((len(wanted), *self.clip.frames.shape[1:]), np.float32)
        for number, t in enumerate(wanted):
            around.forget(keep=range(0))
            fused = around.fused(t, radius=self.engine.fusion.radius)
            self._note_unseen(t, fused)
            for start in range(starts):

                def on_iteration(
                    done: float, loss: float, before: float = number + start / starts, t: int = t
                ) -> None:
                    told(t, (before + done / starts) / len(wanted), loss)

                self.prior = self._new_prior(self.seed + start)
                latent = self._cold_fit(t, around, fused, on_iteration)
                if self.engine.temporal.add_back:
                    latent = add_back_structure(latent, fused, self.noise)
                restored[number] += latent[0].cpu().numpy() / starts
        if not self._filters:
            return restored
        filtered = self._filtered(wanted, restored, progress)
        # The errors of the prior and of the filter are of different kinds: their mean is a better pilot than either.
        return self._filtered(wanted, ((filtered + restored) / 2).astype(np.float32), progress)

    def warm(self, wanted: range, on_step: OnStep) -> NDArray[np.float32]:
        """The forward pass and, on request, a backward pass made from its results."""
        temporal, fusion = self.engine.temporal, self.engine.fusion
        progress = Progress(len(wanted), on_step)
        if self._filters:
            self._look_closer(progress.part(_CLOSER_LOOK))
        share = (1 - progress.planned) / temporal.passes - (_FILTERING if self._filters else 0)
        first = self._pass(
            wanted,
            seen=self.shown,
            radius=fusion.radius,
            iterations=temporal.warm_iterations,
            learning_rate=self.engine.fit.learning_rate,
            told=progress.part(share),
            others=None,
        )
        filtered = self._filtered(wanted, first.results, progress) if self._filters else first.results
        if temporal.passes == 1:
            return filtered
        seen = self.shown.copy()
        seen[wanted.start : wanted.stop] = filtered
        second = self._pass(
            wanted[::-1],
            seen=seen,
            radius=fusion.second_radius,
            iterations=temporal.second_iterations,
            learning_rate=temporal.second_learning_rate,
            told=progress.part(share),
            others=first.latents,
        )
        return self._filtered(wanted, second.results, progress) if self._filters else second.results

    @property
    def _filters(self) -> bool:
        return self.engine.collaborative.enabled

    def _look_closer(self, told: Told) -> None:
        """Filter the quick denoisings together before they guide: a better guide, and a better flow."""
        count = len(self.shown)
        self.shown = self._collaborate(self.clip, self.shown, lambda done: told(done - 1, done / count, None))

    def _filtered(
        self, wanted: range, restored: NDArray[np.float32], progress: Progress
    ) -> NDArray[np.float32]:
        """What was captured, filtered together with the prior's results as the pilot."""
        told = progress.part(_FILTERING)
        filtered = self._collaborate(
            self.clip.part(wanted),
            restored,
            lambda done: told(wanted[done - 1], done / len(wanted), None),
        )
        if self.unseen is None:
            return filtered
        return refine_unseen(
            filtered,
            self.unseen[wanted.start : wanted.stop],
            engine=self.engine,
            compute=self.compute,
            on_step=lambda share: told(wanted.stop - 1, 1.0, None),
        )

    def _note_unseen(self, t: int, fused: Observation) -> None:
        if self.unseen is not None and self.clip.missing is not None:
            nowhere = (fused.weight.amax((0, 1)) == 0).cpu().numpy()
            self.unseen[t] = nowhere & holes_of(self.clip.missing[t])

    def _collaborate(
        self, clip: Clip, pilots: NDArray[np.float32], on_frame: Callable[[int], None]
    ) -> NDArray[np.float32]:
        return collaborate(
            clip,
            pilots,
            self.noise,
            settings=self.engine.collaborative,
            compute=self.compute,
            on_frame=on_frame,
        )

    def _cold_fit(
        self, t: int, around: Neighbours, fused: Observation, on_iteration: Callable[[float, float], None]
    ) -> Tensor:
        """Fit a frame from the prior's random start, stopped by held-out pixels; (1, 3, H, W)."""
        hidden, shown = self._hide_pixels(t)
        guides = self._guides(shown, shown)
        problem = Problem((fused,), guides, self.noise, around.captured(t), hidden=hidden)
        return fit_coarse_to_fine(
            self.prior, problem, iterations=self.engine.fit.iterations, on_iteration=on_iteration
        )

    def _pass(
        self,
        order: range,
        *,
        seen: NDArray[np.float32],
        radius: int,
        iterations: int,
        learning_rate: float,
        told: Told,
        others: NDArray[np.float32] | None,
    ) -> "_PassResult":
        """Walk through the frames in an order, each starting from the parameters the last one ended with.

        ``seen`` are the best pictures so far, for flow, visibility and fusion. In the first pass the guide from the
        neighbour is its result in this pass; in the second it is the neighbour's picture in ``seen``. ``others`` are
        latents of the other pass, to be averaged with before residuals are added back.
        """
        temporal = self.engine.temporal
        around = self._neighbours(seen)
        count, height, width = len(order), *self.clip.frames.shape[2:]
        latents = np.empty((count, 3, height, width), np.float32)
        results = np.empty_like(latents)
        start = min(order[0], order[-1])
        neighbour: int | None = None
        neighbour_result: Tensor | None = None
        for number, t in enumerate(order):
            around.forget(keep=range(t - radius, t + radius + 1))
            for soon in order[number : number + 2]:
                around.expect(soon, radius=radius)
            budget = min(iterations * (1 if number else _FIRST_FRAME_FACTOR), self.engine.fit.iterations)
            guide, reference = self._from_neighbour(around, t, neighbour, neighbour_result)
            fused = around.fused(t, radius=radius)
            self._note_unseen(t, fused)
            shown = self.compute.tensor(self.shown[t])[None]

            def on_iteration(
                done: int, loss: float, number: int = number, t: int = t, budget: int = budget
            ) -> None:
                told(t, (number + done / budget) / count, loss)

            problem = Problem((fused,), self._guides(shown, guide), self.noise, around.captured(t), reference)
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

    def _neighbours(self, seen: NDArray[np.float32]) -> Neighbours:
        return Neighbours(self.clip, seen, self.engine.fusion, self.compute)

    def _guides(self, own: Tensor, neighbour: Tensor) -> Tensor | None:
        """(1, 6, H, W): the frame itself without its noise, and the neighbouring result on its grid."""
        return torch.cat([own, neighbour], 1) if self.engine.network.guided else None

    def _new_prior(self, seed: int) -> Prior:
        return Prior(
            self.engine,
            self.compute,
            size=(self.clip.frames.shape[2], self.clip.frames.shape[3]),
            guide_channels=6 if self.engine.network.guided else 0,
            seed=seed,
        )

    def _hide_pixels(self, t: int) -> tuple[Tensor | None, Tensor]:
        """Pixels to hide from the fit, and the frame without its noise made without them.

        A guide that had seen the hidden pixels would carry their noise, and the rule would wait for the network to
        copy it.
        """
        hidden, shown, missing = None, self.shown[t][None], self.clip.missing_at(t)
        if self.lost[t]:
            return hidden, self.compute.tensor(shown)
        stopping = self.engine.stopping
        if stopping.held_out and stopping.rule == "held_out":
            hidden = self.prior.hidden_pixels(stopping.held_out)
            unseen = hidden[0, 0].cpu().numpy() > 0
            missing = unseen if missing is None else missing | unseen
            shown = look_at_frame(self.clip.frames[t], missing, sigma=self.noise.sigma)[None]
        if self._filters:
            alone = Clip(
                self.clip.frames[t : t + 1], None if missing is None else missing[None], self.clip.noise
            )
            shown = self._collaborate(alone, shown, lambda done: None)
        return hidden, self.compute.tensor(shown)


@dataclass(frozen=True, eq=False)
class _PassResult:
    """(t, 3, H, W) each: the fits themselves, and what is shown for them (averaged, residual added back)."""

    latents: NDArray[np.float32]
    results: NDArray[np.float32]
