"""Mask lists: a small TOML file that says which mask holds for which frames.

::

    [[mask]]
    path = "logo.png"          # a picture, a folder or a video; relative to the list

    [[mask]]
    path = "found"             # a folder: its first mask is for frame 100
    frames = "100:124"         # half-open; an end that is left out is the clip's

Where several hold, what any of them marks is missing; where none holds, nothing is.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from reelprior.io.errors import InputError

__all__ = ["ListedMask", "is_mask_list", "read_mask_list"]


@dataclass(frozen=True)
class ListedMask:
    """One entry: masks, and the frames of the clip for which they hold."""

    path: Path
    frames: range


def is_mask_list(path: str | Path) -> bool:
    """Whether a mask is a list of masks, by its suffix."""
    return Path(path).suffix.lower() == ".toml"


def read_mask_list(path: str | Path, *, frames: int | None = None) -> list[ListedMask]:
    """Read a list.

    Parameters
    ----------
    frames
        Of the clip; None leaves ends that are not given at 0, for callers who only want the paths.

    Raises
    ------
    InputError
        When it cannot be read, is empty, or an entry is wrong: an unknown key, a range beyond the clip.
    """
    path = Path(path)
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a list of masks in TOML ({error})") from error
    entries = tree.get("mask")
    if set(tree) != {"mask"} or not isinstance(entries, list) or not entries:
        raise InputError(f'{path}: a list of masks is made of [[mask]] entries with path = "..."')
    return [_entry(path, entry, frames) for entry in entries]


def _entry(path: Path, entry: object, frames: int | None) -> ListedMask:
    if not isinstance(entry, dict) or not {"path"} <= set(entry) <= {"path", "frames"}:
        raise InputError(f'{path}: a [[mask]] entry has path = "..." and, if it is timed, frames = "A:B"')
    name, span = entry["path"], entry.get("frames", ":")
    if not isinstance(name, str) or not isinstance(span, str):
        raise InputError(f"{path}: path and frames of a [[mask]] entry are text, in quotes")
    start, colon, stop = span.partition(":")
    try:
        if not colon:
            raise ValueError
        held = range(int(start or 0), int(stop) if stop else (frames or 0))
    except ValueError:
        raise InputError(
            f'{path}: frames = "{span}": write "A:B", a half-open range of frame indices'
        ) from None
    if frames is not None and not 0 <= held.start < held.stop <= frames:
        raise InputError(f'{path}: frames = "{span}": the clip has the frames 0:{frames}')
    return ListedMask(path.parent / name, held)
