"""A flash/no-flash pair: the light of the ambient shot, the detail of the flash shot (Petschnigg et al. 2004).

The ambient shot is the observation, the flash shot a guide. The generator's picture is a change of a smooth first
estimate of the ambient light, and begins as no change at all: it cannot get stuck at colours that are not the
scene's, whatever the seed or the learning rate. Pixels hidden from the fit end it, and decide how much of it and how
much of the guided filters goes into the result. Large photographs are restored tile by tile.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import kornia
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.clip import Clip
from reelprior.models.collaborative import collaborate
from reelprior.models.device import Compute
from reelprior.models.estimates import fill_hidden, guided_estimate, mixture_weights, unbiased
from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.progress import Step
from reelprior.models.settings import ComputeSettings, EngineSettings, FitSettings
from reelprior.models.spatial import quick_denoise
from reelprior.models.tiles import Canvas, Tile, plan_tiles

__all__ = ["Pair", "RelativePrior", "restore_pair", "seconds_for"]

#: Radii of the guided filters, in pixels, and below which variance of the guide they take a window for flat.
_RADII, _FLATNESS = (2, 4, 7), 1e-3
#: The same of the first estimate: so wide that next to no noise is left in it.
_FIRST_RADIUS, _FIRST_FLATNESS = 10, 1e-2
#: What a fit is expected to take, of its largest number of iterations; and how many are timed to tell how long that is.
_USUAL_SHARE, _TIMED_ITERATIONS, _TIMED_SIDE = 0.4, 4, 128
#: Over how many pixels, as a standard deviation, light is taken to be even; and how much a shadow is lifted at most.
_LIGHT_SIGMA, _MOST_LIGHT = 3.0, 20.0
#: The first estimate is kept this far from 0 and 1, where no finite change leads away.
_MARGIN = 1 / 255


@dataclass(frozen=True, eq=False)
class Pair:
    """Two shots of one scene on one grid.

    Attributes
    ----------
    ambient
        (3, H, W) float32, noisy, scaled so that its bright parts are near 1.
    flash
        (3, H, W) in [0, 1].
    visible
        (H, W) in [0, 1], from `reelprior.models.flash_visibility`.
    noise
        Of ``ambient`` as it is scaled.
    grain_px
        Size of the noise's grain: 1 for noise that is independent from pixel to pixel.
    """

    ambient: NDArray[np.float32]
    flash: NDArray[np.float32]
    visible: NDArray[np.float32]
    noise: NoiseModel
    grain_px: int = 1

    def part(self, tile: Tile) -> "Pair":
        """What a tile reads."""
        rows, columns = tile.read.slices
        return Pair(
            self.ambient[:, rows, columns],
            self.flash[:, rows, columns],
            self.visible[rows, columns],
            self.noise,
            self.grain_px,
        )


class RelativePrior(Prior):
    """A prior whose picture is a first estimate, changed: sigmoid(logit(first) + change), change 0 at the start.

    Parameters
    ----------
    first
        (1, 3, H, W) in [0, 1].
    engine, compute, guide_channels, seed
        As for `Prior`.
    """

    def __init__(
        self, first: Tensor, engine: EngineSettings, compute: Compute, *, guide_channels: int, seed: int
    ) -> None:
        height, width = first.shape[-2:]
        super().__init__(engine, compute, size=(height, width), guide_channels=guide_channels, seed=seed)
        self._offset = torch.logit(first.clamp(_MARGIN, 1 - _MARGIN))
        for parameter in self.network.head.parameters():
            torch.nn.init.zeros_(parameter)

    def generate(self, guides: Tensor | None, *, code_noise: float = 0.0) -> Tensor:
        """The picture (1, 3, H, W) in (0, 1)."""
        tiny = torch.finfo(torch.float32).eps
        change = torch.logit(super().generate(guides, code_noise=code_noise).clamp(tiny, 1 - tiny))
        return torch.sigmoid(self._offset + change)


def restore_pair(
    pair: Pair,
    *,
    engine: EngineSettings,
    compute: ComputeSettings,
    seed: int,
    on_step: Callable[[Step], None],
) -> NDArray[np.float32]:
    """Restore the ambient shot.

    Parameters
    ----------
    pair
        Aligned shots.
    engine, compute, seed
        Settings; ``engine.photo`` has those of tiles, ``engine.fit.starts`` fits of several seeds are averaged.
    on_step
        Called once per iteration, with the tile as frame; may raise to end the work.

    Returns
    -------
    NDArray[np.float32]
        (3, H, W) in [0, 1], scaled as the ambient shot.

    Raises
    ------
    FitError
        See `reelprior.models.fit.fit`.
    """
    photo, starts = engine.photo, engine.fit.starts
    height, width = pair.visible.shape
    tiles = plan_tiles(height, width, photo.tile, photo.overlap)
    canvas = Canvas(tiles, channels=3)
    resources = Compute(compute)
    kept: dict[tuple[int, int], dict[str, NDArray[np.float32]]] = {}
    for tile in tiles:
        task = _TileFit(pair.part(tile), engine, resources, seed)
        latents = []
        for number in range(starts):
            start = None if tile.start_from is None else kept[tile.start_from, number]

            def on_iteration(done: float, loss: float, number: int = number, tile: Tile = tile) -> None:
                on_step(Step(tile.index, tile.index + (number + done) / starts, loss))

            latent, kept[tile.index, number] = task.fit(seed + number, start, on_iteration)
            latents.append(latent)
        canvas.add(tile, task.mixed(torch.stack(latents).mean(0))[0].cpu().numpy())
        wanted = {later.start_from for later in tiles[tile.index + 1 :]}
        kept = {key: parameters for key, parameters in kept.items() if key[0] in wanted}
    return np.clip(canvas.pixels, 0, 1)


def seconds_for(tiles: Sequence[Tile], *, engine: EngineSettings, compute: Compute) -> float:
    """An estimate of how long the tiles will take, from a few iterations and the filters on a small one."""
    size = (min(_TIMED_SIDE, tiles[0].read.height), min(_TIMED_SIDE, tiles[0].read.width))
    random = np.random.default_rng(0)
    shot = random.random((3, *size), np.float32)
    small = Pair(shot, shot, np.ones(size, np.float32), NoiseModel.from_sigma_8bit(10))
    task = _TileFit(small, engine.model_copy(update={"fit": _short(engine)}), compute, 0)
    task.fit(0, None, lambda _done, _loss: None)  # the first iterations of a process are slower
    started = time.monotonic()
    latent, _ = task.fit(0, None, lambda _done, _loss: None)
    fitted = time.monotonic()
    task.mixed(latent)
    iterations = min(engine.fit.iterations, max(engine.stopping.floor, _USUAL_SHARE * engine.fit.iterations))
    each = (fitted - started) / _TIMED_ITERATIONS * iterations * engine.fit.starts
    pixels = sum(tile.read.height * tile.read.width for tile in tiles)
    return (each + time.monotonic() - fitted) * pixels / (size[0] * size[1])


def _short(engine: EngineSettings) -> FitSettings:
    return engine.fit.model_copy(update={"iterations": _TIMED_ITERATIONS})


class _TileFit:
    """One tile: what the fits of all seeds share."""

    def __init__(self, pair: Pair, engine: EngineSettings, compute: Compute, seed: int) -> None:
        self.engine, self.compute, self.noise = engine, compute, pair.noise
        side = 1 if pair.grain_px == 1 else 4 * pair.grain_px
        hidden, judged = _hidden_blocks(
            pair.visible.shape, engine.stopping.held_out, side=side, random=np.random.default_rng(seed)
        )
        filled = fill_hidden(pair.ambient, hidden, sigma_px=0.3 + 0.5 * side)
        quick = compute.tensor(quick_denoise(np.clip(filled, 0, 1), sigma=pair.noise.sigma))[None]
        visible = compute.tensor(pair.visible)[None, None]
        flash = compute.tensor(pair.flash)[None]
        # In the light of the ambient shot, area by area: no edge where one gives way to the other, and detail of one
        # strength in the shadows of either light.
        light = _mean_around(quick, visible) / _mean_around(flash, visible)
        guide = torch.lerp(quick, (flash * light.clamp(max=_MOST_LIGHT)).clamp(0, 1), visible)
        noisy = compute.tensor(filled)[None]
        self._seen = Clip(filled[None], hidden[None] > 0, pair.noise)
        self._filtered = [
            unbiased(guided_estimate(noisy, guide, radius=radius, flatness=_FLATNESS), pair.noise)
            for radius in _RADII
        ]
        self._first = unbiased(
            guided_estimate(noisy, guide, radius=_FIRST_RADIUS, flatness=_FIRST_FLATNESS), pair.noise
        )
        self._guides = torch.cat([guide, visible], 1)
        self._hidden = compute.tensor(hidden)[None, None]
        self._judged = compute.tensor(judged)[None, None]
        variance = pair.noise.variance(self._first).mean(1, keepdim=True)
        self._observation = Observation(compute.tensor(pair.ambient)[None], 1 / variance, variance)

    def fit(
        self,
        seed: int,
        start: dict[str, NDArray[np.float32]] | None,
        on_iteration: Callable[[float, float], None],
    ) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
        """The generator's picture, and its parameters for the next tile."""
        prior = RelativePrior(
            self._first, self.engine, self.compute, guide_channels=self._guides.shape[1], seed=seed
        )
        if start is not None:
            prior.load(start)
        own = self._observation
        judge = Observation(own.image, own.weight * self._judged, own.variance)
        hides = bool(self._judged.any())
        iterations = self.engine.fit.iterations
        latent = fit(
            prior,
            Problem((own,), self._guides, self.noise, judge, hidden=self._hidden if hides else None),
            iterations=iterations,
            learning_rate=self.engine.fit.learning_rate,
            on_iteration=lambda done, loss: on_iteration(done / iterations, loss),
        )
        return latent, prior.save()

    def mixed(self, latent: Tensor) -> Tensor:
        """The best mixture of the generator's picture and the filters, (1, 3, H, W)."""
        if not bool(self._judged.any()):
            return latent
        estimates = [latent, *self._filtered]
        pilot = self._mixture(estimates)
        together = [self._filtered_together(pilot, around_pilot=around) for around in (False, True)]
        return self._mixture([*estimates, *together])

    def _mixture(self, estimates: Sequence[Tensor]) -> Tensor:
        judged = self._judged[0, 0] > 0
        weights = mixture_weights(
            [estimate[0][:, judged] for estimate in estimates],
            self._observation.image[0][:, judged],
            self.noise,
        )
        return torch.stack(
            [estimate * float(weight) for estimate, weight in zip(estimates, weights, strict=True)]
        ).sum(0)

    def _filtered_together(self, pilot: Tensor, *, around_pilot: bool) -> Tensor:
        """The ambient shot's patches, without its hidden pixels, denoised by each other as the pilot says."""
        filtered = collaborate(
            self._seen,
            pilot.cpu().numpy(),
            self.noise,
            settings=self.engine.collaborative.model_copy(update={"radius": 0}),
            compute=self.compute,
            on_frame=lambda _done: None,
            around_pilot=around_pilot,
        )
        return self.compute.tensor(filtered[0])[None]


