"""Collaborative Wiener filtering: similar patches of a clip denoise each other, and the prior's fit says how much.

The second step of BM3D and V-BM3D (Dabov et al., IEEE TIP 2007; EUSIPCO 2007) with the generator's result as the pilot.
A patch is stacked with the patches most like it, found on the pilots in its own frame and, along the optical flow, in
its neighbours. In the transform of the stack each coefficient of what was captured is shrunk by what the pilot expects
there, P^2 / (P^2 + noise variance), and every patch of the stack is put back where it came from.

The pilot decides the quality: what it shows without noise is believed, what it lacks is taken for noise. Its errors and
those of the shrinkage are of different kinds, which is why the two together are better than either.

A pilot whose detail comes from a guide without noise is better not shrunk at all. Around such a one only what it leaves
of the captured frames is shrunk, by whole bands of the transform: a band that is no stronger than noise adds nothing
(block-wise James-Stein; Cai, Annals of Statistics 1999).
"""

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.flows import Flows
from reelprior.models.noise import OPPONENT, NoiseModel
from reelprior.models.settings import CollaborativeSettings
from reelprior.models.warp import warp

__all__ = ["collaborate"]

#: How much luminance and the two opponent colours, in which structure gathers in the first, count when patches are
#: compared.
_LIKENESS = torch.tensor([1.0, 0.5, 0.5])
#: Patches shrunk at a time: bounds memory, and on CPUs keeps what is allocated anew, in sizes that vary, small. A GPU
#: waits for launches where they are few.
_BATCH = {"cpu": 4096, "cuda": 65_536}
#: Samples of displaced pictures compared at a time; on CPUs one picture, which stays in the cache.
_COMPARED = {"cpu": 1, "cuda": 8_000_000}
#: A patch whose likeness reaches outside the picture is never chosen.
_OUTSIDE = 1e3
#: Displacements up to this are all looked at; of larger ones a quarter, which cost little quality and little time.
_NEAR = 3
_KAISER_BETA = 2.0
#: Standard deviations of what chance makes of a band's energy that do not count as structure.
_CHANCE = 2.0
#: Least variance, so that footage without noise divides by something.
_LEAST = 1e-14


