"""What a batch is made of: the videos, image sequences and pictures in a folder or under a pattern.

By names, and by the EXIF of photographs. A folder whose pictures are numbered through (equal names but for one number)
is a sequence; among pictures of other names those that make a flash/no-flash pair (see `pairs`) are one source, the
others are pictures. Hidden files are left out: they are what other programs leave behind. Links are followed, each
folder is visited once, so links that run in a circle end.
"""

import glob
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reelprior.io.errors import InputError
from reelprior.io.images import has_image_suffix, is_images
from reelprior.io.photographs import is_photograph
from reelprior.pipeline.pairs import Found as Pairs
from reelprior.pipeline.pairs import pairs_among

__all__ = ["Found", "Kind", "find_in_folder", "find_sources", "is_pattern"]

Kind = Literal["video", "sequence", "image", "pair"]

_VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".dv", ".flv", ".m2t", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A source.

    Attributes
    ----------
    path
        A video file, a picture, the folder of a sequence, or the ambient shot of a pair.
    kind
        Which of them.
    relative
        Its path below where the search began, which is kept in the output; ``.`` for a folder that is itself a
        sequence.
    partner
        The shot with flash, of a pair.
    """

    path: Path
    kind: Kind
    relative: Path
    partner: Path | None = None


def find_sources(source: str, *, leave_out: Collection[Path] = (), pairs: bool | None = None) -> list[Found]:
    """The sources of a folder, under a glob pattern, or one file.

    Parameters
    ----------
    source
        A folder, searched with all its folders; a pattern, in which ``**`` stands for any folders; or a file.
    leave_out
        Folders that are not searched: the output's, if it lies in the source.
    pairs
        Whether photographs are looked through for flash/no-flash pairs; None: unless they are numbered through.

    Raises
    ------
    InputError
        If there is nothing, or a folder cannot be read.
    """
    path = Path(source)
    if path.is_dir():
        found = list(find_in_folder(path, leave_out=leave_out, pairs=pairs))
    elif path.is_file():
        found = [_single(path, path.parent)]
    elif is_pattern(source):
        found = _under_pattern(source, leave_out, pairs)
    else:
        raise InputError(f"{source}: there is no such file, folder or pattern: check the path")
    if not found:
        raise InputError(f"{source}: no videos and no pictures there: check the path, or write a job file")
    if pairs and not any(each.kind == "pair" for each in found):
        raise InputError(
            f"{source}: no flash/no-flash pairs there: see reelprior flash --help for their names"
        )
    return found


def is_pattern(source: str) -> bool:
    """Whether a name stands for several files."""
    return glob.has_magic(source)


def _under_pattern(pattern: str, leave_out: Collection[Path], pairs: bool | None) -> list[Found]:
    root = Path(*_before_magic(Path(pattern)))
    found: list[Found] = []
    photographs: dict[Path, list[Path]] = {}
    for path in sorted(root.glob(str(Path(pattern).relative_to(root)))):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or _lies_in(path, leave_out):
            continue
        if path.is_dir():
            if (kind := _kind_of_folder(path, sorted(_listing(path)))) is not None:
                found.append(Found(path, kind, path.relative_to(root)))
        elif is_photograph(path):
            photographs.setdefault(path.parent, []).append(path)
        elif _is_media(path):
            found.append(_single(path, root))
    for together in photographs.values():
        found += _pairs_and_pictures(together, root, pairs)
    return found


def _before_magic(pattern: Path) -> Iterator[str]:
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def find_in_folder(
    root: Path, *, leave_out: Collection[Path] = (), pairs: bool | None = None
) -> Iterator[Found]:
    """The sources of a folder and of all folders below it, in order of their names."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            _log.warning("%s: a link to a folder that has been searched already, it is left out", folder)
            continue
        seen.add((status.st_dev, status.st_ino))
        names = sorted(_listing(folder))
        paths = [folder / name for name in names if not name.startswith(".")]
        folders = [path for path in paths if path.is_dir() and not _lies_in(path, leave_out)]
        waiting += reversed(folders)
        sequence = None if pairs else _kind_of_folder(folder, names)
        if sequence is not None:
            yield Found(folder, sequence, folder.relative_to(root))
        files = [path for path in paths if not path.is_dir()]
        for path in files:
            if _is_media(path) and not is_photograph(path):
                yield _single(path, root)
        if sequence is None:
            yield from _pairs_and_pictures([path for path in files if is_photograph(path)], root, pairs)


def _pairs_and_pictures(photographs: Sequence[Path], root: Path, pairs: bool | None) -> Iterator[Found]:
    """The pairs among the photographs of a folder, and the others as pictures."""
    found = pairs_among(photographs) if pairs is not False else Pairs((), tuple(photographs))
    for pair in found.pairs:
        _log.info("%s and %s: restored as one pair", pair.flash, pair.ambient)
        yield Found(pair.ambient, "pair", pair.ambient.relative_to(root), partner=pair.flash)
    for path in found.unpaired:
        if has_image_suffix(path):
            yield _single(path, root)
        else:
            _log.warning(
                "%s: belongs to no pair, and is no picture that can be restored alone: left out", path
            )


def _single(path: Path, root: Path) -> Found:
    return Found(path, "image" if is_images(path) else "video", path.relative_to(root))


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in _VIDEO_SUFFIXES or has_image_suffix(path)


def _kind_of_folder(folder: Path, names: list[str]) -> Kind | None:
    """``sequence`` if the pictures of a folder are numbered through, whether or not a number is missing."""
    stems = [
        Path(name).stem
        for name in names
        if not name.startswith(".") and has_image_suffix(Path(name)) and (folder / name).is_file()
    ]
    matches = [_NUMBER.fullmatch(stem) for stem in stems]
    if len(stems) < 2 or not all(matches):
        return None
    return "sequence" if len({(m[1], m[3]) for m in matches if m}) == 1 else None


def _listing(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}: make it readable, or leave it out") from error


def _lies_in(path: Path, folders: Collection[Path]) -> bool:
    absolute = path.absolute()
    return any(absolute.is_relative_to(folder.absolute()) for folder in folders)
