"""What compression did to a source, as far as it says so: quantisation as noise, and as bounds of JPEG pictures.

A JPEG picture has tables. Of a video the decoder may tell quantisers (`reelprior.io.quantisers`), which differ from
scene to scene, so that every chunk goes by its own. Of other coded video the rate tells about how strong errors are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.fixity import is_lossless
from reelprior.io.jpeg import read_jpeg_coding
from reelprior.io.probe import MediaInfo
from reelprior.io.quantisers import Quantisers
from reelprior.models.noise import NoiseModel, PerChannel
from reelprior.models.quantisation import Quantisation, errors_of_rate, errors_of_step
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.settings import Settings

__all__ = ["SourceCoding", "check_coding", "noise_there", "quantisation_of", "with_coding_errors"]


@dataclass(frozen=True)
class SourceCoding:
    """How a source was coded.

    Attributes
    ----------
    path
        Of the source.
    is_video
        Whether it is a video, not pictures.
    quantisers
        As its decoder tells them.
    bits_per_pixel
        Of the whole file: what sound takes makes errors seem a little weaker.
    has_lost
        Whether its coding took something away.
    """

    path: str
    is_video: bool
    quantisers: Quantisers
    bits_per_pixel: float
    has_lost: bool

    @classmethod
    def of(cls, source: MediaInfo, quantisers: Quantisers, *, frames: int) -> "SourceCoding":
        """That of a source of so many frames."""
        video = source.video
        size = Path(source.path).stat().st_size if source.kind == "video" else 0
        rate = 8 * size / (video.width * video.height * frames)
        return cls(source.path, source.kind == "video", quantisers, rate, _has_lost(source))

    def stated_errors(self, frames: range | None = None) -> tuple[NoiseModel, str] | None:
        """The errors that the source states, as noise, over a range of frames or all of them, and by what; or None.

        Raises
        ------
        reelprior.io.errors.InputError
            If the source cannot be read.
        """
        if not self.is_video:
            quantisation = quantisation_of(self.path)
            return None if quantisation is None else (quantisation.noise, "the picture's quantisation tables")
        if self.quantisers.mean(frames) == 0:
            return None
        told = f"the stream's quantisers, {self.quantisers.describe(frames)}"
        return _of_quantisers(self.quantisers, frames), told

    def errors(self, frames: range | None, look: Callable[[], NDArray[np.float32]]) -> tuple[NoiseModel, str]:
        """The same, estimated where they are not stated: on a few frames (T, 3, H, W) that ``look`` reads."""
        if not self.has_lost:
            return NoiseModel(0.0, 0.0), "none: it is coded without loss"
        stated = self.stated_errors(frames)
        if stated is not None:
            return stated[0], f"from {stated[1]}"
        estimate = errors_of_rate(look(), bits_per_pixel=self.bits_per_pixel)
        return estimate, f"estimated from {self.bits_per_pixel:.2g} bits a pixel"


def check_coding(source: MediaInfo, settings: Settings) -> None:
    """Refuse to undo the coding of a source that has none, where nothing else is to be taken off.

    Raises
    ------
    UsageError
        If ``settings`` ask for that, and it is neither a JPEG picture nor a video with a lossy codec.
    reelprior.io.errors.InputError
        If it cannot be read.
    """
    if not settings.deblock or settings.denoise != "none" or _has_lost(source):
        return
    what = f"is coded without loss ({source.video.codec})" if source.kind == "video" else "is no JPEG picture"
    raise UsageError(
        f"--deblock: {source.path} {what} and states no errors to repair; give the strength of older ones instead, "
        "such as --no-deblock --denoise 5"
    )


def _has_lost(source: MediaInfo) -> bool:
    """Whether its coding took something away."""
    if source.kind == "video":
        return not is_lossless(source.video.codec)
    return quantisation_of(source.path) is not None


def quantisation_of(path: str) -> Quantisation | None:
    """The bounds that a JPEG picture states; None for any other source.

    Raises
    ------
    reelprior.io.errors.InputError
        If it cannot be read.
    """
    coding = read_jpeg_coding(path) if Path(path).is_file() else None
    if coding is None:
        return None
    bounded = 1 if coding.is_subsampled else len(coding.tables)
    return Quantisation(coding.tables, bounded if coding.is_upright else 0)


def with_coding_errors(noise: NoiseModel | None, errors: NoiseModel) -> NoiseModel:
    """The noise of a source, if it has any of its own, and the errors of its coding together."""
    if noise is None:
        return errors
    assert isinstance(errors.offset, float)
    return replace(noise, offset=_sum(noise.offset, errors.offset))


def noise_there(noise: NoiseModel, quantisers: Quantisers, *, whole: range, there: range) -> NoiseModel:
    """The noise of a part of a clip, whose quantisers differ from those of the whole.

    Parameters
    ----------
    noise
        Of the whole, the errors of its coding included.
    quantisers
        Of all frames.
    whole, there
        The frames that ``noise`` is of, and the part.
    """
    if not (quantisers.mean(whole) > 0 and quantisers.mean(there) > 0):
        return noise
    mean, own = (_of_quantisers(quantisers, frames).offset for frames in (whole, there))
    assert isinstance(mean, float) and isinstance(own, float)
    return replace(noise, offset=_sum(noise.offset, own - mean))


def _of_quantisers(quantisers: Quantisers, frames: range | None) -> NoiseModel:
    return errors_of_step(quantisers.mean(frames), loop_filter=quantisers.kind == "h264")


def _sum(offset: PerChannel, errors: float) -> PerChannel:
    if isinstance(offset, tuple):
        red, green, blue = offset
        return (red + errors, green + errors, blue + errors)
    return offset + errors
