"""What detectors of film and tape defects say: where, and how sure they are. Their settings, and what masks share.

A detector gives every pixel a confidence. From a half on it is a defect and becomes a hole that the fit fills; below
it is shown to a person, who may know better, and left alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "DETECTORS",
    "SURE",
    "DefectSettings",
    "Defects",
    "MaskSettings",
    "feathered",
    "find_by_frame",
    "grey_of",
    "grown",
]

#: Confidence from which a pixel is repaired; `reelprior.io.masks` takes the same half of white for missing.
SURE = 0.5

#: What can be looked for: fields of `DefectSettings`.
DETECTORS = ("scratches", "dust", "dropouts", "logo", "deflicker")


class DefectSettings(BaseModel):
    """Which defects are looked for and repaired."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scratches: bool = False
    """Lines along the film that stay in place while the scene moves."""
    dust: bool = False
    """Dust and dirt: what is in one frame only."""
    dropouts: bool = False
    """Lines of tape that are lost in one frame."""
    logo: bool = False
    """A burnt-in logo: what stands still over everything."""
    deflicker: bool = False
    """Frames that are brighter or darker than their neighbours."""
    sensitivity: Annotated[float, Field(gt=0, le=4)] = 1.0
    """Divides the contrast that a scratch, dust or a drop-out must have; above 1 finds more, and more that is none."""

    @property
    def masks(self) -> bool:
        """Whether any detector is on that gives masks."""
        return self.scratches or self.dust or self.dropouts or self.logo

    @property
    def any(self) -> bool:
        """Whether there is anything to look for."""
        return any(getattr(self, name) for name in DETECTORS)


class MaskSettings(BaseModel):
    """What is done to masks, given or found, before they are used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grow: Annotated[int, Field(ge=0, le=64)] = 0
    """Pixels by which holes are enlarged, for rims that a mask leaves out."""
    feather: Annotated[int, Field(ge=0, le=64)] = 0
    """Pixels around a hole over which the restored picture fades into the source, where only the mask is restored."""


@dataclass(frozen=True, eq=False)
class Defects:
    """What a detector found.

    Attributes
    ----------
    confidence
        (T, H, W) float32 in [0, 1]: how sure it is that a pixel is defective; 0 where nothing was found.
    """

    confidence: NDArray[np.float32]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(T, H, W) bool, True where it is sure."""
        sure: NDArray[np.bool_] = self.confidence >= SURE
        return sure

    @classmethod
    def none(cls, shape: tuple[int, int, int]) -> "Defects":
        """Nothing found in a clip of this shape (T, H, W)."""
        return cls(np.zeros(shape, np.float32))

    def merged(self, other: "Defects") -> "Defects":
        """What either found."""
        return Defects(np.maximum(self.confidence, other.confidence))

    def cut(self, frames: slice) -> "Defects":
        """Some of the frames."""
        return Defects(self.confidence[frames])


def find_by_frame(
    frames: NDArray[np.float32],
    wanted: range | None,
    judge_of: Callable[[NDArray[np.float32]], Callable[[int], NDArray[np.float32]]],
) -> Defects:
    """Let a detector judge frames one by one, by what is before and after each.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1] of one scene.
    wanted
        Positions of the frames to judge; None for all. The others are only looked at.
    judge_of
        Takes the grey frames (T, H, W), and gives what takes a position and gives that frame's confidence (H, W).

    Returns
    -------
    Defects
        Of the wanted frames. Nothing if there are fewer than three frames: a defect is told by the frame's neighbours.
    """
    grey = grey_of(frames)
    wanted = range(len(grey)) if wanted is None else wanted
    if len(grey) < 3 or not len(wanted):
        return Defects.none((len(wanted), *grey.shape[1:]))
    judge = judge_of(grey)
    return Defects(np.stack([judge(t) for t in wanted]).astype(np.float32, copy=False))


def grey_of(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the three channels: (..., 3, H, W) -> (..., H, W). Defects are in all of them."""
    grey: NDArray[np.float32] = frames.mean(axis=-3, dtype=np.float32)
    return grey


def grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """A mask enlarged by a disc of radius ``by`` pixels; (T, H, W) bool."""
    if by == 0:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.stack([cv2.dilate(one.astype(np.uint8), disc) > 0 for one in mask])


def feathered(mask: NDArray[np.bool_], over: int) -> NDArray[np.float32]:
    """Weights that are 1 in a mask and fall to 0 over so many pixels around it; (T, H, W) float32."""
    if over == 0:
        return mask.astype(np.float32)
    weights = np.zeros(mask.shape, np.float32)
    for weight, one in zip(weights, mask, strict=True):
        if one.any():
            distance = cv2.distanceTransform((~one).astype(np.uint8), cv2.DIST_L2, 5)
            weight[:] = np.clip(1 - distance / (over + 1), 0, 1)
    return weights
