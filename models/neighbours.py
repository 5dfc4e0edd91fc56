"""A clip's neighbours as observations: each frame's surroundings in time, laid on its grid along the flow."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.device import Compute
from reelprior.models.lost import missing_rows
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation, fuse
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import fill_holes
from reelprior.models.warp import bicubic_noise_gain, estimate_flow, visibility, warp

__all__ = ["Clip", "Neighbours"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames of one scene.

    Attributes
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1].
    missing
        (T, H, W) bool, True where a frame says nothing; None if nothing is missing.
    noise
        Of the frames.
    """

    frames: NDArray[np.float32]
    missing: NDArray[np.bool_] | None
    noise: NoiseModel

    def missing_at(self, t: int) -> NDArray[np.bool_] | None:
        """(H, W) of one frame, or None."""
        return None if self.missing is None else self.missing[t]

    def part(self, frames: range) -> "Clip":
        """Some of its frames, as a clip."""
        at = slice(frames.start, frames.stop)
        return Clip(self.frames[at], None if self.missing is None else self.missing[at], self.noise)


class Neighbours:
    """Observations of every frame of a clip, given pictures of it with less noise.

    Parameters
    ----------
    clip
        What was captured.
    shown
        (T, 3, H, W): the same frames with less noise and without holes, for flow and visibility.
    settings
        Of the fusion.
    compute
        Where tensors go.
    """

    def __init__(
        self, clip: Clip, shown: NDArray[np.float32], settings: FusionSettings, compute: Compute
    ) -> None:
        self._clip, self._shown, self._settings, self._compute = clip, shown, settings, compute
        self._flows: dict[tuple[int, int], Tensor] = {}

    def flow(self, source: int, target: int) -> Tensor:
        """(1, 2, H, W) from one frame to another; kept until `forget`."""
        pair = (source, target)
        if pair not in self._flows:
            flow = estimate_flow(self._shown[source], self._shown[target])
            self._flows[pair] = self._compute.tensor(flow)[None]
        return self._flows[pair]

    def forget(self, *, keep: range) -> None:
        """Drop flows that start or end outside ``keep``: memory must not grow with the clip."""
        self._flows = {
            pair: flow for pair, flow in self._flows.items() if pair[0] in keep and pair[1] in keep
        }

    def visible(self, frame: int, neighbour: int) -> Tensor:
        """(1, 1, H, W): how far the neighbour, warped, shows this frame's surfaces."""
        flow = self.flow(frame, neighbour)
        return visibility(
            self.shown(frame),
            warp(self.shown(neighbour), flow),
            flow,
            self.flow(neighbour, frame),
            colour_scale=self._settings.colour_scale,
        )

    def shown(self, frame: int) -> Tensor:
        """(1, 3, H, W) of the pictures with less noise."""
        return self._compute.tensor(self._shown[frame])[None]

    def captured(self, frame: int) -> Observation:
        """The frame itself as an observation."""
        # One map for all channels, scaled to each one's noise: a map of its own, where clipping narrows the noise of a
        # single channel, would tint dark and bright places.
        noise = self._clip.noise
        variance = noise.variance(self.shown(frame)).mean(1, keepdim=True)
        variance = variance * self._compute.tensor(np.array(noise.balance, np.float32))[None, :, None, None]
        return Observation(
            image=self._compute.tensor(self._clip.frames[frame])[None],
            weight=self._known(frame) / variance,
            variance=variance,
        )

    def fused(self, frame: int, *, radius: int) -> Observation:
        """The frame and its neighbours up to ``radius`` frames away, fused exactly into one observation."""
        last = len(self._clip.frames) - 1
        around = range(max(0, frame - radius), min(last, frame + radius) + 1)
        own = self.captured(frame)
        return fuse([own, *(self._fetch(frame, k, own.variance) for k in around if k != frame)])

    def _fetch(self, frame: int, neighbour: int, variance: Tensor) -> Observation:
        """A neighbour on this frame's grid; its weight allows for what the flow gets wrong."""
        flow = self.flow(frame, neighbour)
        # Bicubic taps reach into holes: what is put there should at least be close, and counts for nothing.
        picture = fill_holes(self._clip.frames[neighbour], self._clip.missing_at(neighbour))
        misregistration = (self._settings.registration_sigma_8bit / 255) ** 2
        weight = self.visible(frame, neighbour) / (variance + misregistration)
        if self._clip.missing is not None:
            weight = weight * (warp(self._known(neighbour, margin=1), flow, padding="zeros") > 0.99)
            weight = weight * self._sampled(neighbour, flow)
        return Observation(
            image=warp(self._compute.tensor(picture)[None], flow, mode="bicubic"),
            weight=weight,
            variance=variance * bicubic_noise_gain(flow),
        )

    def _sampled(self, neighbour: int, flow: Tensor) -> Tensor | float:
        """(1, 1, H, W): how near a neighbour's pixels, fetched along the flow, are to rows of the field it is.

        Field sampling as an observation of this frame: on a row of the field the neighbour counts in full, half-way
        between two rows, where it is interpolated from both, a quarter.
        """
        rows = missing_rows(self._clip.missing_at(neighbour))
        if rows is None:
            return 1.0
        known = np.broadcast_to(~rows[:, None], self._clip.frames.shape[2:]).astype(np.float32)
        return warp(self._compute.tensor(known)[None, None], flow, padding="zeros").square()

    def _known(self, frame: int, *, margin: int = 0) -> Tensor:
        """(1, 1, H, W): 1 where the frame was captured, 0 in its holes and ``margin`` pixels around them."""
        missing = self._clip.missing_at(frame)
        if missing is None:
            return torch.ones(1, 1, *self._clip.frames.shape[2:], device=self._compute.device)
        rows = missing_rows(missing)
        if margin and rows is not None:
            missing = (
                missing & ~rows[:, None]
            )  # a margin around every other row would leave nothing: see `_sampled`
        holes = self._compute.tensor(missing.astype(np.float32))[None, None]
        return 1 - functional.max_pool2d(holes, 2 * margin + 1, 1, margin) if margin else 1 - holes
