"""The engine's settings: frozen, validated once, passed whole.

One class per group. A group is a table of a preset (``[fit]``), a field a key of it (``fit.iterations``).
Defaults are those of the preset ``denoise``, which comments each of them.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

__all__ = [
    "CollaborativeSettings",
    "CompletionSettings",
    "ComputeSettings",
    "EngineSettings",
    "EnlargingSettings",
    "FitSettings",
    "FusionSettings",
    "NetworkSettings",
    "PhotoSettings",
    "StoppingSettings",
    "TemporalSettings",
]


class _Group(BaseModel):
    """A group of settings: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSettings(_Group):
    """The generator: an encoder-decoder with skips (Ulyanov et al. 2017), optionally at a lower resolution."""

    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=8)] = (
        48,
        48,
        48,
    )
    skip_channels: tuple[Annotated[int, Field(ge=0)], ...] = (16, 16, 16)
    shuffle: Literal[1, 2, 4] = 2
    upsampling: Literal["nearest", "bilinear"] = "nearest"
    padding: Literal["reflect", "zeros"] = "zeros"
    convolutions_down: Literal[1, 2] = 1
    code_channels: Annotated[int, Field(ge=1)] = 8
    code_scale: Annotated[float, Field(gt=0)] = 0.1
    guided: bool = True

    @model_validator(mode="after")
    def _one_skip_per_scale(self) -> Self:
        if len(self.skip_channels) != len(self.channels):
            raise ValueError(
                f"skip_channels has {len(self.skip_channels)} entries and channels {len(self.channels)}; "
                "give one of each per scale"
            )
        return self


class FitSettings(_Group):
    """One frame's fit by Adam from a random start."""

    iterations: Annotated[int, Field(ge=1)] = 1000
    coarse_iterations: Annotated[int, Field(ge=0)] = 200
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)
    code_noise: Annotated[float, Field(ge=0)] = 0.0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.95
    starts: Annotated[int, Field(ge=1)] = 1
    clipping: bool = True


class TemporalSettings(_Group):
    """How one frame's fit helps the next."""

    enabled: bool = True
    key_coarse_iterations: Annotated[int, Field(ge=0)] = 100
    key_iterations: Annotated[int, Field(ge=1)] = 40
    passes: Literal[1, 2] = 1
    warm_iterations: Annotated[int, Field(ge=1)] = 10
    second_iterations: Annotated[int, Field(ge=1)] = 20
    second_learning_rate: Annotated[float, Field(gt=0)] = 0.005
    consistency_weight: Annotated[float, Field(ge=0)] = 0.02
    add_back: bool = True


class FusionSettings(_Group):
    """Motion-compensated neighbours as observations."""

    radius: Annotated[int, Field(ge=0)] = 3
    second_radius: Annotated[int, Field(ge=0)] = 5
    hole_rounds: Annotated[int, Field(ge=0)] = 2
    hole_reach: Annotated[int, Field(ge=0)] = 0
    colour_scale: Annotated[float, Field(gt=0)] = 0.08
    registration_sigma_8bit: Annotated[float, Field(ge=0)] = 3.0


class CollaborativeSettings(_Group):
    """Collaborative filtering of the captured frames, with the prior's results as the pilot."""

    enabled: bool = True
    radius: Annotated[int, Field(ge=0)] = 6
    patch: Annotated[int, Field(ge=2, le=32)] = 8
    step: Annotated[int, Field(ge=1)] = 4
    group: Annotated[int, Field(ge=1)] = 8
    group_alike: Annotated[int, Field(ge=1)] = 16
    alike: Annotated[float, Field(ge=0)] = 0.15
    search: Annotated[int, Field(ge=1)] = 8
    neighbour_search: Annotated[int, Field(ge=1)] = 2
    step_alone: Annotated[int, Field(ge=1)] = 3
    group_alone: Annotated[int, Field(ge=1)] = 16
    search_alone: Annotated[int, Field(ge=1)] = 14
    unseen_steps: Annotated[int, Field(ge=0)] = 24
    bounded_steps: Annotated[int, Field(ge=0)] = 8

    @model_validator(mode="after")
    def _more_where_alike(self) -> Self:
        if self.group_alike < self.group:
            raise ValueError(
                f"group_alike must be at least group, which is {self.group}, not {self.group_alike}"
            )
        return self


