"""The noise of a clip: given by the user as a number or a profile file, or measured on a few frames."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelprior.io.field_rate import is_bottom
from reelprior.io.reader import open_reader
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.scan import FrameIndex
from reelprior.models.noise import LEAST_VARIANCE, NoiseModel
from reelprior.models.noise_estimate import NoiseEstimate, detect_clipping, estimate_noise
from reelprior.models.noise_over_time import measure_over_time
from reelprior.models.spatial import fill_holes
from reelprior.models.tiles import middle
from reelprior.pipeline.compression import SourceCoding, with_coding_errors
from reelprior.pipeline.noise_profile import load_profile
from reelprior.pipeline.settings import Settings

__all__ = ["PIXELS_TO_COMPARE", "Looked", "measure", "noise_facts", "noise_in", "noise_of", "sigma_8bit"]


@dataclass(frozen=True, eq=False)
class Looked:
    """Frames that noise is measured on.

    Attributes
    ----------
    frames
        (..., 3, H, W) float32 in [0, 1]: frames, or frames and those that follow them.
    missing
        (..., H, W), True where they say nothing; None where nothing is missing.
    """

    frames: NDArray[np.float32]
    missing: NDArray[np.bool_] | None = None

    @property
    def filled(self) -> NDArray[np.float32]:
        """Single frames with their holes filled: whose edges are no picture's."""
        if self.missing is None:
            return self.frames
        return np.stack([fill_holes(*frame) for frame in zip(self.frames, self.missing, strict=True)])


#: Reads frames.
Look = Callable[[], Looked]
#: Gives (H, W) of a frame, True where it says nothing; None where nothing of it is missing.
MissingOf = Callable[[int], NDArray[np.bool_] | None]

_FRAMES_TO_LOOK_AT = 5
#: Noise that was measured is the one that was given if neither is so many times the other.
_AS_STRONG = 2.0
#: Of frames with more than this share missing hardly a block is whole.
_MUCH = 0.4
#: Mean difference of channels that are the same, in [0, 1].
_ROUNDED = 0.5 / 255
PIXELS_TO_COMPARE = 1_000_000
"""Of frames that are compared with those that follow them: the middle tells enough."""


def noise_of(
    path: str,
    index: FrameIndex,
    frames: range,
    settings: Settings,
    coding: SourceCoding,
    *,
    missing_of: MissingOf = lambda t: None,
) -> tuple[NoiseModel, dict[str, Any]]:
    """What is known of the noise, and how it is told.

    Parameters
    ----------
    path
        The source.
    index
        Of the source.
    frames
        The frames to restore.
    settings
        Say whether the noise is measured, a number or a profile. What a number leaves open, and a profile may,
        is whether the noise was clipped: a few frames tell.
    coding
        Of the source, whose errors are noise, too, if they are to be repaired.
    missing_of
        What a frame does not show: nothing of it is measured.

    Returns
    -------
    tuple[NoiseModel, dict[str, Any]]
        The model, and its facts for people and programs; see `noise_facts`.

    Raises
    ------
    UsageError
        If the profile cannot be used.
    reelprior.io.errors.InputError
        If the frames cannot be read.
    """
    reading = settings.source.reading
    look = functools.cache(lambda: _look(path, index, frames, reading, missing_of))
    noise, facts = noise_in(
        look,
        settings,
        coding,
        frames,
        look_at_pairs=functools.cache(lambda: _look_at_pairs(path, index, frames, reading, missing_of)),
    )
    return (noise if index.field_order is None else noise.along_rows()), facts


def noise_in(
    look: Look,
    settings: Settings,
    coding: SourceCoding,
    frames: range | None = None,
    *,
    look_at_pairs: Look | None,
) -> tuple[NoiseModel, dict[str, Any]]:
    """The same for frames that ``look`` reads where they are needed.

    ``frames`` are those of the source whose quantisers count; None for all that ``coding`` tells of.
    ``look_at_pairs`` reads frames and those that follow them; None where these are not wanted.
    """
    noise, facts = _noise_in(look, settings, coding, frames, look_at_pairs=look_at_pairs)
    if noise.sigma**2 > LEAST_VARIANCE and _is_grey(look()):
        noise = noise.of_grey()
        if facts["spectrum"] == "white":
            facts = facts | {"spectrum": "grey"}
    return noise, facts


