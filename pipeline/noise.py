"""The noise of a clip: given by the user as a number or a profile file, or measured on a few frames."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelprior.io.field_rate import is_bottom
from reelprior.io.reader import open_reader
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.scan import FrameIndex
from reelprior.models.noise import LEAST_VARIANCE, NoiseModel
from reelprior.models.noise_estimate import NoiseEstimate, detect_clipping, estimate_noise
from reelprior.pipeline.compression import SourceCoding, with_coding_errors
from reelprior.pipeline.noise_profile import load_profile
from reelprior.pipeline.settings import Settings

__all__ = ["measure", "noise_facts", "noise_in", "noise_of", "sigma_8bit"]

_FRAMES_TO_LOOK_AT = 5


def noise_of(
    path: str, index: FrameIndex, frames: range, settings: Settings, coding: SourceCoding
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
    look = functools.cache(lambda: _look(path, index, frames, settings.source.reading))
    return noise_in(look, settings, coding, frames)


def noise_in(
    look: Callable[[], NDArray[np.float32]],
    settings: Settings,
    coding: SourceCoding,
    frames: range | None = None,
) -> tuple[NoiseModel, dict[str, Any]]:
    """The same for frames (T, 3, H, W) that ``look`` reads where they are needed.

    ``frames`` are those of the source whose quantisers count; None for all that ``coding`` tells of.
    """
    given = settings.denoise
    if settings.deblock:
        errors, source = coding.errors(frames, look)
        own = None
        if given != "none":
            own, _ = noise_in(look, settings.model_copy(update={"deblock": False}), coding)
        noise = with_coding_errors(own, errors)
        told = {"coding_sigma_8bit": round(sigma_8bit(errors), 2), "coding": source}
        return noise, {**_facts(noise), "measured": False, **told}
    if given == "none" and settings.scale > 1:
        # Resolution alone is asked for: what was captured is believed, but for its rounding.
        exact = NoiseModel(0.0, LEAST_VARIANCE)
        return exact, {**_facts(exact), "measured": False}
    if settings.noise_profile is not None:
        profile = load_profile(settings.noise_profile)
        noise = profile.at()
        if not profile.states_clipping:
            noise = detect_clipping(noise, look())
    elif isinstance(given, str):
        # Where only the mask is restored the noise stays, but the engine must know it in order not to fit it.
        estimate = estimate_noise(look())
        return estimate.noise, noise_facts(estimate)
    else:
        noise = detect_clipping(NoiseModel.from_sigma_8bit(given), look())
    return noise, {**_facts(noise), "measured": False}


def measure(path: str, index: FrameIndex, frames: range) -> NoiseEstimate:
    """Measure the noise on a few frames, evenly spread over a range."""
    return estimate_noise(_look(path, index, frames))


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
    }


def _look(path: str, index: FrameIndex, frames: range, reading: Reading = AS_TAGGED) -> NDArray[np.float32]:
    """(T, 3, H, W) of a few frames."""
    unreadable = index.unreadable
    there = [t for t in frames if t not in unreadable] or frames
    count = min(_FRAMES_TO_LOOK_AT, len(there))
    chosen = [there[(2 * i + 1) * len(there) // (2 * count)] for i in range(count)]
    with open_reader(path, index, reading=reading) as reader:
        return np.stack(
            [_captured(frame.pixels, index, t) for t in chosen for frame in reader.read(t, t + 1)]
        )


def _captured(pixels: NDArray[np.float32], index: FrameIndex, t: int) -> NDArray[np.float32]:
    """The rows that were captured: of a field half of them, since the others are interpolated and less noisy."""
    if index.field_order is None:
        return pixels
    return pixels[:, 1 if is_bottom(index, t) else 0 :: 2][:, : pixels.shape[1] // 2]
