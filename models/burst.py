"""A burst: several shots as observations of one latent picture, each through where it lies.

At the shots' own size they fuse exactly into one observation, as a clip's neighbours do. At a higher resolution each
stays a term of its own, through its warp and the reduction to its size. What moved between the shots has no
visibility there: it is not drawn twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.device import Compute
from reelprior.models.estimates import fill_hidden
from reelprior.models.fit import Problem, fit
from reelprior.models.flash import RelativePrior
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation, fuse
from reelprior.models.operators import Compose, Downsample, ForwardOperator, Identity, Warp
from reelprior.models.progress import Step
from reelprior.models.reductions import point_spread
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.spatial import quick_denoise
from reelprior.models.tiles import Canvas, Rectangle, plan_tiles
from reelprior.models.warp import bicubic_noise_gain, visibility, warp

__all__ = ["Shots", "restore_burst"]


@dataclass(frozen=True, eq=False)
class Shots:
    """Several shots of one scene; the first gives the grid and the moment.

    Attributes
    ----------
    pixels
        (T, 3, H, W) float32, equally exposed.
    flows
        (T, 2, H, W), (dx, dy) in pixels: from the first shot to each; zero for the first.
    backward
        (T, 2, H, W): from each shot to the first.
    noise
        Of the shots.
    """

    pixels: NDArray[np.float32]
    flows: NDArray[np.float32]
    backward: NDArray[np.float32]
    noise: NoiseModel


def restore_burst(
    shots: Shots,
    *,
    scale: int,
    engine: EngineSettings,
    compute: ComputeSettings,
    seed: int,
    on_step: Callable[[Step], None],
) -> NDArray[np.float32]:
    """Restore the first shot from all of them.

    Parameters
    ----------
    shots
        Aligned as far as a flow can.
    scale
        1, or how many times finer the result's grid is.
    engine, compute, seed, on_step
        As for `reelprior.models.flash.restore_pair`.

    Returns
    -------
    NDArray[np.float32]
        (3, scale H, scale W) in [0, 1].

    Raises
    ------
    FitError
        See `reelprior.models.fit.fit`.
    """
    resources = Compute(compute)
    height, width = shots.pixels.shape[2:]
    # A tile of the result has the size that the settings say, not one of the shots.
    tiles = plan_tiles(height, width, max(48, engine.photo.tile // scale), engine.photo.overlap // scale)
    canvas = Canvas([tile.scaled(scale) for tile in tiles], channels=3)
    visible = _visible(shots, engine, resources)
    kept: dict[int, dict[str, NDArray[np.float32]]] = {}
    for tile in tiles:

        def on_iteration(done: float, loss: float, index: int = tile.index) -> None:
            on_step(Step(index, index + done, loss))

        start = None if tile.start_from is None else kept[tile.start_from]
        part = _Part(shots, visible, tile.read, scale=scale, engine=engine, compute=resources, seed=seed)
        picture, kept[tile.index] = part.fit(start, seed, on_iteration)
        canvas.add(tile.scaled(scale), picture[0].cpu().numpy())
        wanted = {later.start_from for later in tiles[tile.index + 1 :]}
        kept = {index: parameters for index, parameters in kept.items() if index in wanted}
    return np.clip(canvas.pixels, 0, 1)


def _visible(shots: Shots, engine: EngineSettings, compute: Compute) -> NDArray[np.float32]:
    """(T, H, W): how far each shot, warped, shows the first one's surfaces."""
    quick = np.stack([quick_denoise(np.clip(shot, 0, 1), sigma=shots.noise.sigma) for shot in shots.pixels])
    first = compute.tensor(quick[0])[None]
    maps = [np.ones(shots.pixels.shape[2:], np.float32)]
    for shot, flow, back in zip(quick[1:], shots.flows[1:], shots.backward[1:], strict=True):
        along = compute.tensor(flow)[None]
        seen = visibility(
            first,
            warp(compute.tensor(shot)[None], along),
            along,
            compute.tensor(back)[None],
            colour_scale=engine.fusion.colour_scale,
        )
        maps.append(seen[0, 0].cpu().numpy())
    return np.stack(maps)


