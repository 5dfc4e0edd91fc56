"""BagIt bags: files with a manifest of their hashes, as archives hand them over and check them.

Made and checked by the Library of Congress's ``bagit``, an optional dependency. A bag is built beside its place and
renamed, so an interrupted one is never taken for a whole one.
"""

import logging
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelprior.io.errors import OutputError
from reelprior.io.files import unwritable
from reelprior.pipeline.errors import RestorationError, UsageError
from reelprior.pipeline.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_bag", "make_bag", "payload_of", "verify_bag"]


def is_bag(path: str | Path) -> bool:
    """Whether a folder says of itself that it is a bag."""
    return (Path(path) / "bagit.txt").is_file()


def payload_of(outputs: Sequence[Path]) -> dict[str, Path]:
    """Outputs and what lies beside them under their names (``OUTPUT.premis.xml``), by their place in a bag.

    Raises
    ------
    UsageError
        If one is missing, or two are called the same.
    """
    payload: dict[str, Path] = {}
    for output in outputs:
        if not output.exists():
            raise UsageError(f"{output}: no such file or folder: restore it first")
        beside = output.absolute().parent
        companions = [
            file for file in _entries(beside) if file.name.startswith(f"{output.name}.") and file.is_file()
        ]
        for file in (output.absolute(), *companions):
            if payload.setdefault(file.name, file) != file:
                raise UsageError(
                    f"{output}: another file called {file.name} goes into the bag already: rename one"
                )
    return payload


def make_bag(path: str | Path, files: Mapping[str, str | Path], *, info: Mapping[str, str]) -> None:
    """Make a bag of files.

    Where the file system has hard links the payload needs no second place on the disk: a bag is to be handed over,
    and a copy of it stands alone.

    Parameters
    ----------
    path
        The folder to make; must not exist.
    files
        Path below ``data/`` -> the file or folder that goes there.
    info
        For ``bag-info.txt``, under the names of RFC 8493: "External-Description".

    Raises
    ------
    UsageError
        If ``bagit`` is missing.
    OutputError
        If the bag exists or cannot be written.
    """
    bagit, path = _bagit(), Path(path)
    if path.exists():
        raise OutputError(f"{path}: exists already: name another folder for the bag")
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        building.mkdir()
        for name, file in sorted(files.items()):
            _place(Path(file), building / name)
        with _without_its_log():
            bagit.make_bag(
                str(building.absolute()),
                {"Bag-Software-Agent": _agent(bagit), **info},
                checksums=["sha256"],
            )
        building.rename(path)
    except bagit.BagError as error:
        raise OutputError(f"{path}: cannot be made ({error})") from error
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)  # gone already after the rename


def verify_bag(path: str | Path) -> int:
    """Check every hash of a bag, and that nothing is missing and nothing was added; how many files it holds.

    Raises
    ------
    UsageError
        If ``bagit`` is missing, or the folder is no bag.
    RestorationError
        Naming every file that is missing, added or altered.
    """
    bagit = _bagit()
    if not is_bag(path):
        raise UsageError(f"{path}: is not a bag: it has no bagit.txt")
    try:
        with _without_its_log():
            bag = bagit.Bag(str(path))
            # The library itself would only say that the number of files differs.
            missing, added = bag.compare_manifests_with_fs()
            strays = [f"{name} is missing" for name in missing] + [f"{name} was added" for name in added]
            if strays:
                raise RestorationError(f"{path}: the bag is not whole: {'; '.join(sorted(strays))}")
            bag.validate()
    except bagit.BagValidationError as error:
        faults = "; ".join(str(detail) for detail in error.details) or str(error)
        raise RestorationError(f"{path}: the bag is not whole: {' '.join(faults.split())}") from error
    except bagit.BagError as error:
        raise RestorationError(f"{path}: the bag cannot be read ({error})") from error
    return sum(1 for _ in bag.payload_files())


def _place(file: Path, target: Path) -> None:
    """Link a file to its place in the bag, or copy it where there are no links; folders with all in them."""
    if file.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for entry in _entries(file):
            _place(entry, target / entry.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def _entries(folder: Path) -> Sequence[Path]:
    """What is in a folder, without the hidden files that a killed run may have left."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _agent(bagit: Any) -> str:
    return f"reelprior {versions()['reelprior']}, bagit {bagit.VERSION}"


def _bagit() -> Any:
    try:
        import bagit
    except ImportError as error:
        raise UsageError("bags need the package bagit: pip install 'reelprior[archive]'") from error
    return bagit


@contextmanager
def _without_its_log() -> "Iterator[None]":
    """Keep the library's own log lines off the terminal: what matters comes back as an error."""
    log = logging.getLogger("bagit")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)
