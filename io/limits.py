"""What a file may ask of this machine before it is refused: resource limits, from the environment.

A file's header can declare a picture that needs a hundred times the memory there is, and a crafted file can
decompress to it. Limits are checked on what headers say, before a decoder takes memory. They come from the
environment, because every process that opens a file has one, worker processes on other machines included:

========================== ================================================================ =========
variable                   what it limits                                                    default
========================== ================================================================ =========
REELPRIOR_MAX_MEGAPIXELS   pixels of a frame, in millions                                    200
REELPRIOR_MAX_FRAMES       frames of a source                                                10000000
REELPRIOR_MAX_SECONDS      seconds until a file has to be open, and to wait for its data     60
========================== ================================================================ =========
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reelprior.io.errors import InputError

__all__ = ["Limits", "check_pixels"]


@dataclass(frozen=True)
class Limits:
    """See the module's table; the names are those of the variables without their prefix."""

    max_megapixels: float = 200.0
    max_frames: int = 10_000_000
    max_seconds: float = 60.0

    @property
    def max_pixels(self) -> int:
        """Of a frame."""
        return int(self.max_megapixels * 1e6)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Limits":
        """The limits as ``environment`` (by default that of the process) sets them.

        Raises
        ------
        InputError
            If a variable holds no number above 0.
        """
        given = os.environ if environment is None else environment
        return cls(
            max_megapixels=_number(given, "REELPRIOR_MAX_MEGAPIXELS", cls.max_megapixels),
            max_frames=int(_number(given, "REELPRIOR_MAX_FRAMES", cls.max_frames)),
            max_seconds=_number(given, "REELPRIOR_MAX_SECONDS", cls.max_seconds),
        )


def check_pixels(path: Path, width: int, height: int) -> None:
    """Raise `InputError` for a frame of more pixels than the limit."""
    limit = Limits.from_environment().max_megapixels
    if width * height > limit * 1e6:
        raise InputError(
            f"{path}: {width}x{height} pixels are {width * height / 1e6:.0f} million, more than the limit of "
            f"{limit:g}: set REELPRIOR_MAX_MEGAPIXELS higher if the file is meant to be that large"
        )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"{name}={text}: not a number above 0: change this environment variable or unset it")
    return value
