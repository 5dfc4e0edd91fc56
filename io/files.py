"""Files that are whole or absent: temporary sibling, flush to disk, rename. Their hashes, and arrays in them.

A crash at any moment leaves either the old file or the new one under the final name, never half of one. A
killed process may leave a hidden ``.NAME.*.part.EXT`` beside it, which nobody reads.
"""

import errno
import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import DiskFull, InputError, MediaError, OutputError

__all__ = ["atomic_path", "commit", "load_arrays", "save_arrays", "sha256", "unwritable"]

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_path(final: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``final`` that is renamed to it on a clean exit and removed on any error.

    The name is random, so two processes that write the same file do not disturb each other: the last one
    wins, whole. Its suffix is that of ``final``, because encoders choose the format by it.

    Raises
    ------
    OutputError
        Where the operating system refuses the writing (a full disk, a missing folder, no permission).
    """
    final = Path(final)
    # A name may have 255 bytes, which the stem alone may use up.
    temporary = final.with_name(f".{final.stem[:40]}.{secrets.token_hex(4)}.part{final.suffix}")
    try:
        yield temporary
        commit(temporary, final)
    except MediaError:
        raise
    except OSError as error:
        raise unwritable(final, error) from error
    finally:
        temporary.unlink(missing_ok=True)  # gone already after the rename


def commit(temporary: Path, final: Path) -> None:
    """Flush a finished file to disk and give it its name, replacing what was there. Raises `OSError`."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(final)
    if os.name == "posix":  # the rename itself lives in the folder, which Windows cannot flush
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def unwritable(path: str | Path, error: OSError) -> OutputError:
    """Put an error of the operating system into one line that names the file and the remedy.

    The error of PyAV and that of Python look alike here: both carry ``errno`` and ``strerror``.
    """
    if error.errno in _FULL_DISK:
        return DiskFull(
            f"{path}: cannot be written ({error.strerror or error}): "
            "free some space on that disk, or write to another one"
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        remedy = "create its folder first"
    else:
        remedy = "check the permissions of its folder, or write somewhere else"
    return OutputError(f"{path}: cannot be written ({error.strerror or error}): {remedy}")


def sha256(path: str | Path) -> str:
    """Hash of a file, 64 hexadecimal digits. Raises `InputError` if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as one npz file, atomically. Equal arrays give equal bytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    ValueError
        For arrays of Python objects: a file of those runs code when it is read.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"array {name!r} holds Python objects (dtype {array.dtype})")
    with atomic_path(path) as temporary, temporary.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            # np.savez reserves the argument name "file" and some versions stamp the time; a fixed entry does
            # neither.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def load_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote. Raises `InputError` if it is missing, damaged or of another kind."""
    try:
        # Opened here, because np.load leaves the file open when it is no archive.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a file of arrays, or a damaged one ({error})") from error
