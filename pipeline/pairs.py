"""Which photographs of a folder, or of two, make a flash/no-flash pair: by name, else by EXIF. Decodes nothing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.io.images import natural_order
from reelprior.io.photographs import is_photograph, read_shot

__all__ = ["Found", "PairPaths", "find_pairs", "output_name", "pairs_among"]

_AMBIENT_WORD = re.compile(r"(?:no|non|without)[-_ ]?flash|ambient|available", re.IGNORECASE)
_FLASH_WORD = re.compile(r"flash", re.IGNORECASE)
#: The two shots of a pair are taken within this time.
_LONGEST_GAP = timedelta(seconds=60)


@dataclass(frozen=True)
class PairPaths:
    """Two files that belong together."""

    flash: Path
    ambient: Path


@dataclass(frozen=True)
class Found:
    """What a search found: pairs in the order of their names, and the photographs that are in none."""

    pairs: tuple[PairPaths, ...]
    unpaired: tuple[Path, ...]


def find_pairs(first: Path, second: Path | None = None) -> Found:
    """Find the pairs of two folders (flash shots, ambient shots) with equal names, or of one folder.

    In one folder the names decide where they say "flash" and "noflash" or "ambient" beside an equal rest; among the
    other photographs EXIF does: each shot with flash goes with the nearest one without, taken within a minute.

    Raises
    ------
    InputError
        If a folder cannot be read, or there is not one pair.
    """
    if second is not None:
        found = _of_two_folders(_photographs(first), _photographs(second))
        wanted = "give both folders the same file names"
    else:
        found = pairs_among(_photographs(first))
        wanted = 'name them alike but for "flash" and "noflash", or keep the EXIF that says whether the flash fired'
    if not found.pairs:
        raise InputError(f"{first}: no flash/no-flash pairs found: {wanted}")
    return found


def _photographs(folder: Path) -> list[Path]:
    try:
        files = [
            p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".") and is_photograph(p)
        ]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}: check the folder and its permissions") from error
    return sorted(files, key=natural_order)


def _of_two_folders(flashes: Sequence[Path], ambients: Sequence[Path]) -> Found:
    by_stem = {path.stem.lower(): path for path in ambients}
    pairs = [
        PairPaths(flash, by_stem[flash.stem.lower()]) for flash in flashes if flash.stem.lower() in by_stem
    ]
    return _found(pairs, [*flashes, *ambients])


def pairs_among(photographs: Iterable[Path]) -> Found:
    """The pairs among the photographs of a folder, by the rules of `find_pairs`; there may be none."""
    photographs = sorted(photographs, key=natural_order)
    pairs = _by_name(photographs)
    taken = {path for pair in pairs for path in (pair.flash, pair.ambient)}
    pairs += _by_exif([path for path in photographs if path not in taken])
    return _found(sorted(pairs, key=lambda pair: natural_order(pair.ambient)), photographs)


def output_name(ambient: Path) -> str:
    """Of a restored pair: as the ambient shot, in a format that can be written."""
    suffix = ambient.suffix.lower()
    return ambient.stem + (suffix if suffix in {".jpg", ".jpeg", ".png", ".tif", ".tiff"} else ".tif")


def _found(pairs: Sequence[PairPaths], photographs: Iterable[Path]) -> Found:
    taken = {path for pair in pairs for path in (pair.flash, pair.ambient)}
    return Found(tuple(pairs), tuple(path for path in photographs if path not in taken))


def _by_name(photographs: Sequence[Path]) -> list[PairPaths]:
    """First what is equal but for the word, then what is equal but for the word and a number before it."""
    pairs: list[PairPaths] = []
    left = list(photographs)
    for with_number in (False, True):
        groups: dict[str, tuple[list[Path], list[Path]]] = {}
        for path in left:
            if (role := _role(path)) is not None:
                groups.setdefault(_rest(path, with_number=with_number), ([], []))[role].append(path)
        # Several of one rest are told apart by their order, if there are as many of each.
        pairs += [
            PairPaths(flash, ambient)
            for flashes, ambients in groups.values()
            if len(flashes) == len(ambients)
            for flash, ambient in zip(flashes, ambients, strict=True)
        ]
        taken = {path for pair in pairs for path in (pair.flash, pair.ambient)}
        left = [path for path in left if path not in taken]
    return pairs


def _role(path: Path) -> int | None:
    """0 for a name that says flash, 1 for one that says no flash, None for one that says nothing."""
    if _AMBIENT_WORD.search(path.stem):
        return 1
    return 0 if _FLASH_WORD.search(path.stem) else None


def _rest(path: Path, *, with_number: bool) -> str:
    number = r"(?:\d+[-_ ]*)?" if with_number else ""
    word = f"{number}(?:{_AMBIENT_WORD.pattern}|{_FLASH_WORD.pattern})"
    return re.sub(r"[-_ ]+", " ", re.sub(word, " ", path.stem, flags=re.IGNORECASE)).strip().lower()


def _by_exif(photographs: Sequence[Path]) -> list[PairPaths]:
    shots = [(path, read_shot(path)) for path in photographs]
    flashes = [(path, shot.taken) for path, shot in shots if shot.flash_fired is True and shot.taken]
    ambients = [(path, shot.taken) for path, shot in shots if shot.flash_fired is False and shot.taken]
    nearest = sorted(
        (abs(flash_time - ambient_time), i, j)
        for i, (_, flash_time) in enumerate(flashes)
        for j, (_, ambient_time) in enumerate(ambients)
        if abs(flash_time - ambient_time) <= _LONGEST_GAP
    )
    pairs: dict[int, int] = {}
    for _, i, j in nearest:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [PairPaths(flashes[i][0], ambients[j][0]) for i, j in sorted(pairs.items())]
