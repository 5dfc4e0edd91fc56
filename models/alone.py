"""Frames by themselves: every one from random starts of its own, as published, and the way for a single picture.

Of a single picture, wide holes are completed before anything else (`completion`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.clip import Clip
from reelprior.models.coarse import fit_coarse_to_fine
from reelprior.models.completion import complete, wide_holes
from reelprior.models.device import Compute
from reelprior.models.first_look import look_at_frame
from reelprior.models.fit import Problem
from reelprior.models.neighbours import Neighbours
from reelprior.models.observation import Observation
from reelprior.models.progress import OnStep, Progress
from reelprior.models.residual import add_back_structure
from reelprior.models.settings import EngineSettings
from reelprior.models.workbench import FILTERING, Workbench

__all__ = ["restore_alone"]

#: Share of a picture's work, for the display, that completing its wide holes takes.
_COMPLETING = 0.5


def restore_alone(
    clip: Clip, wanted: range, *, engine: EngineSettings, compute: Compute, seed: int, on_step: OnStep
) -> NDArray[np.float32]:
    """Restore frames one by one, (len(wanted), 3, H, W); see `reelprior.models.temporal.restore_clip`."""
    wide = _wide_holes_of(clip, engine)
    if wide is None:
        return _Alone(clip, engine, compute, seed).restore(wanted, on_step)
    progress = Progress(len(wanted), on_step)
    is_all = bool((wide == clip.missing).all()) and (clip.only_missing or not clip.has_noise)
    told = progress.part(1.0 if is_all else _COMPLETING)
    clip = complete(clip, wide, engine=engine, compute=compute, seed=seed, told=told)
    if is_all:
        return clip.frames
    told = progress.part(1 - progress.planned)
    return _Alone(clip, engine, compute, seed).restore(
        wanted, lambda step: told(step.frame, step.frames_done / len(wanted), step.loss)
    )


def _wide_holes_of(clip: Clip, engine: EngineSettings) -> NDArray[np.bool_] | None:
    """(H, W) of a single picture, None where it has none: more frames than one show what each other's holes hide."""
    if len(clip.frames) > 1 or clip.missing is None:
        return None
    wide = wide_holes(clip.missing[0], engine.completion.width)
    return wide if wide.any() else None


class _Alone(Workbench):
    """Restores the frames of a clip one by one."""

    def restore(self, wanted: range, on_step: OnStep) -> NDArray[np.float32]:
        """Every frame from random starts of its own, each stopped by held-out pixels; the mean of the starts."""
        progress = Progress(len(wanted), on_step)
        starts = self.engine.fit.starts
        self.uncover(wanted, progress)
        told = progress.part(1 - progress.planned - (2 * FILTERING if self.filters else 0))
        around = self.neighbours(self.shown)
        restored = np.zeros((len(wanted), *self.clip.frames.shape[1:]), np.float32)
        for number, t in enumerate(wanted):
            around.forget(keep=range(0))
            fused = around.fused(t, radius=self.engine.fusion.radius)
            self.note_unseen(t, fused)
            for start in range(starts):

                def on_iteration(
                    done: float, loss: float, before: float = number + start / starts, t: int = t
                ) -> None:
                    told(t, (before + done / starts) / len(wanted), loss)

                self.prior = self.new_prior(self.seed + start)
                latent = self._cold_fit(t, around, fused, on_iteration)
                if self.engine.temporal.add_back:
                    latent = add_back_structure(latent, fused, self.noise)
                restored[number] += latent[0].cpu().numpy() / starts
        if not self.filters:
            return restored
        filtered = self.filtered(wanted, restored, progress)
        # The errors of the prior and of the filter are of different kinds: their mean is a better pilot than either.
        return self.filtered(wanted, ((filtered + restored) / 2).astype(np.float32), progress)

    def _cold_fit(
        self, t: int, around: Neighbours, fused: Observation, on_iteration: Callable[[float, float], None]
    ) -> Tensor:
        """Fit a frame from the prior's random start, stopped by held-out pixels; (1, 3, H, W)."""
        hidden, shown = self._hide_pixels(t)
        guides = self.guides(shown, shown)
        problem = Problem((fused,), guides, self.noise, around.captured(t), hidden=hidden)
        return fit_coarse_to_fine(
            self.prior,
            problem,
            coarse=self.engine.fit.coarse_iterations,
            iterations=self.engine.fit.iterations,
            on_iteration=on_iteration,
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
        if self.filters:
            alone = Clip(
                self.clip.frames[t : t + 1], None if missing is None else missing[None], self.clip.noise
            )
            shown = self.collaborated(alone, shown, lambda done: None)
        return hidden, self.compute.tensor(shown)