def _is_grey(looked: Looked) -> bool:
    """Whether red, green and blue are the same, but for rounding; their noise is the same then, too."""
    red, green, blue = looked.frames.swapaxes(0, 1)
    known = np.ones(green.shape, np.bool_) if looked.missing is None else ~looked.missing
    if not known.any():
        return False
    return all(float(np.abs(other - green)[known].mean()) < _ROUNDED for other in (red, blue))


def _noise_in(
    look: Look,
    settings: Settings,
    coding: SourceCoding,
    frames: range | None,
    *,
    look_at_pairs: Look | None,
) -> tuple[NoiseModel, dict[str, Any]]:
    """As if red, green and blue had noise of their own."""
    given = settings.denoise
    if settings.deblock:
        errors, source = coding.errors(frames, lambda: look().filled)
        own = None
        if given != "none":
            # Not over time: the errors of coding change from frame to frame, too, and would count twice.
            own, _ = _noise_in(
                look, settings.model_copy(update={"deblock": False}), coding, None, look_at_pairs=None
            )
        noise = with_coding_errors(own, errors)
        told = {"coding_sigma_8bit": round(sigma_8bit(errors), 2), "coding": source}
        return noise, {**_facts(noise), "measured": False, **told}
    if given == "none" and settings.scale > 1:
        # Resolution alone is asked for: what was captured is believed, but for its rounding.
        exact = NoiseModel(0.0, LEAST_VARIANCE)
        return exact, {**_facts(exact), "measured": False}
    if settings.noise_profile is not None:
        profile = load_profile(settings.noise_profile)
        noise = _coloured(profile.at(), look, look_at_pairs, coding)
        if not profile.states_clipping:
            noise = _clipped(noise, look())
    elif given == "none" and _little_is_left(look()):
        # Detail between scattered pixels passes for noise, and what is not taken off need not be known exactly.
        exact = NoiseModel(0.0, LEAST_VARIANCE)
        return exact, {**_facts(exact), "measured": False}
    elif isinstance(given, str):
        # Where only the mask is restored the noise stays, but the engine must know it in order not to fit it.
        estimate = _estimated(look, look_at_pairs, coding)
        return estimate.noise, noise_facts(estimate)
    else:
        noise = _coloured(NoiseModel.from_sigma_8bit(given), look, look_at_pairs, coding)
        noise = _clipped(noise, look())
    return noise, {**_facts(noise), "measured": False}


def _little_is_left(looked: Looked) -> bool:
    return looked.missing is not None and bool(looked.missing.mean() > _MUCH)


def _clipped(noise: NoiseModel, looked: Looked) -> NoiseModel:
    return detect_clipping(noise, looked.frames, looked.missing)


def measure(path: str, index: FrameIndex, frames: range, coding: SourceCoding) -> NoiseEstimate:
    """Measure the noise on a few frames, evenly spread over a range."""
    return _estimated(
        lambda: _look(path, index, frames, AS_TAGGED, lambda t: None),
        lambda: _look_at_pairs(path, index, frames, AS_TAGGED, lambda t: None),
        coding,
    )


def _estimated(look: Look, look_at_pairs: Look | None, coding: SourceCoding) -> NoiseEstimate:
    """By what single frames show and, where they may be asked for, by what changes from frame to frame."""
    looked = look()
    estimate = estimate_noise(looked.frames, looked.missing)
    if look_at_pairs is None:
        return estimate
    pairs = look_at_pairs()
    return measure_over_time(pairs.frames, estimate, is_coded=coding.has_lost, missing=pairs.missing)


