"""Super-resolution: what a reduction takes is learnt from the footage, reduced, and bounded by what was captured.

No training data but the footage: a lesson shows the generator a picture that was reduced and enlarged again, and asks
for the picture itself (Shocher, Cohen and Irani, "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018,
arXiv:1712.06087). Lessons cost little, being of the captured size. What the generator then makes of the enlarged
frame is the pilot; the captured frame, and its neighbours through their sub-pixel motion, are observations of it, and
`back_project` makes the mean of the pilots agree with all of them. That is done in rounds, since finer pictures show
the motion better. Factors of 4 and 8 are climbed in steps of 2, with a few more lessons on each.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reelprior.models.adam import Adam
from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.errors import FitError
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import LEAST_VARIANCE, NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.operators import Downsample
from reelprior.models.reductions import point_spread
from reelprior.models.residual import structure_of
from reelprior.models.seeding import seeded
from reelprior.models.settings import EngineSettings

__all__ = ["Enlarger", "back_project", "enlarge"]

#: Steps of 2 or 3 that make up a factor.
_STEPS = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
#: Lessons after the first step, as a share: the generator knows already what to do.
_SHARE_OF_LATER_STEPS = 0.25
_LAST_LEARNING_RATE = 0.05
#: Steps after which the left-over of a picture without noise is below half a grey level.
_PROJECTIONS = 12
#: What rounding to 8 bits leaves uncertain in a frame that is believed.
_EXACT = NoiseModel(0.0, LEAST_VARIANCE)
#: Residuals of several frames together are believed from one grey level on: flow is never exact.
_MISPLACED = NoiseModel.from_sigma_8bit(1.0)
#: A picture whose reduction has fewer pixels on a side than this teaches nothing; it is only enlarged.
_SMALLEST_LESSON = 8


def enlarge(picture: Tensor, factor: int) -> Tensor:
    """Bicubic enlargement at half-pixel phase: (N, C, H, W) to (N, C, H * factor, W * factor)."""
    return functional.interpolate(picture, scale_factor=factor, mode="bicubic", align_corners=False)


def back_project(
    latent: Tensor, observations: Sequence[Observation], noise: NoiseModel, *, steps: int = _PROJECTIONS
) -> Tensor:
    """Add to a picture what the observations show and it lacks, through the adjoints of their operators.

    After Irani and Peleg, CVGIP 1991. The residual of every observation is shrunk where it is no stronger than its
    noise (see `structure_of`), carried to the latent grid by the operator's adjoint and averaged there by weight. At
    zero noise a picture observed once reproduces the observation in the end.

    Parameters
    ----------
    latent
        (1, 3, H, W) in [0, 1].
    observations
        What it has to agree with, through any linear operators.
    noise
        Gives the mean of a noisy sample.
    steps
        How often.

    Returns
    -------
    Tensor
        (1, 3, H, W) in [0, 1].
    """
    total = torch.stack([_carried(o, o.weight.expand_as(o.image), latent) for o in observations]).sum(0)
    # What hardly any observation says anything about keeps what the prior says.
    total = total.clamp(min=1e-3 * float(total.amax()))
    for _ in range(steps):
        change = torch.zeros_like(latent)
        for observation in observations:
            residual = structure_of(observation.operator(latent), observation, noise)
            change += _carried(observation, observation.weight * residual, latent)
        latent = (latent + change / total).clamp(0, 1)
    return latent


def _carried(observation: Observation, sample: Tensor, latent: Tensor) -> Tensor:
    """The adjoint of the observation's operator, applied to something on its grid."""
    probe = torch.zeros_like(latent, requires_grad=True)
    with torch.enable_grad():
        (carried,) = torch.autograd.grad(observation.operator(probe), probe, sample)
    return carried


