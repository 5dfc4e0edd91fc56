"""Coarse to fine: a fit from a random start spends its first iterations at half the resolution.

What the generator learns there, how guides become a picture, holds at the full resolution too, because convolutions do
not know the size of what they run over; an iteration costs a quarter, and noise that is averaged over four pixels is
half as strong. The fine fit then has only the details left to learn.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from reelprior.models.fit import Prior, Problem, fit
from reelprior.models.observation import Observation
from reelprior.models.operators import Identity

__all__ = ["can_be_halved", "fit_coarse", "fit_coarse_to_fine"]

#: Shortest side of a coarse picture: below, its deepest scale would be a few pixels of padding.
_LEAST_SIDE = 24
#: What a coarse iteration costs of a fine one.
_COST = 1 / 4


def can_be_halved(problem: Problem) -> bool:
    """Whether all observations lie on the latent grid, that grid is large enough, and no row of it is missing.

    Of a field every other row is: the mean of two rows would be the one that is there, half a pixel away, and the
    generator would learn to move its guides.
    """
    return bool((problem.captured.weight > 0).any(3).all()) and all(
        isinstance(observation.operator, Identity) and min(observation.image.shape[-2:]) >= 2 * _LEAST_SIDE
        for observation in problem.observations
    )


def fit_coarse_to_fine(
    prior: Prior,
    problem: Problem,
    *,
    coarse: int,
    iterations: int,
    discrepancy: float = 0.0,
    on_iteration: Callable[[float, float], None],
) -> Tensor:
    """Fit a prior from its random start, first at half the resolution.

    Parameters
    ----------
    prior, problem, iterations, discrepancy
        As in `fit`; ``iterations`` are those at the full resolution.
    coarse
        Iterations at half the resolution before; done at the full one where the problem cannot be halved.
    on_iteration
        Called after each with the share of the work that is done, at most, and the latest known loss; may raise.

    Returns
    -------
    Tensor
        (1, 3, H, W), see `fit`.

    Raises
    ------
    FitError
        See `fit`.
    """
    settings = prior.engine.fit
    coarse = min(coarse, settings.iterations)
    if coarse and not can_be_halved(problem):
        iterations, coarse = min(iterations + coarse, settings.iterations), 0
    before = coarse * _COST
    work = before + iterations
    if coarse:
        fit_coarse(
            prior,
            problem,
            iterations=coarse,
            learning_rate=settings.learning_rate,
            on_iteration=lambda done, loss: on_iteration(done * _COST / work, loss),
        )
    return fit(
        prior,
        problem,
        iterations=iterations,
        learning_rate=settings.learning_rate,
        discrepancy=discrepancy,
        on_iteration=lambda done, loss: on_iteration((before + done) / work, loss),
    )


def fit_coarse(
    prior: Prior,
    problem: Problem,
    *,
    iterations: int,
    learning_rate: float,
    on_iteration: Callable[[int, float], None],
) -> None:
    """Bring a prior to where a fit of the halved problem ends.

    Parameters
    ----------
    prior
        At its random start; left with the coarse fit's parameters and optimiser state.
    problem
        Of the full resolution, see `can_be_halved`; hidden pixels are hidden here too.
    iterations, learning_rate, on_iteration
        As in `fit`; all iterations are done.
    """
    halved = _halved(problem)
    height, width = halved.captured.image.shape[-2:]
    coarse = prior.of_size((height, width))
    fit(
        coarse,
        halved,
        iterations=iterations,
        learning_rate=learning_rate,
        to_the_end=True,
        on_iteration=on_iteration,
    )
    prior.load(coarse.save())


def _halved(problem: Problem) -> Problem:
    """The problem of the picture whose pixels are the means of 2 x 2 pixels."""
    observations = tuple(_half_of(observation, problem.hidden) for observation in problem.observations)
    return Problem(
        observations,
        None if problem.guides is None else functional.avg_pool2d(problem.guides, 2),
        problem.noise,
        observations[0],
    )


def _half_of(observation: Observation, hidden: Tensor | None) -> Observation:
    weight = observation.weight if hidden is None else observation.weight * (1 - hidden)
    mean_weight = functional.avg_pool2d(weight, 2)
    image = functional.avg_pool2d(weight * observation.image, 2) / mean_weight.clamp(min=1e-12)
    # Of four samples with independent noise the weights add up and the variance of the mean is a quarter.
    return Observation(image, 4 * mean_weight, functional.avg_pool2d(observation.variance, 2) / 4)
