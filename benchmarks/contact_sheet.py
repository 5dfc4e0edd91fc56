"""A contact sheet of the real flash pairs: each shot, what the program makes of them, and a part of it at 100 %.

``python benchmarks/contact_sheet.py [SHEET.jpg]``. The photographs may not be redistributed, and neither may the sheet:
it is made where they are.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from clips import DATA, read_picture
from flash_files import restore
from flash_scenes import PAIRS
from numpy.typing import NDArray
from session import Session

_Bytes = NDArray[np.uint8]
#: Width of a picture and side of a part, in pixels; and how bright the middle of a dark shot is shown.
_WIDTH, _PART, _SHOWN_MEAN = 300, 150, 90
_GAP, _QUALITY = 6, 88


def main() -> int:
    """Restore every pair and lay everything side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path, nargs="?", default=Path("flash-pairs.jpg"))
    parser.add_argument(
        "--data", type=Path, default=DATA, help="the folder of footage (default: $REELPRIOR_DATA)"
    )
    parser.add_argument(
        "--shrink", type=int, default=1, help="reduce the shots by so much first: a quick look"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(output=Path(folder), data=options.data)
        rows = [_row(session, name, options.shrink) for name in PAIRS]
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, _GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows
    ]
    cv2.imwrite(str(options.sheet), np.concatenate(padded), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return 0


def _row(session: Session, name: str, shrink: int) -> _Bytes:
    """Ambient, flash and restored shot, all in the ambient one's exposure but for the flash, and parts of two."""
    flash, ambient, _ = PAIRS[name]
    paths = [_shrunk(session, session.data / "photos" / file, shrink) for file in (ambient, flash)]
    output = session.output / f"{name}.png"
    result = restore(session, paths[1], paths[0], output)
    print(name, result.facts, f"{result.seconds:.0f} s", file=sys.stderr, flush=True)
    noisy, lit, restored = (read_picture(path) for path in (*paths, output))
    gain = max(1.0, _SHOWN_MEAN / max(float(noisy.mean()), 1.0))
    noisy, restored = (np.clip(picture * gain, 0, 255).astype(np.uint8) for picture in (noisy, restored))
    height = round(noisy.shape[0] * _WIDTH / noisy.shape[1])
    small = [
        cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
        for picture in (noisy, lit, restored)
    ]
    parts = np.concatenate([_busiest(picture, lit) for picture in (noisy, restored)])
    parts = np.pad(parts, ((0, max(0, height - len(parts))), (0, 0), (0, 0)), constant_values=255)
    tall = [np.pad(p, ((0, len(parts) - height), (0, _GAP), (0, 0)), constant_values=255) for p in small]
    return np.concatenate([*tall, parts], axis=1)


def _shrunk(session: Session, path: Path, shrink: int) -> Path:
    """The file itself, or a smaller copy."""
    if shrink == 1:
        return path
    smaller = session.output / f"{path.stem}.png"
    picture = read_picture(path)
    size = (picture.shape[1] // shrink, picture.shape[0] // shrink)
    cv2.imwrite(str(smaller), cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    return smaller


def _busiest(picture: _Bytes, lit: _Bytes) -> _Bytes:
    """The part, at 100 %, where the flash shot shows the most detail."""
    grey = lit.mean(axis=2).astype(np.float32)
    energy = cv2.blur((grey - cv2.GaussianBlur(grey, (0, 0), 2.0)) ** 2, (_PART, _PART))
    inside = energy[_PART // 2 : -_PART // 2, _PART // 2 : -_PART // 2]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return np.ascontiguousarray(picture[top : top + _PART, left : left + _PART])


if __name__ == "__main__":
    sys.exit(main())
