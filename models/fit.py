"""The fit of one frame: Adam on an untrained generator, until its budget or its stopping rule ends it."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reelprior.models.adam import Adam
from reelprior.models.device import Compute
from reelprior.models.errors import FitError
from reelprior.models.gauge import Gauge
from reelprior.models.losses import consistency_term, data_term
from reelprior.models.network import SkipGenerator
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.seeding import seeded
from reelprior.models.settings import EngineSettings
from reelprior.models.stopping import BudgetRule, StoppingRule, choose_rule

__all__ = ["Prior", "Problem", "Reference", "fit"]

#: Iterations between two looks at the loss and at the held-out pixels: each look waits for the device.
_ITERATIONS_PER_LOOK = 5


@dataclass(frozen=True, eq=False)
class Reference:
    """A neighbouring result laid on this frame's grid, for the consistency term: (1, 3, H, W), (1, 1, H, W)."""

    image: Tensor
    visible: Tensor


@dataclass(frozen=True, eq=False)
class Problem:
    """All that is known of one latent frame.

    Attributes
    ----------
    observations
        What it must agree with; see `Observation`.
    guides
        (1, G, H, W) images in [0, 1] that show its structure, or None.
    noise
        Of the captured frames.
    captured
        The frame itself as an observation, never averaged with others: the held-out pixels are judged by it,
        because its noise is independent of that of the neighbours in the fused target.
    reference
        For the consistency term, or None.
    hidden
        (1, 1, H, W), 1 at the pixels hidden from the fit, by whose error it is stopped, or None. The guides must not
        have seen the captured frame there.
    """

    observations: tuple[Observation, ...]
    guides: Tensor | None
    noise: NoiseModel
    captured: Observation
    reference: Reference | None = None
    hidden: Tensor | None = None


