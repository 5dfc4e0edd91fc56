"""The environment that V-BM3D runs in: VapourSynth's wheels need Python 3.12 or newer, whatever runs the benchmark."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MissingError", "python_with_vapoursynth"]

_REQUIREMENTS = Path(__file__).with_name("vapoursynth.txt")
_MINORS = (12, 13, 14)


class MissingError(Exception):
    """Why there is no such environment."""


def python_with_vapoursynth(folder: Path) -> str:
    """The interpreter of the environment in a folder, which is made when it is missing or out of date.

    Raises
    ------
    MissingError
        If there is no Python for it, or the packages cannot be installed.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    installed = folder / _REQUIREMENTS.name
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    if not (installed.is_file() and installed.read_text(encoding="utf-8") == wanted and python.is_file()):
        shutil.rmtree(folder, ignore_errors=True)
        _run([_suitable_python(), "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)])
        installed.write_text(wanted, encoding="utf-8")
    return str(python)


def _suitable_python() -> str:
    for candidate in _candidates():
        if _minor_version(candidate) in _MINORS:
            return candidate
    raise MissingError(f"no Python 3.{_MINORS[0]} to 3.{_MINORS[-1]} on this machine")


def _candidates() -> Iterator[str]:
    yield sys.executable
    for minor in _MINORS:
        if found := shutil.which(f"python3.{minor}"):
            yield found
    # pyenv's commands answer only for the version that is switched on; the others are here.
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in _MINORS:
        yield from sorted(map(str, versions.glob(f"3.{minor}.*/bin/python")))


def _minor_version(python: str) -> int | None:
    """The y of 3.y, or None if the command does not run (pyenv leaves such ones about) or has no venv."""
    command = [python, "-c", "import sys, venv, ensurepip; print(sys.version_info[1])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return int(done.stdout) if done.returncode == 0 else None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise MissingError(
            f"{Path(command[0]).name} {' '.join(command[1:4])}: {lines[-1] if lines else done.returncode}"
        )