class CompletionSettings(_Group):
    """Wide holes of a picture by itself: a deep generator without skips is fitted to the reduced picture."""

    width: Annotated[int, Field(ge=0)] = 12
    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=6)] = (
        32,
        64,
        128,
        128,
        128,
    )
    iterations: Annotated[int, Field(ge=1)] = 700


class EnlargingSettings(_Group):
    """Super-resolution: a chain of convolutions that learns from the footage, reduced, what a reduction takes."""

    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=16)] = (
        48,
        48,
        48,
        48,
        48,
    )
    lessons: Annotated[int, Field(ge=1)] = 600
    warm_lessons: Annotated[int, Field(ge=1)] = 30
    learning_rate: Annotated[float, Field(gt=0)] = 0.002
    orientations: Literal[1, 2, 4, 8] = 8
    radius: Annotated[int, Field(ge=0)] = 4
    rounds: Annotated[int, Field(ge=1)] = 3
    reduction: Literal["lanczos", "bicubic", "box", "gaussian", "kernel"] = "lanczos"
    blur: Annotated[float, Field(ge=0.1, le=4)] = 0.5
    kernel: tuple[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], ...] = ()

    @model_validator(mode="after")
    def _kernel_where_it_is_measured(self) -> Self:
        if (self.reduction == "kernel") != bool(self.kernel):
            raise ValueError(
                'reduction = "kernel" and the rows of a kernel go together: give both, or neither of them'
            )
        if self.kernel and (len({len(row) for row in self.kernel}) > 1 or not self.kernel[0]):
            raise ValueError("all rows of the kernel must have the same number of values, one at least")
        if self.kernel and sum(map(sum, self.kernel)) <= 0:
            raise ValueError("the values of the kernel must have a positive sum")
        return self


class StoppingSettings(_Group):
    """A rule stops a cold fit before it learns the noise; the expected residual stops a warm one."""

    rule: Literal["held_out", "variance", "discrepancy"] = "held_out"
    held_out: Annotated[float, Field(ge=0, lt=0.5)] = 0.03
    floor: Annotated[int, Field(ge=0)] = 60
    patience: Annotated[int, Field(ge=1)] = 50
    window: Annotated[int, Field(ge=2)] = 10
    discrepancy: Annotated[float, Field(ge=0)] = 1.0


class PhotoSettings(_Group):
    """Photographs: how large ones are cut."""

    tile: Annotated[int, Field(ge=48)] = 512
    overlap: Annotated[int, Field(ge=0)] = 48

    @model_validator(mode="after")
    def _tiles_overlap_by_a_third_at_most(self) -> Self:
        if 3 * self.overlap > self.tile:
            raise ValueError(f"overlap must be at most a third of the tile: {self.tile // 3} for {self.tile}")
        return self


class ComputeSettings(_Group):
    """Where and in which arithmetic; nothing here changes what is computed, only how."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    autocast: Literal["auto", "off", "bfloat16", "float16"] = "auto"
    channels_last: bool = True
    threads: Annotated[int, Field(ge=0)] = 0
    per_gpu: Annotated[int, Field(ge=0, le=16)] = 0


class EngineSettings(_Group):
    """Everything the engine can be told."""

    scale: Literal[1, 2, 3, 4, 8] = 1
    network: NetworkSettings = NetworkSettings()
    fit: FitSettings = FitSettings()
    temporal: TemporalSettings = TemporalSettings()
    fusion: FusionSettings = FusionSettings()
    collaborative: CollaborativeSettings = CollaborativeSettings()
    completion: CompletionSettings = CompletionSettings()
    enlarging: EnlargingSettings = EnlargingSettings()
    stopping: StoppingSettings = StoppingSettings()
    photo: PhotoSettings = PhotoSettings()

    @field_validator("enlarging")
    @classmethod
    def _kernel_in_the_middle_of_a_block(
        cls, enlarging: EnlargingSettings, info: ValidationInfo
    ) -> EnlargingSettings:
        kernel, scale = enlarging.kernel, int(info.data.get("scale", 1))
        rows, columns = len(kernel), len(kernel[0]) if kernel else 0
        if scale > 1 and kernel and any(n % 2 != scale % 2 or n < scale for n in (rows, columns)):
            raise ValueError(
                f"enlarging.kernel has {rows} rows and {columns} columns; for a scale of {scale} both must be "
                f"{'odd' if scale % 2 else 'even'} and at least {scale}, so that its middle is that of a pixel: "
                "add rows or columns of zeros"
            )
        return enlarging