class Prior:
    """A generator, its fixed noise code and its optimiser: what is handed from frame to frame.

    Parameters
    ----------
    engine
        The settings.
    compute
        Where it lives.
    size
        (height, width) of the frames; any, they are padded by reflection to what the network divides.
    guide_channels
        Of `Problem.guides`, 0 for none.
    seed
        Of weights and code.
    """

    def __init__(
        self,
        engine: EngineSettings,
        compute: Compute,
        *,
        size: tuple[int, int],
        guide_channels: int,
        seed: int,
    ) -> None:
        self.engine, self.compute, self.size = engine, compute, size
        self._guide_channels, self._seed = guide_channels, seed
        network = engine.network
        with seeded(seed):
            generator = SkipGenerator(network, guide_channels=guide_channels)
        generator.to(device=compute.device)
        for parameter in generator.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=compute.memory_format)
        self.network = generator
        # The published network is not recorded: its gradients in a fixed order are chains of sorts.
        self._to_record = network.upsampling == "nearest" and network.padding == "zeros"
        unit = SkipGenerator.multiple_of(network)
        # At least two units: the deepest scale must have more than one pixel to be normalised and reflected.
        self._padded = tuple(max(2, -(-side // unit)) * unit for side in size)
        self._random = torch.Generator().manual_seed(seed)
        code = torch.rand(
            1,
            network.code_channels,
            *(side // network.shuffle for side in self._padded),
            generator=self._random,
        )
        # Laid out as guides and activations are: what is put together from both layouts has the slow one.
        self.code = (code * network.code_scale).to(compute.device, memory_format=compute.memory_format)
        self.optimiser = Adam(self.network.parameters(), betas=engine.fit.betas)

    def of_size(self, size: tuple[int, int]) -> "Prior":
        """A prior at its random start like this one was, for pictures of another size."""
        return Prior(
            self.engine, self.compute, size=size, guide_channels=self._guide_channels, seed=self._seed
        )

    def generate(self, guides: Tensor | None, *, code_noise: float = 0.0) -> Tensor:
        """The picture (1, 3, H, W) float32 in (0, 1) for guides as `prepare` returns them."""
        code = self.code
        if code_noise:
            jitter = torch.randn(code.shape, generator=self._random).to(code.device)
            code = code + code_noise * jitter
        inputs = (code,) if guides is None else (code, guides)
        if self._to_record:
            self.compute.record(self.network, inputs)
            self._to_record = False
        with self.compute.autocast():
            picture = self.network(*inputs)
        cropped = picture[..., : self.size[0], : self.size[1]]
        # Plane by plane, as captured pictures lie, which it is compared with.
        plain: Tensor = cropped.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        return plain

    def prepare(self, guides: Tensor | None) -> Tensor | None:
        """Guides padded on the right and at the bottom to the network's multiple."""
        if guides is None:
            return None
        bottom, right = self._padded[0] - self.size[0], self._padded[1] - self.size[1]
        # Reflection needs more pixels than it adds; the smallest frames repeat their edge.
        mode = "reflect" if bottom < self.size[0] and right < self.size[1] else "replicate"
        padded = functional.pad(guides, (0, right, 0, bottom), mode=mode)
        return padded.contiguous(memory_format=self.compute.memory_format)

    def hidden_pixels(self, share: float) -> Tensor:
        """A random (1, 1, H, W) mask, 1 at the pixels to hide from the fit."""
        return (torch.rand(1, 1, *self.size, generator=self._random) < share).float().to(self.compute.device)

    def save(self) -> dict[str, NDArray[np.float32]]:
        """Parameters and optimiser state as arrays: what `load` takes."""
        kinds = {"network": self.network.state_dict(), "adam": self.optimiser.state()}
        return {
            f"{kind}.{name}": _array(value) for kind, state in kinds.items() for name, value in state.items()
        }

    def load(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        """Continue from saved parameters and optimiser state, of a prior with the same settings."""
        kinds: dict[str, dict[str, Tensor]] = {"network": {}, "adam": {}}
        for name, value in arrays.items():
            kind, _, rest = name.partition(".")
            kinds[kind][rest] = torch.from_numpy(np.array(value))
        self.network.load_state_dict(kinds["network"])
        self.optimiser.load(kinds["adam"])


def _array(tensor: Tensor) -> NDArray[np.float32]:
    # A copy: on the CPU the array would be the parameter itself, and change with the next iteration.
    return np.array(tensor.detach().float().cpu().numpy())


def fit(
    prior: Prior,
    problem: Problem,
    *,
    iterations: int,
    learning_rate: float,
    discrepancy: float = 0.0,
    to_the_end: bool = False,
    on_iteration: Callable[[int, float], None],
) -> Tensor:
    """Fit the generator to a frame and return the averaged picture; the prior is left at the last iterate.

    Parameters
    ----------
    prior
        Where to start; changed.
    problem
        The frame.
    iterations
        At most so many.
    learning_rate
        Of Adam.
    discrepancy
        Stop when the data term falls to this many times what it is at the truth (Morozov's principle); 0 never does.
        It lets a frame that the warm start already explains go at once, and gives the time to one that moved.
    to_the_end
        Do all iterations, whatever the rule of the settings; the result is the last average.
    on_iteration
        Called after each with the number done and the latest known loss; may raise to end the fit.

    Returns
    -------
    Tensor
        (1, 3, H, W) in [0, 1]: the moving average of the iterates, at the rule's best look.

    Raises
    ------
    FitError
        If nothing was observed, or the loss stops being a number.
    """
    if not any(bool(observation.weight.any()) for observation in problem.observations):
        raise FitError(
            "not one pixel of the frame is observed: the mask covers everything; draw a smaller mask"
        )
    engine = prior.engine
    hidden = problem.hidden
    if hidden is not None and not bool((problem.captured.weight * hidden).any()):
        hidden = None  # nothing was captured there to judge by: all iterations are done
    gauge = Gauge(problem.observations, problem.captured, problem.noise, hidden)
    rule: StoppingRule = BudgetRule()
    if not to_the_end:
        rule = choose_rule(
            engine.stopping,
            discrepancy=discrepancy,
            expected=gauge.expected,
            hides_pixels=hidden is not None,
        )
    recent: deque[Tensor] = deque(maxlen=rule.reach + 1)
    guides = prior.prepare(problem.guides)
    average: Tensor | None = None
    best: Tensor | None = None
    loss_value = math.nan
    for iteration in range(iterations):
        picture = prior.generate(guides, code_noise=engine.fit.code_noise)
        loss = data = data_term(picture, gauge.seen, problem.noise)
        if problem.reference is not None and engine.temporal.consistency_weight:
            reference = problem.reference
            loss = loss + engine.temporal.consistency_weight * consistency_term(
                picture, reference.image, reference.visible
            )
        prior.optimiser.step(loss, learning_rate)
        # A running mean at first, so that the average forgets the start at once instead of after 1 / (1 - decay) steps.
        decay = min(engine.fit.average, iteration / (iteration + 1))
        iterate = picture.detach()
        average = iterate if average is None else average.lerp_(iterate, 1 - decay)
        if iteration % _ITERATIONS_PER_LOOK == 0 or iteration + 1 == iterations:
            loss_value = loss.item()
            if not math.isfinite(loss_value):
                raise FitError(
                    f"the loss is {loss_value} after {iteration + 1} iterations; lower fit.learning_rate or use "
                    "--set compute.autocast=off"
                )
            recent.append(average.clone())
            ago = rule.look(gauge.look(iteration, data.item(), iterate, average))
            if ago is not None:
                best = recent[-1 - ago]
            if rule.ends(iteration):
                on_iteration(iteration + 1, loss_value)
                break
        on_iteration(iteration + 1, loss_value)
    assert best is not None  # the last iteration is looked at, and the first look is the best so far
    return best
