"""Wide regions missing from photographs, beside OpenCV's two methods; a part of the section of tasks."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from clips import read_picture
from measuring import psnr_of
from numpy.typing import NDArray
from session import Session
from table import Figure, Table, at_least

__all__ = ["measure_regions", "regions"]

Picture = NDArray[np.uint8]
#: (picture, name, mask) to the picture restored and the seconds that it took.
Restore = Callable[[Picture, str, NDArray[np.bool_]], tuple[Picture, float]]
#: Widths of the ellipses in pixels, one and a half times as long, and how many of each there are.
_WIDTHS = {16: 3, 32: 2, 48: 1}
_SIDE = 256
#: Known pixels between two of them at least, and how often a place is looked for.
_APART, _TRIALS = 12, 50
_METHODS = {"Telea": cv2.INPAINT_TELEA, "NS": cv2.INPAINT_NS}


def regions(height: int, width: int, *, seed: int) -> NDArray[np.int32]:
    """(H, W): ellipses at random places and angles, the width of its ellipse in every pixel, 0 between them."""
    random, found = np.random.default_rng(seed), np.zeros((height, width), np.int32)
    around = np.ones((2 * _APART + 1,) * 2, np.uint8)
    for wide, count in _WIDTHS.items():
        for _ in range(count):
            for _ in range(_TRIALS):
                centre = (int(random.integers(wide, width - wide)), int(random.integers(wide, height - wide)))
                canvas = np.zeros((height, width), np.uint8)
                axes = (wide * 3 // 4, wide // 2)
                cv2.ellipse(canvas, centre, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
                if not found[np.asarray(cv2.dilate(canvas, around)) > 0].any():
                    found[canvas > 0] = wide
                    break
    return found


def measure_regions(session: Session, folder: Path, *, restore: Restore) -> tuple[list[Figure], Table]:
    """The middle of each photograph of a folder, with regions of three widths missing at once."""
    paths = sorted(folder.glob("*.png"))[: 2 if session.is_shortened else None]
    rows, gains = [], []
    for number, path in enumerate(paths):
        truth = _middle(read_picture(path))
        widths = regions(*truth.shape[:2], seed=number)
        missing = widths > 0
        damaged = np.where(missing[..., None], np.uint8(128), truth)
        results = [
            np.asarray(cv2.inpaint(damaged, missing.astype(np.uint8), 3, method), np.uint8)
            for method in _METHODS.values()
        ]
        ours, seconds = restore(damaged, f"regions-{path.stem}", missing)
        results.append(ours)
        scores = [psnr_of(result[missing], truth[missing]) for result in results]
        gains.append(scores[-1] - max(scores[:-1]))
        each = " / ".join(f"{psnr_of(ours[widths == wide], truth[widths == wide]):.1f}" for wide in _WIDTHS)
        rows.append((path.stem, *(f"{score:.2f}" for score in scores), each, f"{seconds:.0f}"))
    figure = at_least(
        "regions of 16 to 48 pixels: over Telea and NS, in them, mean", float(np.mean(gains)), 0.0, unit="dB"
    )
    heads = ("regions missing: dB in them", *_METHODS, "reelprior", "by width, 16 / 32 / 48", "s")
    return [figure], Table(heads, rows)


def _middle(picture: Picture) -> Picture:
    top, left = (max(0, (length - _SIDE) // 2) for length in picture.shape[:2])
    return picture[top : top + _SIDE, left : left + _SIDE]
