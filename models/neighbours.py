"""A clip's neighbours as observations: each frame's surroundings in time, laid on its grid along the flow."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.clip import Clip
from reelprior.models.credible import credible_in_holes, told_by_several
from reelprior.models.device import Compute
from reelprior.models.flows import Flows
from reelprior.models.lost import holes_of, missing_rows
from reelprior.models.observation import Observation, fuse
from reelprior.models.operators import Compose, Downsample, Identity, Warp
from reelprior.models.settings import FusionSettings
from reelprior.models.spatial import fill_holes
from reelprior.models.warp import bicubic_noise_gain, visibility, warp
from reelprior.models.weaving import FieldPicture, Witness, interpolate_field, weigh

__all__ = ["Neighbours"]

#: Differences of windows are judged by this share of the colour scale: they are means over more pixels.
_STRICTER = 0.6
#: Share of known pixels in what was fetched from which on no hole had a part in it.
_WHOLE = 0.99


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
    hidden
        (T, H, W), True where ``shown`` says nothing of motion; None where the clip's frames say nothing. In the holes
        of the clip that are not hidden ``shown`` tells what was found before: see `fused`.
    reduction
        From the latent grid to that of the captured frames, where it is finer; None where it is the same.
    """

    def __init__(
        self,
        clip: Clip,
        shown: NDArray[np.float32],
        settings: FusionSettings,
        compute: Compute,
        *,
        hidden: NDArray[np.bool_] | None = None,
        reduction: Downsample | None = None,
    ) -> None:
        self._clip, self._shown, self._settings, self._compute = clip, shown, settings, compute
        self._reduction, self._scale = reduction, 1 if reduction is None else reduction.factor
        self._hidden = hidden
        # On a finer grid holes are filled before: see `restoration`.
        missing = clip.missing if reduction is None else None
        self._flows = Flows(
            shown, compute, missing=missing, hidden=hidden, error=lambda k: self._field(k).error
        )
        #: What is used many times, where it is computed with: the frames of `shown`, and those of `_picture`.
        self._shown_there: dict[int, Tensor] = {}
        self._pictures_there: dict[int, Tensor] = {}
        self._fields: dict[int, FieldPicture] = {}

    def flow(self, source: int, target: int) -> Tensor:
        """(1, 2, H, W) from one frame to another; kept until `forget`."""
        return self._flows.between(source, target)

    def expect(self, frame: int, *, radius: int) -> None:
        """Begin with the flows that it takes to fuse a frame with its neighbours."""
        others = [k for k in self._around(frame, radius) if k != frame]
        self._flows.expect(pair for k in others for pair in ((frame, k), (k, frame)))

    def forget(self, *, keep: range) -> None:
        """Drop flows that start or end outside ``keep``, and other frames: memory must not grow with the clip."""
        self._flows.forget(keep=keep)
        for kept in (self._fields, self._shown_there, self._pictures_there):
            for k in [k for k in kept if k not in keep]:
                del kept[k]

    def visible(self, frame: int, neighbour: int) -> Tensor:
        """(1, 1, H, W): how far the neighbour, warped, shows this frame's surfaces."""
        flow = self.flow(frame, neighbour)
        back = self.flow(neighbour, frame)
        ours, theirs = self.shown(frame), warp(self.shown(neighbour), flow)
        visible = visibility(ours, theirs, flow, back, colour_scale=self._settings.colour_scale)
        left = self._flows.difference(frame, neighbour)
        if left is None:
            return visible
        # What is put into a hole for the time being is no witness: the known pixels around are.
        consistent = visibility(ours, ours, flow, back, colour_scale=self._settings.colour_scale)
        difference = self._compute.tensor(left)[None, None]
        alike = 1 / (1 + (difference / (_STRICTER * self._settings.colour_scale)) ** 4)
        return torch.where(difference >= 0, consistent * alike, visible)

    def shown(self, frame: int) -> Tensor:
        """(1, 3, H, W) of the pictures with less noise; kept until `forget`."""
        if frame not in self._shown_there:
            self._shown_there[frame] = self._compute.tensor(self._shown[frame])[None]
        return self._shown_there[frame]

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
            operator=Identity() if self._reduction is None else self._reduction,
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
        """The frame and its neighbours up to ``radius`` frames away, fused exactly into one observation.

        What no neighbour has seen itself they may tell at second hand, where their own holes were found to be shown by
        others: so it comes from farther than ``radius``.
        """
        own = self.captured(frame)
        visible = {k: self.visible(frame, k) for k in self._around(frame, radius) if k != frame}
        fetched = {k: self._fetch(frame, k, own.variance, visible[k]) for k in visible}
        missing = self._clip.missing_at(frame)
        holes = None if missing is None else holes_of(missing)
        further: list[Observation] = []
        if missing_rows(missing) is not None and holes is not None:
            fetched, further = self._weighed(frame, own, fetched, visible, holes)
        # A frame that is missing altogether has no rim to judge by: the neighbours are all there is.
        if fetched and holes is not None and holes.any() and not holes.all():
            hole = self._compute.tensor(holes.astype(np.float32))[None, None] > 0
            fetched = self._credible(frame, own, hole, fetched)
            seen = fuse([own, *fetched.values(), *further])
            return fuse([seen, *self._at_second_hand(frame, own, hole, visible, seen)])
        return fuse([own, *fetched.values(), *further])

    def _at_second_hand(
        self,
        frame: int,
        own: Observation,
        hole: Tensor,
        visible: dict[int, Tensor],
        seen: Observation,
    ) -> list[Observation]:
        """What neighbours tell of holes where ``seen`` says nothing, but others have told them."""
        unseen = hole & (seen.weight.amax(1, keepdim=True) == 0)
        hidden = self._hidden
        if hidden is None or not bool(unseen.any()):
            return []
        told = {}
        for k, seen_there in visible.items():
            flow = self.flow(frame, k)
            known = warp(self._told(hidden[k]), flow, padding="zeros") > _WHOLE
            told[k] = Observation(
                image=warp(self.shown(k), flow, mode="bicubic"),
                weight=unseen * known * seen_there / (own.variance + self._misregistration),
                variance=own.variance * bicubic_noise_gain(flow),
            )
        return told_by_several(self._credible(frame, own, hole, told))

    def _credible(
        self, frame: int, own: Observation, hole: Tensor, fetched: dict[int, Observation]
    ) -> dict[int, Observation]:
        return credible_in_holes(
            fetched,
            hole,
            frame=frame,
            full_weight=1 / (own.variance + self._misregistration),
            colour_scale=self._settings.colour_scale,
        )

    def _told(self, hidden: NDArray[np.bool_]) -> Tensor:
        """(1, 1, H, W): 1 where a frame was captured or found to be shown by others, but for a pixel of margin."""
        return 1 - functional.max_pool2d(self._compute.tensor(hidden.astype(np.float32))[None, None], 3, 1, 1)

    def _weighed(
        self,
        frame: int,
        own: Observation,
        fetched: dict[int, Observation],
        visible: dict[int, Tensor],
        holes: NDArray[np.bool_],
    ) -> tuple[dict[int, Observation], list[Observation]]:
        """A field's neighbours, weighed outside of holes by their measured errors, and what else is known of it."""
        hole = self._compute.tensor(holes.astype(np.float32))[None, None]
        still = torch.zeros_like(self.shown(frame)[:, :2])
        as_they_stand = [k for k in (frame - 1, frame + 1) if k in fetched]
        along = [self._witness(k, self.flow(frame, k), fetched[k], visible[k]) for k in fetched]
        unmoved = []
        for k in as_they_stand:
            at_rest = visibility(
                self.shown(frame), self.shown(k), still, still, colour_scale=self._settings.colour_scale
            )
            own_grid = Observation(self._picture(k), own.weight, own.variance)
            unmoved.append(self._witness(k, still, own_grid, at_rest * (1 - hole)))
        around, weighed = weigh(own, self._field(frame), [*along, *unmoved], holes=hole)
        by_neighbour = {
            k: Observation(o.image, torch.where(hole > 0, o.weight, new.weight), o.variance)
            for (k, o), new in zip(fetched.items(), weighed, strict=False)
        }
        return by_neighbour, [around, *weighed[len(along) :]]

    def _witness(self, neighbour: int, flow: Tensor, fetched: Observation, visible: Tensor) -> Witness:
        """A neighbour that was fetched along a flow, and what it may be wrong by."""
        error = self._compute.tensor(self._field(neighbour).error)[None, None]
        seen = warp(self._known(neighbour, margin=1), flow, padding="zeros") > _WHOLE
        between = (1 - self._sampled(neighbour, flow)).square()
        return Witness(fetched.image, fetched.variance, visible * seen, between * warp(error, flow))

    def _field(self, k: int) -> FieldPicture:
        """A frame with its holes filled and, where it is a field, its rows interpolated; kept until `forget`."""
        if k not in self._fields:
            missing = self._clip.missing_at(k)
            rows = missing_rows(missing)
            picture = fill_holes(self._clip.frames[k], missing)
            if rows is None or missing is None:
                self._fields[k] = FieldPicture(picture, np.zeros(picture.shape[1:], np.float32))
            else:
                variance = self._clip.noise.sigma**2
                self._fields[k] = interpolate_field(picture, rows, ~missing, variance)
        return self._fields[k]

    def _picture(self, k: int) -> Tensor:
        """(1, 3, H, W) of that frame; kept until `forget`."""
        if k not in self._pictures_there:
            self._pictures_there[k] = self._compute.tensor(self._field(k).picture)[None]
        return self._pictures_there[k]

    @property
    def _misregistration(self) -> float:
        """Variance that a flow's errors add to a fetched picture."""
        return (self._settings.registration_sigma_8bit / 255) ** 2

    def _fetch(self, frame: int, neighbour: int, variance: Tensor, visible: Tensor) -> Observation:
        """A neighbour on this frame's grid; its weight allows for what the flow gets wrong."""
        flow = self.flow(frame, neighbour)
        # Bicubic taps reach into holes: what is put there should at least be close, and counts for nothing.
        picture = self._picture(neighbour)
        weight = visible / (variance + self._misregistration)
        if self._clip.missing is not None:
            weight = weight * (warp(self._known(neighbour, margin=1), flow, padding="zeros") > _WHOLE)
            # As an observation of a lost frame, or of a hole: half-way between two rows it counts a quarter.
            weight = weight * self._sampled(neighbour, flow).square()
        return Observation(
            image=warp(picture, flow, mode="bicubic"),
            weight=weight,
            variance=variance * bicubic_noise_gain(flow),
        )

    def _sampled(self, neighbour: int, flow: Tensor) -> Tensor:
        """(1, 1, H, W) in [0, 1]: how near a neighbour's pixels, fetched along the flow, are to rows of its field."""
        known = np.ones(self._clip.frames.shape[2:], np.float32)
        rows = missing_rows(self._clip.missing_at(neighbour))
        if rows is not None:
            known[rows] = 0
        return warp(self._compute.tensor(known)[None, None], flow, padding="zeros")

    def _known(self, frame: int, *, margin: int = 0) -> Tensor:
        """(1, 1, H, W): 1 where the frame was captured, 0 in its holes and ``margin`` pixels around them."""
        missing = self._clip.missing_at(frame)
        if missing is None:
            return torch.ones(1, 1, *self._clip.frames.shape[2:], device=self._compute.device)
        if margin:
            missing = holes_of(missing)  # a margin around every other row would leave nothing: see `_sampled`
        holes = self._compute.tensor(missing.astype(np.float32))[None, None]
        return 1 - functional.max_pool2d(holes, 2 * margin + 1, 1, margin) if margin else 1 - holes
