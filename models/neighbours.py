"""A clip's neighbours as observations: each frame's surroundings in time, laid on its grid along the flow."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.device import Compute
from reelprior.models.hidden_flow import HiddenFlow, grown, match_hidden
from reelprior.models.lost import holes_of, missing_rows
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation, fuse
from reelprior.models.operators import Compose, Downsample, Identity, Warp
from reelprior.models.quantisation import Quantisation
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import fill_holes
from reelprior.models.warp import bicubic_noise_gain, estimate_flow, visibility, warp

__all__ = ["Clip", "Neighbours"]

#: Share of a frame without a rim to go by.
_TOO_BLIND = 0.8
_SOME = 0.05
#: Differences of windows are judged by this share of the colour scale: they are means over more pixels.
_STRICTER = 0.6
#: A neighbour's pixel goes into a hole only if it is believed to this degree, and the others agree to this degree.
_BELIEVED, _AGREED = 0.6, 0.5


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
    quantisation
        Of their coding, where it bounds the result; None if it does not.
    """

    frames: NDArray[np.float32]
    missing: NDArray[np.bool_] | None
    noise: NoiseModel
    quantisation: Quantisation | None = None

    def missing_at(self, t: int) -> NDArray[np.bool_] | None:
        """(H, W) of one frame, or None."""
        return None if self.missing is None else self.missing[t]

    def part(self, frames: range) -> "Clip":
        """Some of its frames, as a clip."""
        at = slice(frames.start, frames.stop)
        missing = None if self.missing is None else self.missing[at]
        return Clip(self.frames[at], missing, self.noise, self.quantisation)


