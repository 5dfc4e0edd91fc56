"""The temporal prior: one generator that walks through a scene, warm-started from frame to frame.

A scene's key frame is fitted from a random start once (`fit_key_frame`). A chunk starts from those parameters
(`restore_clip`): a forward pass whose guides are a classical denoising of the frame and the motion-compensated result
before it; structure left in the residual is added back. What was captured is then filtered once more together, with
these results as the pilot (`collaborative`). On request a backward pass follows, whose flow, fusion and guides are made
anew from the filtered results, and is filtered in its turn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.alone import restore_alone
from reelprior.models.clip import Clip
from reelprior.models.coarse import fit_coarse_to_fine
from reelprior.models.completion import wide_holes
from reelprior.models.device import Compute
from reelprior.models.fit import Problem, Reference, fit
from reelprior.models.lost import nearest_whole
from reelprior.models.neighbours import Neighbours
from reelprior.models.progress import OnStep, Progress, Step, Told
from reelprior.models.residual import add_back_structure
from reelprior.models.scene_completion import Completed
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.warp import warp
from reelprior.models.workbench import FILTERING, Workbench

__all__ = ["Step", "fit_key_frame", "restore_clip"]

#: The first frame of a pass gets this many times the budget: its parameters come from the key frame, not a neighbour.
_FIRST_FRAME_FACTOR = 2
#: Share of a chunk's work, for the display, that filtering the quick denoisings takes.
_CLOSER_LOOK = 0.15


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
        walk.prior.load(Completed.split(start)[1])
    budget = min(engine.temporal.key_iterations, engine.fit.iterations)
    progress, at = Progress(1, on_step), nearest_whole(walk.lost, key)
    completed = walk.complete_key(at, progress)
    walk.fit_key(at, budget, progress.part(1 - progress.planned), cold=start is None)
    return walk.prior.save() | ({} if completed is None else completed.save())


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
    if parameters is None:
        return restore_alone(
            clip, wanted, engine=engine, compute=Compute(compute), seed=seed, on_step=on_step
        )
    walk = _Walk(clip, engine, Compute(compute), seed)
    completed, weights = Completed.split(parameters)
    walk.prior.load(weights)
    return walk.warm(wanted, on_step, completed=completed)


class _Walk(Workbench):
    """One generator walking through the clip."""

    def complete_key(self, key: int, progress: Progress) -> Completed | None:
        """The key frame with its wide holes completed, if no frame shows them: a look at its neighbours comes first."""
        width, missing = self.engine.completion.width, self.clip.missing_at(key)
        if missing is None or not wide_holes(missing, width).any():
            return None
        only = range(key, key + 1)
        self.uncover(only, progress, rounds=1)
        return self.complete_unseen(only, progress, given=None)

    def fit_key(self, key: int, budget: int, told: Told, *, cold: bool) -> None:
        """Bring the prior from where it is, if ``cold`` at its random start, to a frame of the scene.

        Without a closer look at the frame: filtering it and its neighbours takes a fifth of its time, and what is
        learnt of the key frame is a start only (measured: 0.03 dB of the first eight frames).
        """
        around = self.neighbours(self.shown)
        fused = around.fused(key, radius=self.engine.fusion.radius)
        shown = around.shown(key)
        problem = Problem((fused,), self.guides(shown, shown), self.noise, around.captured(key))
        discrepancy = self.engine.stopping.discrepancy
        if cold:
            fit_coarse_to_fine(
                self.prior,
                problem,
                coarse=self.engine.temporal.key_coarse_iterations,
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

    def warm(self, wanted: range, on_step: OnStep, *, completed: Completed | None) -> NDArray[np.float32]:
        """The forward pass and, on request, a backward pass made from its results; ``completed`` is the key frame."""
        temporal, fusion = self.engine.temporal, self.engine.fusion
        progress = Progress(len(wanted), on_step)
        if self.filters:
            self.look_closer(wanted, progress.part(_CLOSER_LOOK))
        self.uncover(wanted, progress)
        self.complete_unseen(wanted, progress, given=completed)
        share = (1 - progress.planned) / temporal.passes - (FILTERING if self.filters else 0)
        first = self._pass(
            wanted,
            seen=self.shown,
            radius=fusion.radius,
            iterations=temporal.warm_iterations,
            learning_rate=self.engine.fit.learning_rate,
            told=progress.part(share),
            others=None,
        )
        filtered = self.filtered(wanted, first.results, progress) if self.filters else first.results
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
        return self.filtered(wanted, second.results, progress) if self.filters else second.results

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
        around = self.neighbours(seen)
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
            self.note_unseen(t, fused)
            shown = self.compute.tensor(self.shown[t])[None]

            def on_iteration(
                done: int, loss: float, number: int = number, t: int = t, budget: int = budget
            ) -> None:
                told(t, (number + done / budget) / count, loss)

            problem = Problem((fused,), self.guides(shown, guide), self.noise, around.captured(t), reference)
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


@dataclass(frozen=True, eq=False)
class _PassResult:
    """(t, 3, H, W) each: the fits themselves, and what is shown for them (averaged, residual added back)."""

    latents: NDArray[np.float32]
    results: NDArray[np.float32]