def collaborate(
    clip: Clip,
    pilots: NDArray[np.float32],
    noise: NoiseModel,
    *,
    settings: CollaborativeSettings,
    compute: Compute,
    on_frame: Callable[[int], None],
    around_pilot: bool = False,
) -> NDArray[np.float32]:
    """Filter a clip's frames together.

    Parameters
    ----------
    clip
        What was captured, T frames.
    pilots
        (T, 3, H, W) in [0, 1]: the same frames as the prior restored them. Missing pixels are taken from here.
    noise
        Of the captured frames; gives the mean and the variance of a sample whose clean value is the pilot's.
    settings, compute
        Of the filter, and where to compute.
    on_frame
        Called with the number of frames done; may raise to end.
    around_pilot
        Whether the residual is shrunk and the pilot kept, instead of all that was captured.

    Returns
    -------
    NDArray[np.float32]
        (T, 3, H, W) in [0, 1].
    """
    frames, radius = len(pilots), settings.radius
    if frames == 1 or radius == 0:
        settings = settings.model_copy(
            update={
                "step": settings.step_alone,
                "group": settings.group_alone,
                "group_alike": max(2 * settings.group_alone, settings.group_alike),
                "search": settings.search_alone,
            }
        )
    window = _Window(clip, pilots, noise, settings, compute)
    flows = Flows(pilots, compute)  # the pilots are whole
    filtered = np.empty_like(pilots)

    def find(t: int) -> list[Tensor]:
        near = _near(t, radius, frames)
        return _find(window, t, {k: flows.between(t, k) for k in near if k != t}, settings)

    def begin_to_find(t: int) -> Callable[[], list[Tensor]]:
        near = _near(t, radius, frames)
        for k in near if t == 0 else near[-1:]:
            window.load(k)
        flows.forget(keep=near)
        for soon in range(t, min(frames, t + 2)):
            flows.expect((soon, k) for k in _near(soon, radius, frames) if k != soon)
        return compute.beside.begin(partial(find, t))

    found = begin_to_find(0)
    for t in range(frames):
        groups = found()
        if t + 1 < frames:
            # Finding reads pilots, which shrinking leaves as they are: the two can go on at the same time.
            found = begin_to_find(t + 1)
        for group in groups:
            batch = max(1, _BATCH[compute.device.type] // group.shape[1])
            for start in range(0, len(group), batch):
                _shrink(window, group[start : start + batch], around_pilot=around_pilot)
        # No later group reaches back to the first frame in reach.
        for k in range(t - radius, t - radius + 1) if t + 1 < frames else range(t - radius, frames):
            if k >= 0:
                filtered[k] = window.result(k)
        on_frame(t + 1)
    return filtered


def _near(t: int, radius: int, frames: int) -> range:
    return range(max(0, t - radius), min(frames, t + radius + 1))


class _Window:
    """The frames within reach of one another, in opponent colours, and the sums of their filtered patches.

    ``noisy``, ``pilot``, ``variance`` and ``total`` are (3, slots x H' x W'), ``weights`` is (1, ...), flat, so
    that a pixel is one number. ``variance`` is the noise's mean over the patch that begins at the pixel.
    Frame k lies in slot k modulo their number: memory does not grow with the clip. There is one slot more than a
    frame reaches, so that the next frame can be looked at before the first in reach is done.
    H' and W' are the size padded so that patches at the grid's step reach its end.
    """

    def __init__(
        self,
        clip: Clip,
        pilots: NDArray[np.float32],
        noise: NoiseModel,
        settings: CollaborativeSettings,
        compute: Compute,
    ) -> None:
        self._clip, self._pilots, self._noise, self._compute = clip, pilots, noise, compute
        self.patch = settings.patch
        self._cropped = (pilots.shape[2], pilots.shape[3])
        height, width = (
            settings.patch + -(-max(side - settings.patch, 0) // settings.step) * settings.step
            for side in self._cropped
        )
        self.size: tuple[int, int] = (height, width)
        self.slots = min(len(pilots), 2 * settings.radius + 2)
        self._loaded = -1
        pixels = self.slots * height * width
        self.noisy, self.pilot, self.variance, self.total = torch.zeros(
            4, 3, pixels, device=compute.device
        ).unbind()
        self.weights = torch.zeros(1, pixels, device=compute.device)
        spectrum = noise.spectrum_of(settings.patch, compute.device)
        #: (3, 1, 1, patch^2) power of the noise at each frequency, with a mean of 1; None where it is white.
        self.spectrum = None if spectrum is None else spectrum[:, None, None]

    def load(self, k: int) -> None:
        """Take frame k in, in the place of the one before that is out of reach; the last frame only once."""
        if k <= self._loaded:
            return
        self._loaded = k
        pilot = self._compute.tensor(self._pilots[k])[None]
        # Clipping moved the mean of what was captured; the filter wants samples whose mean is the clean value.
        noisy = self._compute.tensor(self._clip.frames[k])[None] - self._noise.expected(pilot) + pilot
        missing = self._clip.missing_at(k)
        if missing is not None:
            noisy = torch.where(self._compute.tensor(missing.astype(np.float32)) > 0, pilot, noisy)
        basis = OPPONENT.to(pilot)
        at = self._pixels_of(k)
        self.noisy[:, at] = self._flat(noisy, basis)
        self.pilot[:, at] = self._flat(pilot, basis)
        variance = self._flat(self._noise.variance(pilot).expand_as(pilot), basis.square())
        means = functional.avg_pool2d(variance.reshape(3, *self.size), self.patch, 1)
        beyond = self.patch - 1  # where no patch begins
        self.variance[:, at] = functional.pad(means, (0, beyond, 0, beyond)).reshape(3, -1)
        self.total[:, at] = 0
        self.weights[:, at] = 0

    def picture(self, k: int) -> Tensor:
        """(1, 3, H', W') of frame k's pilot, weighted for comparison."""
        frame = self.pilot[:, self._pixels_of(k)].reshape(1, 3, *self.size)
        return frame * _LIKENESS.to(frame).sqrt()[:, None, None]

    def patches(self, values: Tensor, positions: Tensor) -> Tensor:
        """(C, N, K, patch^2) of values (C, pixels): the patches that begin at pixels (N, K)."""
        width, pixels = self.size[1], values.shape[1]
        # One index a patch, not one a pixel.
        every = values.as_strided(
            (len(values), pixels - (self.patch - 1) * (width + 1), self.patch, self.patch),
            (values.stride(0), 1, width, 1),
            values.storage_offset(),
        )
        return every[:, positions].flatten(-2)

    def noise_at(self, k: int, row: Tensor, column: Tensor) -> Tensor:
        """(N,) variance of the luminance's noise in frame k's patches that begin at rows and columns (N, 1)."""
        return self.variance[0, self.first_pixel(k) + row * self.size[1] + column].reshape(-1)

    def first_pixel(self, k: int) -> int:
        """The number of frame k's first pixel."""
        return (k % self.slots) * self.size[0] * self.size[1]

    def result(self, k: int) -> NDArray[np.float32]:
        """(3, H, W) in [0, 1]: frame k filtered, when its last group has been added."""
        at = self._pixels_of(k)
        filtered = (self.total[:, at] / self.weights[:, at]).reshape(3, *self.size)
        filtered = filtered[:, : self._cropped[0], : self._cropped[1]]
        return torch.einsum("oc,ohw->chw", OPPONENT.to(filtered), filtered).clamp(0, 1).cpu().numpy()

    def to_grid(self, flow: Tensor) -> Tensor:
        """A flow (1, 2, H, W) padded to (1, 2, H', W')."""
        return functional.pad(flow, self._padding(), mode="replicate")

    def _flat(self, picture: Tensor, matrix: Tensor) -> Tensor:
        mixed = torch.einsum("oc,tchw->tohw", matrix, picture)
        return functional.pad(mixed, self._padding(), mode="replicate").reshape(3, -1)

    def _padding(self) -> tuple[int, int, int, int]:
        return (0, self.size[1] - self._cropped[1], 0, self.size[0] - self._cropped[0])

    def _pixels_of(self, k: int) -> slice:
        first = self.first_pixel(k)
        return slice(first, first + self.size[0] * self.size[1])


def _find(window: _Window, t: int, flows: dict[int, Tensor], settings: CollaborativeSettings) -> list[Tensor]:
    """Where the patches most like each of frame t's patches begin: flat pixel numbers (N, K) int64 for several K.

    The more patches the less noise is kept, as long as they show the same. A patch goes into the largest group whose
    members all differ from it by less than ``settings.alike`` times the noise variance.
    """
    height, width = window.size
    patch, step = settings.patch, settings.step
    reference = window.picture(t)
    rows = torch.arange(0, height - patch + 1, step, device=reference.device)
    columns = torch.arange(0, width - patch + 1, step, device=reference.device)
    y, x = (grid.reshape(-1, 1) for grid in torch.meshgrid(rows, columns, indexing="ij"))
    distances, positions = [], []
    for k in sorted([t, *flows]):
        if k == t:
            distance, dy, dx = _most_alike(reference, reference, settings.search, settings)
        else:
            flow = window.to_grid(flows[k])
            carried = warp(window.picture(k), flow)
            distance, dy, dx = _most_alike(reference, carried, settings.neighbour_search, settings)
        row, column = (y + dy).clamp(0, height - patch), (x + dx).clamp(0, width - patch)
        if k != t:
            # Where the flow carries the patch's centre, to the whole pixel: samples are taken as they were captured.
            moved = flow[0, :, row + patch // 2, column + patch // 2].round().long()
            row = (row + moved[1]).clamp(0, height - patch)
            column = (column + moved[0]).clamp(0, width - patch)
        distances.append(distance)
        positions.append(window.first_pixel(k) + row * width + column)
    distances_of_all = torch.cat(distances, 1)
    most = min(settings.group_alike, distances_of_all.shape[1])
    nearest = distances_of_all.topk(most, dim=1, largest=False)
    chosen = torch.cat(positions, 1).gather(1, nearest.indices)
    allowed = settings.alike * window.noise_at(t, y, x)
    groups, left = [], torch.ones(len(chosen), dtype=torch.bool, device=chosen.device)
    while most > settings.group:
        fit = left & (nearest.values[:, most - 1] < allowed)
        groups.append(chosen[fit, :most])
        left = left & ~fit
        most = max(settings.group, most // 2)
    return [*groups, chosen[left, :most]]


def _most_alike(
    reference: Tensor, other: Tensor, reach: int, settings: CollaborativeSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the displacements up to ``reach`` pixels, each patch's best ones: distance, dy, dx, (N, K) each."""
    height, width = reference.shape[-2:]
    padded = functional.pad(other, (reach,) * 4, value=_OUTSIDE)
    offsets = _offsets(reach)
    at_a_time = max(1, _COMPARED[reference.device.type] // reference.numel())
    compared = []
    for start in range(0, len(offsets), at_a_time):
        shifted = [
            padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            for dy, dx in offsets[start : start + at_a_time]
        ]
        together = shifted[0] if len(shifted) == 1 else torch.cat(shifted)
        difference = (reference - together).square_().sum(1, keepdim=True)
        compared.append(functional.avg_pool2d(difference, settings.patch, settings.step).flatten(1))
    distances = torch.cat(compared)
    if other is reference:
        # Among equals a patch itself comes first, so that every pixel belongs to a group.
        distances[offsets.index((0, 0))] = -1.0
    best = distances.T.contiguous().topk(min(settings.group_alike, len(offsets)), dim=1, largest=False)
    chosen = torch.tensor(offsets, device=best.indices.device)[best.indices]
    return best.values, chosen[..., 0], chosen[..., 1]


def _offsets(reach: int) -> list[tuple[int, int]]:
    """Displacements (dy, dx) up to ``reach``: all of them near by, every second one in both directions farther away."""
    side = range(-reach, reach + 1)
    return [
        (dy, dx)
        for dy in side
        for dx in side
        if max(abs(dy), abs(dx)) <= _NEAR or (dy % 2 == 0 and dx % 2 == 0)
    ]


def _shrink(window: _Window, positions: Tensor, *, around_pilot: bool) -> None:
    """Filter the groups (N, K) and add their patches, weighted, to the window's sums."""
    patch, width = window.patch, window.size[1]
    inside = torch.arange(patch, device=positions.device)
    pixels = positions[..., None] + (inside[:, None] * width + inside).reshape(-1)  # (N, K, patch^2)
    along, side = _cosines(positions.shape[1], positions.device), _cosines(patch, positions.device)
    within = torch.kron(side, side)  # both directions of a patch at once

    def transformed(values: Tensor) -> Tensor:
        return along @ (window.patches(values, positions) @ within.T)  # (3, N, K, patch^2)

    mean_variance = window.variance[:, positions].mean(2)[:, :, None, None].clamp(min=_LEAST)
    variance = mean_variance if window.spectrum is None else mean_variance * window.spectrum
    variance = variance.clamp(min=_LEAST)
    pilot, spectrum = transformed(window.pilot), transformed(window.noisy)
    if around_pilot:
        residual = spectrum - pilot
        gain = _gain_of_bands(residual.square() / variance)
        spectrum = pilot + gain * residual
    else:
        energy = pilot.square_()
        gain = energy / (energy + variance)
        spectrum = spectrum.mul_(gain)
    estimate = (along.T @ spectrum) @ within
    # A group is worth the inverse of the noise it keeps; a patch more at its centre than at its edge.
    # Of the pilot's own noise, which is not known, so that no group counts for all.
    of_pilot = 1.0 if around_pilot else 0.0
    passed = gain.square() if window.spectrum is None else gain.square() * window.spectrum
    kept = mean_variance * (of_pilot + passed.sum((2, 3), keepdim=True))
    kept = kept.mean(0).clamp(min=_LEAST)  # (N, 1, 1)
    taper = torch.kaiser_window(patch, periodic=False, beta=_KAISER_BETA, device=positions.device)
    worth = ((taper[:, None] * taper).flatten() / kept).expand(estimate.shape[1:])  # (N, K, patch^2)
    target = pixels.reshape(-1)
    window.weights[0].index_add_(0, target, worth.reshape(-1))
    for channel, values in zip(window.total, estimate, strict=True):
        channel.index_add_(0, target, (values * worth).reshape(-1))


def _gain_of_bands(energy: Tensor) -> Tensor:
    """(3, N, K, patch^2) in [0, 1] from a residual's energies, in units of the noise's variance.

    The mean over a band of n coefficients is 1 + s, s being the structure's; noise alone exceeds 1 by two standard
    deviations, 2 sqrt(2 / n), rarely.
    """
    bands = _bands(energy.shape[2], math.isqrt(energy.shape[3]), energy.device)
    counts = bands.sum(1)
    mean = energy.flatten(2) @ (bands / counts[:, None]).T  # (3, N, bands)
    gain = (1 - (1 + _CHANCE * (2 / counts).sqrt()) / mean.clamp(min=1e-6)).clamp(min=0)
    return (gain @ bands).reshape(energy.shape)


def _bands(group: int, patch: int, device: torch.device) -> Tensor:
    """(bands, group x patch x patch), 1 where a coefficient is of a band: octaves along the group and in the patch."""

    def octaves(size: int) -> Tensor:
        return torch.arange(size, device=device).clamp(min=0.5).log2().floor().long() + 1

    inside = torch.maximum(octaves(patch)[:, None], octaves(patch))
    labels = (octaves(group)[:, None, None] * (1 + int(inside.max())) + inside).reshape(-1)
    members: Tensor = labels == torch.unique(labels)[:, None]
    return members.float()


@cache
def _cosines(size: int, device: torch.device) -> Tensor:
    """The orthonormal cosine transform (DCT-II) as a matrix (size, size)."""
    n = torch.arange(size, device=device, dtype=torch.float32)
    matrix: Tensor = torch.cos(torch.pi / size * (n[None] + 0.5) * n[:, None]) * (2 / size) ** 0.5
    matrix[0] *= 0.5**0.5
    return matrix
