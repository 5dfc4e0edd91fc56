"""What compression did to a source, as far as the source says so: the quantisation of a JPEG picture as noise."""

from pathlib import Path

from reelprior.io.jpeg import read_jpeg_coding
from reelprior.models.noise import NoiseModel, PerChannel
from reelprior.models.quantisation import Quantisation
from reelprior.pipeline.errors import UsageError

__all__ = ["coding_sigma_8bit", "quantisation_of", "with_coding_errors"]


def quantisation_of(path: str) -> Quantisation:
    """The quantisation that a picture states.

    Raises
    ------
    UsageError
        If the source is no JPEG picture.
    reelprior.io.errors.InputError
        If it cannot be read.
    """
    coding = read_jpeg_coding(path) if Path(path).is_file() else None
    if coding is None:
        raise UsageError(
            f"--deblock: {path} is no JPEG picture and states no quantisation; give the strength of its errors "
            "instead, such as --denoise 5"
        )
    bounded = 1 if coding.is_subsampled else len(coding.tables)
    return Quantisation(coding.tables, bounded if coding.is_upright else 0)


def coding_sigma_8bit(path: str) -> float:
    """Errors of coding in 8-bit grey levels, by the quantisation that a picture states; 0 where none does.

    Raises
    ------
    reelprior.io.errors.InputError
        If it cannot be read.
    """
    coding = read_jpeg_coding(path) if Path(path).is_file() else None
    return 0.0 if coding is None else 255 * Quantisation(coding.tables).noise.sigma


def with_coding_errors(noise: NoiseModel | None, quantisation: Quantisation) -> NoiseModel:
    """The noise of a source, if it has any of its own, and the errors of its coding together."""
    errors = quantisation.noise
    if noise is None:
        return errors
    return NoiseModel(noise.gain, _sum(noise.offset, errors.offset), noise.clipped)


def _sum(offset: PerChannel, errors: PerChannel) -> PerChannel:
    assert isinstance(errors, float)
    if isinstance(offset, tuple):
        red, green, blue = offset
        return (red + errors, green + errors, blue + errors)
    return offset + errors