def _coloured(noise: NoiseModel, look: Look, look_at_pairs: Look | None, coding: SourceCoding) -> NoiseModel:
    """Noise whose strength was given, with its spectrum, where the footage shows noise of about that strength."""
    if look_at_pairs is None or not len(look_at_pairs().frames):
        return noise
    measured = _estimated(look, look_at_pairs, coding).noise
    is_it = noise.sigma < _AS_STRONG * measured.sigma and measured.sigma < _AS_STRONG * noise.sigma
    return replace(noise, spectrum=measured.spectrum) if is_it else noise


def noise_facts(estimate: NoiseEstimate) -> dict[str, Any]:
    """Sigmas in 8-bit grey levels, kind, correlation of neighbouring pixels, and the model itself."""
    return {
        **_facts(estimate.noise),
        "measured": True,
        "kind": estimate.kind,
        "correlation": estimate.correlation,
    }


def sigma_8bit(noise: NoiseModel) -> float:
    """Standard deviation at mid-grey, in 8-bit grey levels: the one number that people know noise by."""
    return 255.0 * noise.sigma


def _facts(noise: NoiseModel) -> dict[str, Any]:
    return {
        "sigma_8bit": round(sigma_8bit(noise), 2),
        "sigma_8bit_red_green_blue": [round(255.0 * sigma, 2) for sigma in noise.sigmas()],
        "gain": noise.gain,
        "offset": noise.offset,
        "clipped": noise.clipped,
        "spectrum": "white" if noise.spectrum is None else "measured",
    }


def _look(path: str, index: FrameIndex, frames: range, reading: Reading, missing_of: MissingOf) -> Looked:
    """A few frames."""
    unreadable = index.unreadable
    chosen = _spread([t for t in frames if t not in unreadable] or frames)
    with open_reader(path, index, reading=reading) as reader:
        pixels = [_captured(frame.pixels, index, t) for t in chosen for frame in reader.read(t, t + 1)]
    missing = [_captured_of(missing_of(t), index, t, like) for t, like in zip(chosen, pixels, strict=True)]
    return _looked(np.stack(pixels), missing)


def _look_at_pairs(
    path: str, index: FrameIndex, frames: range, reading: Reading, missing_of: MissingOf
) -> Looked:
    """The middle of a few frames and of those that follow; of fields, those of the same rows."""
    step, unreadable = 1 if index.field_order is None else 2, index.unreadable
    there = [t for t in frames if t + step < len(index) and not unreadable & {t, t + step}]
    pairs, missing = [], []
    with open_reader(path, index, reading=reading) as reader:
        for t in _spread(there):
            both = (t, t + step)
            pair = [_captured(frame.pixels, index, t) for k in both for frame in reader.read(k, k + 1)]
            holes = [_captured_of(missing_of(k), index, k, like) for k, like in zip(both, pair, strict=True)]
            at = middle(*pair[0].shape[1:], pixels=PIXELS_TO_COMPARE)
            pairs.append([np.ascontiguousarray(one[:, *at]) for one in pair])
            missing.append([one[at] for one in holes])
    return _looked(np.array(pairs, np.float32), missing)


def _looked(frames: NDArray[np.float32], missing: Sequence[Any]) -> Looked:
    holes = np.array(missing, np.bool_)
    return Looked(frames, holes if holes.any() else None)


def _spread(frames: Sequence[int]) -> list[int]:
    """A few of them, evenly."""
    count = min(_FRAMES_TO_LOOK_AT, len(frames))
    return [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]


def _captured(pixels: NDArray[Any], index: FrameIndex, t: int) -> NDArray[Any]:
    """The rows that were captured: of a field half of them, since the others are interpolated and less noisy."""
    if index.field_order is None:
        return pixels
    return pixels[:, 1 if is_bottom(index, t) else 0 :: 2][:, : pixels.shape[1] // 2]


def _captured_of(
    missing: NDArray[np.bool_] | None, index: FrameIndex, t: int, like: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """(H, W): what is missing of the rows that were captured, (3, H, W)."""
    if missing is None:
        return np.zeros(like.shape[1:], np.bool_)
    captured: NDArray[np.bool_] = _captured(missing[None], index, t)[0]
    return captured