class _Part:
    """What one tile observes."""

    def __init__(
        self,
        shots: Shots,
        visible: NDArray[np.float32],
        read: Rectangle,
        *,
        scale: int,
        engine: EngineSettings,
        compute: Compute,
        seed: int,
    ) -> None:
        self.engine, self.compute, self.noise, self.scale = engine, compute, shots.noise, scale
        self._reduction = Downsample(scale, point_spread(engine.enlarging, scale))
        self._shots, self._visible, self._read = shots, visible, read
        rows, columns = read.slices
        own = shots.pixels[0, :, rows, columns]
        random = np.random.default_rng(seed)
        hidden = (random.random(own.shape[1:]) < engine.stopping.held_out).astype(np.float32)
        self._hidden = compute.tensor(hidden)[None, None]
        quick = quick_denoise(fill_hidden(np.clip(own, 0, 1), hidden, sigma_px=0.8), sigma=shots.noise.sigma)
        self._variance = self.noise.variance(compute.tensor(quick)[None]).mean(1, keepdim=True)
        observed = [self._warped(number, rows, columns) for number in range(1, len(shots.pixels))]
        # The hidden pixels of the first shot are known to the others, whose noise is their own: they guide, too.
        unseen = Observation(compute.tensor(own)[None], (1 - self._hidden) / self._variance, self._variance)
        fused = fuse([unseen, *observed])
        mean = fused.image[0].cpu().numpy()
        sigma = float(fused.variance.mean().sqrt())
        guide = quick_denoise(
            fill_hidden(np.clip(mean, 0, 1), hidden if not observed else np.zeros_like(hidden), sigma_px=0.8),
            sigma=sigma,
        )
        self._guide = compute.tensor(self._enlarged(guide))[None]
        self._captured = Observation(unseen.image, 1 / self._variance, self._variance, self._onto_first())
        self._observations = (
            (fused,)
            if scale == 1
            else (replace(unseen, operator=self._onto_first()), *self._fine(rows, columns))
        )

    def fit(
        self,
        start: dict[str, NDArray[np.float32]] | None,
        seed: int,
        on_iteration: Callable[[float, float], None],
    ) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """The picture (1, 3, H, W), and parameters for the next tile."""
        prior = RelativePrior(self._guide, self.engine, self.compute, guide_channels=3, seed=seed)
        if start is not None:
            prior.load(start)
        iterations = self.engine.fit.iterations
        latent = fit(
            prior,
            Problem(
                self._observations,
                self._guide,
                self.noise,
                self._captured,
                hidden=self._hidden if bool(self._hidden.any()) else None,
            ),
            iterations=iterations,
            learning_rate=self.engine.fit.learning_rate,
            on_iteration=lambda done, loss: on_iteration(done / iterations, loss),
        )
        return latent, prior.save()

    def _onto_first(self) -> ForwardOperator:
        return Identity() if self.scale == 1 else self._reduction

    def _enlarged(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.scale == 1:
            return picture
        height, width = (side * self.scale for side in picture.shape[1:])
        larger = [cv2.resize(channel, (width, height), interpolation=cv2.INTER_CUBIC) for channel in picture]
        return np.asarray(np.clip(np.stack(larger), 0, 1), np.float32)

    def _warped(self, number: int, rows: slice, columns: slice) -> Observation:
        """A shot on the first one's grid."""
        flow = self._shots.flows[number]
        height, width = flow.shape[1:]
        y, x = np.mgrid[:height, :width].astype(np.float32)[:, rows, columns]
        part = flow[:, rows, columns]
        fetched = cv2.remap(
            np.ascontiguousarray(self._shots.pixels[number].transpose(1, 2, 0)),
            x + part[0],
            y + part[1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        misplaced = (self.engine.fusion.registration_sigma_8bit / 255) ** 2
        visible = self.compute.tensor(self._visible[number][rows, columns])[None, None]
        along = self.compute.tensor(part)[None]
        return Observation(
            image=self.compute.tensor(np.ascontiguousarray(fetched.transpose(2, 0, 1)))[None],
            weight=visible / (self._variance + misplaced),
            variance=self._variance * bicubic_noise_gain(along),
        )

    def _fine(self, rows: slice, columns: slice) -> Sequence[Observation]:
        """Every other shot on a grid of its own: the finer latent picture through its warp, reduced to its size.

        The shot is observed where the tile lies in it; its own pixels are never resampled.
        """
        found = []
        for number in range(1, len(self._shots.pixels)):
            back = self.compute.tensor(self._shots.backward[number][:, rows, columns])[None]
            # A point of the fine grid lies at scale times its place plus (scale - 1) / 2; a flow is scaled alone.
            fine = torch.nn.functional.interpolate(
                back, scale_factor=self.scale, mode="bilinear", align_corners=False
            )
            seen = warp(
                self.compute.tensor(self._visible[number][rows, columns])[None, None], back, padding="zeros"
            )
            pixels = np.ascontiguousarray(self._shots.pixels[number][:, rows, columns])
            found.append(
                Observation(
                    self.compute.tensor(pixels)[None],
                    seen / self._variance,
                    self._variance,
                    Compose((Warp(fine * self.scale), self._reduction)),
                )
            )
        return found
