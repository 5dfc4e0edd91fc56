"""The workbench: a clip with what every way of restoring it needs.

Its frames as classical means show them, a prior, its neighbours as observations, and the filter.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.clip import Clip
from reelprior.models.collaborative import collaborate
from reelprior.models.completion import complete, wide_holes
from reelprior.models.device import Compute
from reelprior.models.first_look import look_at
from reelprior.models.fit import Prior
from reelprior.models.lost import holes_of, lost_frames
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.progress import Progress, Told
from reelprior.models.refinement import refine_unseen
from reelprior.models.scene_completion import Completed, complete_scene
from reelprior.models.settings import EngineSettings
from reelprior.models.uncover import uncover, widened

__all__ = ["FILTERING", "Workbench"]

#: Share of a chunk's work, for the display, that filtering results takes.
FILTERING = 0.1
#: The same of what it takes to find what neighbours show of holes: of a round, and of all rounds at most.
_ROUND, _ROUNDS = 0.1, 0.4
#: The same of completing wide holes.
_COMPLETING = 0.2


class Workbench:
    """A clip on it.

    Parameters
    ----------
    clip
        The frames and, on both sides, neighbours of the same scene as far as there are.
    engine, compute, seed
        Settings, where to compute, and the seed of weights, code and held-out pixels.
    """

    def __init__(self, clip: Clip, engine: EngineSettings, compute: Compute, seed: int) -> None:
        self.clip, self.engine, self.compute, self.seed = clip, engine, compute, seed
        self.noise = clip.noise if engine.fit.clipping else replace(clip.noise, clipped=False)
        self.lost = lost_frames(clip.missing, len(clip.frames))
        #: (T, 3, H, W): the frames as classical means show them.
        self.shown = look_at(clip, sigma=self.noise.sigma, fusion=engine.fusion, compute=self.compute)
        #: (T, H, W), True where no observation says anything: holes, until neighbours are found to show them.
        self.unseen = None if clip.missing is None else np.stack([holes_of(one) for one in clip.missing])
        #: What of these holes no neighbour was found to show; None until `uncover` has looked.
        self._hidden: NDArray[np.bool_] | None = None
        self.prior = self.new_prior(seed)

    @property
    def filters(self) -> bool:
        """Whether results are filtered together with what was captured."""
        return self.engine.collaborative.enabled

    def near(self, wanted: range) -> range:
        """The frames that these are fused with; those beyond only show what holes hide."""
        fusion = self.engine.fusion
        by = max(fusion.radius, fusion.second_radius if self.engine.temporal.passes == 2 else 0)
        return widened(wanted, by, len(self.clip.frames))

    def uncover(self, wanted: range, progress: Progress, *, rounds: int | None = None) -> None:
        """Put what neighbours show of holes into the quick denoisings of these frames and those near them.

        ``rounds`` are as many as the settings say, or fewer where a glance will do.
        """
        if self.unseen is None or not self.unseen.any() or len(self.clip.frames) == 1:
            return
        fusion = self.engine.fusion
        if rounds is not None:
            fusion = fusion.model_copy(update={"hole_rounds": min(rounds, fusion.hole_rounds)})
        told = progress.part(min(_ROUNDS, _ROUND * fusion.hole_rounds))
        self.shown, self._hidden = uncover(
            self.clip,
            self.shown,
            self.near(wanted),
            sigma=self.noise.sigma,
            fusion=fusion,
            compute=self.compute,
            on_share=lambda t, share: told(t, share, None),
        )

    def complete_unseen(
        self, wanted: range, progress: Progress, *, given: Completed | None
    ) -> Completed | None:
        """Fill the wide holes that no frame was found to show, as if they had been captured.

        Returns the picture of the first of these frames if it was completed.
        """
        width = self.engine.completion.width
        if self._hidden is None or not any(wide_holes(self._hidden[t], width).any() for t in wanted):
            return None
        told = progress.part(_COMPLETING)

        def guess(t: int, wide: NDArray[np.bool_]) -> NDArray[np.float32]:
            assert self._hidden is not None
            alone = Clip(self.shown[t : t + 1], self._hidden[t : t + 1], NoiseModel.from_sigma_8bit(0.0))
            completed = complete(
                alone,
                wide,
                engine=self.engine,
                compute=self.compute,
                seed=self.seed,
                told=lambda _, share, loss: told(t, share, loss),
            )
            return np.asarray(completed.frames[0], np.float32)

        around = self.neighbours(self.shown)

        def flow(source: int, target: int) -> NDArray[np.float32]:
            around.forget(keep=range(min(source, target), max(source, target) + 1))
            return np.asarray(around.flow(source, target)[0].cpu().numpy(), np.float32)

        self.shown, filled = complete_scene(
            self.shown,
            self._hidden,
            wanted,
            width=width,
            given=given,
            flow=flow,
            guess=guess,
            colour_scale=self.engine.fusion.colour_scale,
        )
        assert self.clip.missing is not None and self.unseen is not None
        frames = np.where(filled[:, None], self.shown, self.clip.frames)
        self.clip = replace(self.clip, frames=frames, missing=self.clip.missing & ~filled)
        self.unseen &= ~filled
        self._hidden &= ~filled
        return Completed(self.shown[wanted.start]) if filled[wanted.start].any() else None

    def look_closer(self, wanted: range, told: Told) -> None:
        """Filter the quick denoisings together before they guide: a better guide, and a better flow."""
        near = self.near(wanted)
        at, count = slice(near.start, near.stop), len(near)
        self.shown[at] = self.collaborated(
            self.clip.part(near), self.shown[at], lambda done: told(near[done - 1], done / count, None)
        )

    def filtered(
        self, wanted: range, restored: NDArray[np.float32], progress: Progress
    ) -> NDArray[np.float32]:
        """What was captured, filtered together with the prior's results as the pilot."""
        told = progress.part(FILTERING)
        filtered = self.collaborated(
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

    def note_unseen(self, t: int, fused: Observation) -> None:
        """Remember where a frame's fused observation says nothing."""
        if self.unseen is not None and self.clip.missing is not None:
            nowhere = (fused.weight.amax((0, 1)) == 0).cpu().numpy()
            self.unseen[t] = nowhere & holes_of(self.clip.missing[t])

    def collaborated(
        self, clip: Clip, pilots: NDArray[np.float32], on_frame: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """A clip filtered together, with pilots for its frames; ``on_frame`` hears how many are done."""
        return collaborate(
            clip,
            pilots,
            self.noise,
            settings=self.engine.collaborative,
            compute=self.compute,
            on_frame=on_frame,
        )

    def neighbours(self, seen: NDArray[np.float32]) -> Neighbours:
        """The clip's neighbours, for pictures (T, 3, H, W) of it that show motion and visibility."""
        return Neighbours(self.clip, seen, self.engine.fusion, self.compute, hidden=self._hidden)

    def guides(self, own: Tensor, neighbour: Tensor) -> Tensor | None:
        """(1, 6, H, W): the frame itself without its noise, and the neighbouring result on its grid."""
        return torch.cat([own, neighbour], 1) if self.engine.network.guided else None

    def new_prior(self, seed: int) -> Prior:
        """A prior at its random start."""
        return Prior(
            self.engine,
            self.compute,
            size=(self.clip.frames.shape[2], self.clip.frames.shape[3]),
            guide_channels=6 if self.engine.network.guided else 0,
            seed=seed,
        )
