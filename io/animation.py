"""Pictures that move: a file with the suffix of an image that holds several frames is a film, and is read as one.

OpenCV would show the first frame of an animated PNG, and of a GIF that was renamed, and the others would be lost
without a word. FFmpeg gives them all, each composed and with its time.
"""

import struct
from pathlib import Path

__all__ = ["is_animated"]

_PNG = b"\x89PNG\r\n\x1a\n"
_GIF = b"GIF8"
_MOST_CHUNKS = 1000  # before the pixels; more are no picture that anybody made


def is_animated(path: Path) -> bool:
    """Whether a file is a PNG of several frames, or a GIF, by its first bytes; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_PNG))
            if start.startswith(_GIF):
                return True
            if start != _PNG:
                return False
            for _ in range(_MOST_CHUNKS):
                length, kind = struct.unpack(">I4s", file.read(8))
                if kind == b"acTL":  # PNG, third edition, 11.3.6.1
                    return bool(struct.unpack(">I", file.read(4))[0] > 1)
                if kind in (b"IDAT", b"IEND"):
                    return False
                file.seek(length + 4, 1)
    except (OSError, ValueError, struct.error):
        return False
    return False
