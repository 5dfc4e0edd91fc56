"""How pictures were reduced: the point spread of each captured pixel on a finer grid, named or measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from reelprior.models.settings import EnlargingSettings

__all__ = ["LANCZOS", "PointSpread", "point_spread"]


@dataclass(frozen=True)
class PointSpread:
    """What a captured pixel gathers of a finer picture, about the middle of its block of ``factor`` pixels a side.

    Attributes
    ----------
    name
        "lanczos" (two lobes, of Ulyanov et al. 2017), "bicubic" (Keys 1981, a = -0.5, as antialiased reductions use
        it), "box" (the mean of the block), "gaussian", or "kernel".
    sigma
        Of "gaussian": its standard deviation in captured pixels.
    rows, factor
        Of "kernel": the measured spread on a grid that is finer by this factor; its middle lies in the block's middle.
    """

    name: str = "lanczos"
    sigma: float = 0.5
    rows: tuple[tuple[float, ...], ...] = ()
    factor: int = 1

    def taps(self, factor: int, *, like: Tensor) -> Tensor:
        """(n,) of a spread that is the same along rows and columns, or (n, m); of sum 1, of ``like``'s type and device.

        A measured spread is coarsened for smaller factors.
        """
        return _taps(self, factor, like.dtype, like.device)


LANCZOS = PointSpread()


def point_spread(settings: EnlargingSettings, scale: int) -> PointSpread:
    """The point spread that settings ask for, where pictures are raised by ``scale``."""
    return PointSpread(settings.reduction, settings.blur, settings.kernel, scale)


@lru_cache(maxsize=64)
def _taps(spread: PointSpread, factor: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    taps = _coarsened(spread, factor) if spread.name == "kernel" else _named(spread, factor)
    return (taps / taps.sum()).to(device=device, dtype=dtype)


def _named(spread: PointSpread, factor: int) -> Tensor:
    lobes = {"box": 0.5, "gaussian": float(max(1, round(3 * spread.sigma + 0.5)))}.get(spread.name, 2.0)
    count = round(2 * lobes * factor)
    count -= (count - factor) % 2  # an odd block has its middle on a pixel
    distance = (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) / factor
    return _SHAPES[spread.name](distance, spread.sigma)


def _coarsened(spread: PointSpread, factor: int) -> Tensor:
    taps, ratio = torch.tensor(spread.rows, dtype=torch.float64), spread.factor // factor
    if ratio == 1:
        return taps
    # As many on each side as make whole blocks about the middle.
    margins = [(-side % (2 * ratio)) // 2 for side in taps.shape]
    padded = functional.pad(taps, (margins[1], margins[1], margins[0], margins[0]))
    return functional.avg_pool2d(padded[None], ratio)[0]


def _lanczos(distance: Tensor, _: float) -> Tensor:
    return torch.sinc(distance) * torch.sinc(distance / 2)


def _bicubic(distance: Tensor, _: float) -> Tensor:
    d = distance.abs()
    inner, outer = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d <= 1, inner, torch.where(d < 2, outer, torch.zeros_like(d)))


def _box(distance: Tensor, _: float) -> Tensor:
    return torch.ones_like(distance)


def _gaussian(distance: Tensor, sigma: float) -> Tensor:
    return torch.exp(-0.5 * (distance / sigma) ** 2)


#: Of the distance from the middle of the block, in captured pixels.
_SHAPES: Mapping[str, Callable[[Tensor, float], Tensor]] = MappingProxyType(
    {"lanczos": _lanczos, "bicubic": _bicubic, "box": _box, "gaussian": _gaussian}
)