class Enlarger:
    """A generator that raises the resolution of one scene's frames, warm-started from frame to frame.

    Parameters
    ----------
    engine, compute
        Settings, and where to compute.
    seed
        Of weights and of the orientations of lessons.
    """

    def __init__(self, engine: EngineSettings, compute: Compute, seed: int) -> None:
        if engine.scale not in _STEPS:
            raise ValueError(f"a scale of {engine.scale} enlarges nothing")
        self.factor, self._settings, self._fusion, self._compute = (
            engine.scale,
            engine.enlarging,
            engine.fusion,
            compute,
        )
        self._spread = point_spread(engine.enlarging, engine.scale)
        with seeded(seed):
            self._chain = _chain(engine.enlarging.channels)
        self._chain.to(device=compute.device)
        self._random = np.random.default_rng(seed)

    def learn(
        self, frame: NDArray[np.float32], *, lessons: int, on_lesson: Callable[[float, float], None]
    ) -> None:
        """Learn from a frame (3, H, W) what its reduction takes; ``on_lesson`` hears the share done and the loss."""
        self._climb(self._compute.tensor(frame)[None], lessons, on_lesson)

    def enlarged(
        self, clip: Clip, wanted: range, *, lessons: int, on_lesson: Callable[[float, float], None]
    ) -> NDArray[np.float32]:
        """Raise the resolution of a clip's frames.

        Parameters
        ----------
        clip
            Frames without noise or holes, but for the noise that its model says is left.
        wanted
            Positions of the frames to enlarge; the others are neighbours.
        lessons
            For each frame.
        on_lesson
            Called after each lesson and each frame of a round, with the share of the work done and the last loss; may
            raise to end.

        Returns
        -------
        NDArray[np.float32]
            (len(wanted), 3, H * scale, W * scale) in [0, 1].

        Raises
        ------
        FitError
            If the loss stops being a number.
        """
        count, radius = len(clip.frames), self._settings.radius
        # What a round has resolved gives a better flow, and a better mean, to the next; the last is of what is wanted.
        rounds = 1 if count == 1 or radius == 0 else self._settings.rounds
        steps, last_loss = rounds * count + len(wanted), 0.0
        height, width = (side * self.factor for side in clip.frames.shape[2:])
        pilots = np.empty((count, 3, height, width), np.float32)
        for t, frame in enumerate(clip.frames):

            def told(share: float, loss: float, t: int = t) -> None:
                nonlocal last_loss
                last_loss = loss
                on_lesson((t + share) / steps, loss)

            # Frames beside the wanted ones only lend their motion and their samples: no lessons for them.
            pilot = self._climb(self._compute.tensor(frame)[None], lessons if t in wanted else 0, told)
            pilots[t] = pilot[0].cpu().numpy()
        for done in range(rounds):
            frames = range(count) if done + 1 < rounds else wanted

            def laid(frame: int, done: int = done) -> None:
                on_lesson(((done + 1) * count + frame) / steps, last_loss)

            agreed = self._agreed(clip, pilots, frames, on_frame=laid)
            pilots[frames.start : frames.stop] = agreed
        return pilots[wanted.start : wanted.stop]

    def _agreed(
        self, clip: Clip, pilots: NDArray[np.float32], frames: range, *, on_frame: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """Some of the pilots, averaged along the motion and made to agree with what was captured."""
        radius = self._settings.radius
        around = Neighbours(
            Clip(clip.frames, None, _MISPLACED),
            pilots,
            self._fusion,
            self._compute,
            reduction=Downsample(self.factor, self._spread),
        )
        results = np.empty_like(pilots[frames.start : frames.stop])
        for number, t in enumerate(frames):
            around.forget(keep=range(t - radius, t + radius + 1))
            observations = around.observations(t, radius=radius)
            picture = self._compute.tensor(pilots[t])[None]
            if len(observations) > 1:
                picture = around.mean_shown(t, radius=radius)
                picture = back_project(picture, observations, _MISPLACED)
            # Last, and alone, the frame itself: nothing that a neighbour says may contradict it.
            own = self._observed(self._compute.tensor(clip.frames[t])[None], self.factor, clip.noise)
            results[number] = back_project(picture, (own,), clip.noise)[0].cpu().numpy()
            on_frame(number + 1)
        return results

    def save(self) -> dict[str, NDArray[np.float32]]:
        """The parameters as arrays: what `load` takes."""
        return {
            name: np.array(value.detach().cpu().numpy()) for name, value in self._chain.state_dict().items()
        }

    def load(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        """Continue from saved parameters."""
        self._chain.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})

    def _climb(self, captured: Tensor, lessons: int, told: Callable[[float, float], None]) -> Tensor:
        """One frame (1, 3, H, W), step by step, to the full factor: (1, 3, H * scale, W * scale)."""
        picture, steps = captured, _STEPS[self.factor]
        for number, step in enumerate(steps):
            wanted = round(lessons * (_SHARE_OF_LATER_STEPS if number else 1))

            def on_lesson(share: float, loss: float, number: int = number) -> None:
                told((number + share) / len(steps), loss)

            self._study(picture, step, wanted, on_lesson)
            picture = self._applied(enlarge(picture, step)).clamp(0, 1)
            seen = self._observed(captured, picture.shape[-1] // captured.shape[-1], _EXACT)
            picture = back_project(picture, (seen,), _EXACT)
        return picture

    def _observed(self, captured: Tensor, factor: int, noise: NoiseModel) -> Observation:
        """A frame as the only observation of its latent picture: its weight does not matter."""
        variance = noise.variance(captured).mean(1, keepdim=True)
        return Observation(captured, torch.ones_like(variance), variance, Downsample(factor, self._spread))

    def _study(
        self, picture: Tensor, step: int, lessons: int, on_lesson: Callable[[float, float], None]
    ) -> None:
        """Learn to turn the reduced picture into itself."""
        height, width = (side // step * step for side in picture.shape[-2:])
        if min(height, width) < step * _SMALLEST_LESSON:
            return
        target = picture[..., :height, :width]
        question = enlarge(Downsample(step, self._spread)(target), step)
        optimiser = Adam(self._chain.parameters())
        for lesson in range(lessons):
            falling = 1 - (1 - _LAST_LEARNING_RATE) * lesson / lessons
            orientation = int(self._random.integers(8))
            asked, answer = _turned(question, orientation), _turned(target, orientation)
            loss = (self._generate(asked) - answer).abs().mean()
            optimiser.step(loss, self._settings.learning_rate * falling)
            value = loss.item()
            if not np.isfinite(value):
                raise FitError(
                    f"the loss is {value} after {lesson + 1} lessons; lower enlarging.learning_rate"
                )
            on_lesson((lesson + 1) / lessons, value)

    @torch.no_grad()
    def _applied(self, enlarged: Tensor) -> Tensor:
        """What the generator makes of a picture, averaged over orientations."""
        chosen = range(0, 8, 8 // self._settings.orientations)
        results = [_turned_back(self._generate(_turned(enlarged, k)), k) for k in chosen]
        return torch.stack(results).mean(0)

    def _generate(self, enlarged: Tensor) -> Tensor:
        with self._compute.autocast():
            added = self._chain(enlarged.contiguous(memory_format=self._compute.memory_format))
        result: Tensor = enlarged + added.float()
        return result


def _chain(channels: Sequence[int]) -> nn.Sequential:
    """Convolutions of 3x3 pixels; the last one starts at zero, so that nothing is added before something is learnt."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in channels:
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
        inputs = width
    last = nn.Conv2d(inputs, 3, 3, padding=1)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def _turned(picture: Tensor, orientation: int) -> Tensor:
    """One of the eight orientations of a picture (N, C, H, W): quarter turns, and with 4 added mirrored."""
    mirrored = picture.flip(-1) if orientation & 4 else picture
    return torch.rot90(mirrored, orientation & 3, (-2, -1))


def _turned_back(picture: Tensor, orientation: int) -> Tensor:
    upright = torch.rot90(picture, -(orientation & 3), (-2, -1))
    return upright.flip(-1) if orientation & 4 else upright