def _mean_around(picture: Tensor, visible: Tensor) -> Tensor:
    """(1, 3, H, W): the mean of what is visible around each pixel; far from anything visible, of all the rest."""
    side = 2 * math.ceil(3 * _LIGHT_SIGMA) + 1
    window, sigmas = (side, side), (_LIGHT_SIGMA, _LIGHT_SIGMA)
    weights = visible + 1e-3
    total: Tensor = kornia.filters.gaussian_blur2d(picture * weights, window, sigmas, border_type="replicate")
    return total / kornia.filters.gaussian_blur2d(weights, window, sigmas, border_type="replicate") + 1e-3


def _hidden_blocks(
    size: tuple[int, ...], share: float, *, side: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blocks hidden from every estimate, and the pixels in them that judge: far enough from what was seen.

    Grain that is larger than a pixel tells a network about its hidden neighbours; inside a block of four times its size
    it no longer does.
    """
    height, width = size
    rows, columns = -(-height // side), -(-width // side)
    blocks = np.kron(random.random((rows, columns)) < share, np.ones((side, side), np.bool_))
    inner = np.zeros((side, side), np.bool_)
    margin = side // 4
    inner[margin : side - margin, margin : side - margin] = True
    judged = blocks & np.tile(inner, (rows, columns))
    return blocks[:height, :width].astype(np.float32), judged[:height, :width].astype(np.float32)
