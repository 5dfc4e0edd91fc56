"""The error tree of this layer.

::

    MediaError
    ├── InputError     a source cannot be read, or is of a kind that is not supported   (exit status 3)
    └── OutputError    a target cannot be written, or cannot hold what it is asked to   (exit status 5)
        └── DiskFull   because there is no room left: every other target there fails too

Every error of PyAV, OpenCV or the operating system is translated into one of these at the boundary, with
``raise ... from``. A message is one line that names the file, the value and the remedy.
"""

__all__ = ["DiskFull", "InputError", "MediaError", "OutputError"]


class MediaError(Exception):
    """Something about a file: the base of this layer's errors."""


class InputError(MediaError):
    """A source that is missing, empty, broken or of an unsupported kind."""


class OutputError(MediaError):
    """A target that exists, cannot be written, or whose container cannot hold a stream."""


class DiskFull(OutputError):  # noqa: N818 - a state of the disk, and the reason why the target cannot be written
    """There is no room for a target; what comes next would not fit either."""
