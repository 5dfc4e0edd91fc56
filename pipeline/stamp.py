"""Stamps: whether a file may have changed, told by size and time of change without reading it.

An equal stamp counts as unchanged. Another stamp says nothing yet: a copy or a `touch` changes the time alone, so
whoever finds one compares hashes. Times are only compared for equality; a clock that was set back does not matter.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.io.images import list_images
from reelprior.pipeline.job import content_hash

__all__ = ["content_hash_of", "stamp", "stamp_of"]


def stamp(path: str | Path | None) -> str | None:
    """Size and time of change of a file, or of all pictures of a sequence; None where there is nothing."""
    if path is None:
        return None
    try:
        return _of_file(Path(path).stat()) if Path(path).is_file() else _of_pictures(Path(path))
    except (OSError, InputError):
        return None


def stamp_of(paths: Sequence[str]) -> str | None:
    """Of a source that is one path or several; None where one is missing."""
    stamps = [found for path in paths if (found := stamp(path)) is not None]
    return " ".join(stamps) if len(stamps) == len(paths) else None


def content_hash_of(paths: Sequence[str]) -> str:
    """Hash of the content of a source that is one path or several. Raises `InputError` if one cannot be read."""
    hashes = [content_hash(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _of_file(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}"


def _of_pictures(path: Path) -> str:
    pictures = list_images(path)
    lines = "\n".join(f"{picture.name} {_of_file(picture.stat())}" for picture in pictures)
    return f"{len(pictures)} pictures:{hashlib.sha256(lines.encode()).hexdigest()[:32]}"
