"""What a fit can tell its stopping rule about a picture: how far it is from the samples, in units of their noise."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.losses import data_term, expected_data_term
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.stopping import Look

__all__ = ["Gauge"]


class Gauge:
    """Measures the pictures of one fit.

    Parameters
    ----------
    observations
        All that the picture must agree with.
    captured
        The frame itself as an observation; what is hidden is judged by it.
    noise
        Of the captured frames.
    hidden
        (1, 1, H, W), 1 at the pixels hidden from the fit, or None.

    Attributes
    ----------
    seen
        The observations, blind at the hidden pixels of the latent grid.
    expected
        The data term at the truth.
    """

    def __init__(
        self,
        observations: Sequence[Observation],
        captured: Observation,
        noise: NoiseModel,
        hidden: Tensor | None,
    ) -> None:
        self.seen = tuple(observations) if hidden is None else _without(observations, hidden)
        self.expected = expected_data_term(observations)
        self._captured, self._noise, self._hidden = captured, noise, hidden

    def look(self, iteration: int, data: float, iterate: Tensor, average: Tensor) -> Look:
        """How a fit stands with a last and an averaged picture, (1, 3, H, W) each, which must not change meanwhile."""
        return Look(
            iteration,
            data,
            residual=partial(self.residual, average),
            discrepancy=partial(self.discrepancy, average),
            hidden_error=partial(self.hidden_error, average),
            iterate=partial(_small, iterate),
        )

    def residual(self, picture: Tensor) -> float:
        """The data term over what it is at the truth."""
        return float(data_term(picture, self.seen, self._noise)) / self.expected

    def discrepancy(self, picture: Tensor) -> float:
        """The residual over what it would be if this picture were the truth.

        The variance of clipped noise depends on the clean values; those of the observations come from a quick
        denoising, whose blacks and whites are pulled inwards: the variance is up to 6 % too large at sigma 50. A
        picture early in the fit is paler still, so that it may make the variance smaller only.
        """
        captured, weight = self._captured, self._captured.weight
        assumed = float((weight * captured.variance).mean())
        if assumed == 0:
            return self.residual(picture)  # nothing was captured there
        now = float((weight * self._noise.variance(captured.operator(picture))).mean())
        return self.residual(picture) / min(1.0, now / assumed)

    def hidden_error(self, picture: Tensor) -> float:
        """Mean squared error at the hidden pixels, as it would be to samples with the noise of the observations.

        The captured frame tells the true error; neighbours that are fused with it make the noise smaller.
        """
        captured = self._captured
        assert self._hidden is not None
        weight = captured.weight * self._hidden
        squared = (self._noise.expected(captured.operator(picture)) - captured.image).square()
        error = float((weight * squared).mean() / weight.mean())
        return 1 + (error - expected_data_term((captured,))) / self.expected


def _without(observations: Sequence[Observation], hidden: Tensor) -> tuple[Observation, ...]:
    return tuple(
        Observation(o.image, o.weight * (1 - hidden), o.variance, o.operator)
        if o.weight.shape[-2:] == hidden.shape[-2:]
        else o
        for o in observations
    )


def _small(picture: Tensor) -> NDArray[np.float32]:
    """At most about 64 pixels a side: enough to see whether iterates wander."""
    step = max(1, min(picture.shape[-2:]) // 64)
    small: NDArray[np.float32] = picture[..., ::step, ::step].cpu().numpy()
    return small