class Neighbours:
    """Observations of every frame of a clip, given pictures of it with less noise.

    Parameters
    ----------
    clip
        What was captured.
    shown
        (T, 3, H * scale, W * scale): the same frames with less noise and without holes, for flow and visibility.
    settings
        Of the fusion.
    compute
        Where tensors go.
    scale
        How many times finer than the captured frames the latent grid is.
    """

    def __init__(
        self,
        clip: Clip,
        shown: NDArray[np.float32],
        settings: FusionSettings,
        compute: Compute,
        *,
        scale: int = 1,
    ) -> None:
        self._clip, self._shown, self._settings, self._compute = clip, shown, settings, compute
        self._scale = scale
        self._flows: dict[tuple[int, int], Tensor] = {}
        #: What matching left as difference, negative where the flow was seen, of the flows that saw holes.
        self._hidden: dict[tuple[int, int], NDArray[np.float32]] = {}

    def flow(self, source: int, target: int) -> Tensor:
        """(1, 2, H, W) from one frame to another; kept until `forget`."""
        pair = (source, target)
        if pair not in self._flows:
            flow = estimate_flow(self._shown[source], self._shown[target])
            hidden = self._matched(source, target, flow)
            if hidden is not None:
                flow = hidden.flow
                self._hidden[pair] = hidden.difference
            self._flows[pair] = self._compute.tensor(flow)[None]
        return self._flows[pair]

    def _matched(self, source: int, target: int, flow: NDArray[np.float32]) -> HiddenFlow | None:
        """The flow, matched anew where it saw a hole at either end; None where it did nowhere.

        If hardly a pixel saw the scene (scattered holes, a lost frame) there is nothing to go by.
        """
        if self._clip.missing is None or self._scale > 1:
            return None
        holes = holes_of(self._clip.missing[source]), holes_of(self._clip.missing[target])
        if not (holes[0].any() or holes[1].any()):
            return None
        led_to = warp(torch.from_numpy(grown(holes[1]))[None, None], torch.from_numpy(flow)[None])
        blind: NDArray[np.bool_] = (grown(holes[0]) > 0) | (led_to[0, 0].numpy() > _SOME)
        if not blind.any() or blind.mean() > _TOO_BLIND:
            return None
        return match_hidden(flow, blind, pictures=(self._shown[source], self._shown[target]), holes=holes)

    def forget(self, *, keep: range) -> None:
        """Drop flows that start or end outside ``keep``: memory must not grow with the clip."""
        self._flows = {
            pair: flow for pair, flow in self._flows.items() if pair[0] in keep and pair[1] in keep
        }
        self._hidden = {pair: at for pair, at in self._hidden.items() if pair in self._flows}

    def visible(self, frame: int, neighbour: int) -> Tensor:
        """(1, 1, H, W): how far the neighbour, warped, shows this frame's surfaces."""
        flow = self.flow(frame, neighbour)
        back = self.flow(neighbour, frame)
        ours, theirs = self.shown(frame), warp(self.shown(neighbour), flow)
        visible = visibility(ours, theirs, flow, back, colour_scale=self._settings.colour_scale)
        left = self._hidden.get((frame, neighbour))
        if left is None:
            return visible
        # What is put into a hole for the time being is no witness: the known pixels around are.
        consistent = visibility(ours, ours, flow, back, colour_scale=self._settings.colour_scale)
        difference = self._compute.tensor(left)[None, None]
        alike = 1 / (1 + (difference / (_STRICTER * self._settings.colour_scale)) ** 4)
        return torch.where(difference >= 0, consistent * alike, visible)

    def shown(self, frame: int) -> Tensor:
        """(1, 3, H, W) of the pictures with less noise."""
        return self._compute.tensor(self._shown[frame])[None]

    def mean_shown(self, frame: int, *, radius: int) -> Tensor:
        """(1, 3, H, W): the mean of the frame's picture and its neighbours', where they are seen to show the same."""
        total, weights = (
            self.shown(frame),
            torch.ones(1, 1, *self._shown.shape[2:], device=self._compute.device),
        )
        for k in self._around(frame, radius):
            if k != frame:
                visible = self.visible(frame, k)
                total = total + visible * warp(self.shown(k), self.flow(frame, k), mode="bicubic")
                weights = weights + visible
        return total / weights

    def captured(self, frame: int) -> Observation:
        """The frame itself as an observation."""
        # One map for all channels, scaled to each one's noise: a map of its own, where clipping narrows the noise of a
        # single channel, would tint dark and bright places.
        noise = self._clip.noise
        variance = self._on_captured_grid(noise.variance(self.shown(frame)).mean(1, keepdim=True))
        variance = variance * self._compute.tensor(np.array(noise.balance, np.float32))[None, :, None, None]
        return Observation(
            image=self._compute.tensor(self._clip.frames[frame])[None],
            weight=self._known(frame) / variance,
            variance=variance,
            operator=Identity() if self._scale == 1 else Downsample(self._scale),
        )

    def observations(self, frame: int, *, radius: int) -> tuple[Observation, ...]:
        """All that the frame and its neighbours up to ``radius`` frames away say of its latent picture.

        On the grid of the captured frames that fuses exactly into one observation. On a finer one each frame stays one
        of its own, seen through the motion and the lower resolution: their sub-pixel offsets are what resolves detail.
        """
        if self._scale == 1:
            return (self.fused(frame, radius=radius),)
        return (
            self.captured(frame),
            *(self._through_motion(frame, k) for k in self._around(frame, radius) if k != frame),
        )

    def _through_motion(self, frame: int, neighbour: int) -> Observation:
        """A neighbour as captured, observing this frame's latent picture through warp and downsampling."""
        own = self.captured(neighbour)
        visible = self._on_captured_grid(self.visible(neighbour, frame))
        operator = Compose((Warp(self.flow(neighbour, frame)), own.operator))
        return Observation(
            own.image,
            (own.weight > 0) * visible / (own.variance + self._misregistration),
            own.variance,
            operator,
        )

    def _around(self, frame: int, radius: int) -> range:
        return range(max(0, frame - radius), min(len(self._clip.frames) - 1, frame + radius) + 1)

    def _on_captured_grid(self, fine: Tensor) -> Tensor:
        return fine if self._scale == 1 else functional.avg_pool2d(fine, self._scale)

    def fused(self, frame: int, *, radius: int) -> Observation:
        """The frame and its neighbours up to ``radius`` frames away, fused exactly into one observation."""
        own = self.captured(frame)
        fetched = {k: self._fetch(frame, k, own.variance) for k in self._around(frame, radius) if k != frame}
        missing = self._clip.missing_at(frame)
        holes = None if missing is None else holes_of(missing)
        # A frame that is missing altogether has no rim to judge by: the neighbours are all there is.
        if fetched and holes is not None and holes.any() and not holes.all():
            fetched = self._only_credible_in_holes(holes, own, frame, fetched)
        return fuse([own, *fetched.values()])

    def _only_credible_in_holes(
        self, holes: NDArray[np.bool_], own: Observation, frame: int, fetched: dict[int, Observation]
    ) -> dict[int, Observation]:
        """Neighbours that may speak where the frame itself says nothing: near in time, and of one opinion.

        Outside of holes the frame itself is the judge. Inside, a flow completed wrongly would be taken at its word:
        who does not agree with the mean is left out, and where nobody agrees the prior fills in.
        """
        hole = self._compute.tensor(holes.astype(np.float32))[None, None] > 0
        believed_weight = _BELIEVED / (own.variance + self._misregistration)
        nearest_first = {
            k: torch.where(hole, o.weight * (o.weight > believed_weight) / abs(k - frame), o.weight)
            for k, o in fetched.items()
        }
        weighted = {k: Observation(o.image, nearest_first[k], o.variance) for k, o in fetched.items()}
        mean = fuse(list(weighted.values())).image
        credible = {}
        for k, o in weighted.items():
            difference = (o.image - mean).abs().mean(1, keepdim=True)
            agreement = 1 / (1 + (difference / self._settings.colour_scale) ** 4)
            weight = torch.where(hole, o.weight * agreement * (agreement > _AGREED), o.weight)
            credible[k] = Observation(o.image, weight, o.variance)
        return credible

    @property
    def _misregistration(self) -> float:
        """Variance that a flow's errors add to a fetched picture."""
        return (self._settings.registration_sigma_8bit / 255) ** 2

    def _fetch(self, frame: int, neighbour: int, variance: Tensor) -> Observation:
        """A neighbour on this frame's grid; its weight allows for what the flow gets wrong."""
        flow = self.flow(frame, neighbour)
        # Bicubic taps reach into holes: what is put there should at least be close, and counts for nothing.
        picture = fill_holes(self._clip.frames[neighbour], self._clip.missing_at(neighbour))
        weight = self.visible(frame, neighbour) / (variance + self._misregistration)
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
        if margin:
            missing = holes_of(missing)  # a margin around every other row would leave nothing: see `_sampled`
        holes = self._compute.tensor(missing.astype(np.float32))[None, None]
        return 1 - functional.max_pool2d(holes, 2 * margin + 1, 1, margin) if margin else 1 - holes
