"""The versions a result depends on, for a job's fingerprint and JSON, the report and ``reelprior doctor``."""

import functools
import platform
from importlib import metadata

__all__ = ["versions"]

_DISTRIBUTIONS = ("reelprior", "torch", "av", "numpy", "opencv-python-headless", "kornia", "distributed")


@functools.cache
def versions() -> dict[str, str]:
    """Version of Python and of every distribution that touches pixels, by name."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _DISTRIBUTIONS}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
