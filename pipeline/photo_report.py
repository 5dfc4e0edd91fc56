"""The report of one photograph: that of a clip, with crops at 100 % and the pictures it was made with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelprior.io.orientation import turned
from reelprior.io.photographs import Photograph, display_curve
from reelprior.io.pictures import shrink
from reelprior.pipeline.comparison import Comparison, FrameNumbers
from reelprior.pipeline.report import write_report
from reelprior.pipeline.showcase import PICTURE_WIDTH, Picture

__all__ = ["write_photo_report"]

#: Side of the crops at 100 %, in pixels, and how many.
_CROP, _CROPS = 400, 3


def write_photo_report(
    path: str,
    *,
    result: Mapping[str, Any],
    before: Photograph,
    after: NDArray[np.float32],
    exposure: float,
    others: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write it.

    Parameters
    ----------
    path
        The HTML file.
    result
        What ``--json`` prints.
    before
        The shot that was restored.
    after
        (3, H, W): the result, as stored.
    exposure
        How many times brighter both are shown than they are: a dark shot shows nothing otherwise.
    others
        Further pictures under their captions: (3, H, W) as stored, or (H, W) maps.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    orientation = before.shot.orientation

    def shown(pixels: NDArray[np.float32], factor: float = 1.0) -> NDArray[np.float32]:
        three = np.broadcast_to(pixels, (3, *pixels.shape[-2:]))
        bright = np.clip(turned(np.asarray(three), orientation) * np.float32(factor), 0, 1)
        return display_curve(bright) if before.is_linear and pixels.ndim == 3 else bright

    noisy, clean = shown(before.pixels, exposure), shown(after, exposure)
    pictures = [
        _picture(
            "the whole picture",
            0,
            shrink(noisy, max_width=PICTURE_WIDTH),
            shrink(clean, max_width=PICTURE_WIDTH),
        )
    ]
    if max(noisy.shape[1:]) > _CROP:
        pictures += [
            _picture(f"a part at 100 %, around {x}, {y}", number, _cut(noisy, x, y), _cut(clean, x, y))
            for number, (x, y) in enumerate(_places(noisy, clean), start=1)
        ]
    numbers = tuple(
        FrameNumbers(picture.index, 255.0 * float(np.mean(np.abs(picture.before - picture.after))))
        for picture in pictures
    )
    write_report(
        path,
        result=result,
        comparison=Comparison(frames=numbers, pictures=tuple(pictures)),
        others={
            caption: shrink(shown(picture), max_width=PICTURE_WIDTH) for caption, picture in others.items()
        },
        is_photograph=True,
    )


def _picture(label: str, index: int, before: NDArray[np.float32], after: NDArray[np.float32]) -> Picture:
    return Picture(label, index, 0.0, before, after)


def _places(before: NDArray[np.float32], after: NDArray[np.float32]) -> list[tuple[int, int]]:
    """(x, y) of the crops: where the picture holds most structure, each on its own part of a grid."""
    _, height, width = after.shape
    grey = after.mean(axis=0)
    found = []
    for top in range(0, max(1, height - _CROP // 2), _CROP):
        for left in range(0, max(1, width - _CROP // 2), _CROP):
            part = grey[top : top + _CROP, left : left + _CROP]
            found.append((float(part.std()), left + part.shape[1] // 2, top + part.shape[0] // 2))
    return [(x, y) for _, x, y in sorted(found, reverse=True)[:_CROPS]]


def _cut(picture: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    _, height, width = picture.shape
    top = min(max(0, y - _CROP // 2), max(0, height - _CROP))
    left = min(max(0, x - _CROP // 2), max(0, width - _CROP))
    return np.ascontiguousarray(picture[:, top : top + _CROP, left : left + _CROP])
