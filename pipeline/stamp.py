"""Stamps: whether a file may have changed, told by size and time of change without reading it.

An equal stamp counts as unchanged. Another stamp says nothing yet: a copy or a `touch` changes the time alone, so
whoever finds one compares hashes. Times are only compared for equality; a clock that was set back does not matter.
"""

import hashlib
import os
from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.io.images import list_images

__all__ = ["stamp"]


def stamp(path: str | Path | None) -> str | None:
    """Size and time of change of a file, or of all pictures of a sequence; None where there is nothing."""
    if path is None:
        return None
    try:
        return _of_file(Path(path).stat()) if Path(path).is_file() else _of_pictures(Path(path))
    except (OSError, InputError):
        return None


def _of_file(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}"


def _of_pictures(path: Path) -> str:
    pictures = list_images(path)
    lines = "\n".join(f"{picture.name} {_of_file(picture.stat())}" for picture in pictures)
    return f"{len(pictures)} pictures:{hashlib.sha256(lines.encode()).hexdigest()[:32]}"
