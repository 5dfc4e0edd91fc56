"""Burnt-in logos: what stands still over everything that moves.

Frames taken from all over the clip are looked at together. The scene's gradients come and go and their median over
time is nothing; a logo's stay, opaque or half transparent, and their median is its own drawing (Dekel et al., CVPR
2017). Integrated, the drawing becomes a picture of what the logo adds, and what adds enough is the mask. A part of
the scene that stands still looks the same: so a logo must be small, and the gradients around it must come and go, or
it is unsure.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import Defects

__all__ = ["LEAST_FRAMES", "find_logo"]

#: Frames without which nothing can be said.
LEAST_FRAMES = 8

#: Lasting gradient, in [0, 1] per pixel, and how many times its change over time it has to be, to begin an edge and to
#: continue one.
_BEGUN, _CONTINUED = (5 / 255, 2.0), (2.5 / 255, 0.8)
#: How far apart the strokes of one logo may be, as a share of the picture's diagonal.
_GAP = 0.025
#: Shares of the picture: the smallest and the largest box of a logo.
_SMALLEST, _LARGEST = 0.0004, 0.25
#: A logo has edges both ways: the fainter way has at least this share of the other's gradients.
_BOTH_WAYS = 0.25
#: What a pixel must add, as a share of what the strongest parts add.
_ADDS = 0.4
#: An opaque logo varies by this much less than what is around it; where the scene is as light as it, it is told by
#: varying by no more than so many times what the logo is seen to vary by, and by lying within so many levels of it.
_CONSTANT, _AS_CONSTANT, _AS_LIGHT = 4.0, 1.5, 3 / 255
#: Share of the gradients around a logo that may last before what is around it counts as standing still.
_STILL = 0.6
#: Gradients of so much, in [0, 1] per pixel, are taken for noise, which says nothing about standing still.
_NOISE = 1.5 / 255
_UNSURE = 0.4

Plane = NDArray[np.float32]


def find_logo(frames: NDArray[np.uint8]) -> Defects:
    """Find burnt-in logos.

    Parameters
    ----------
    frames
        (T, H, W) grey levels, from all over the clip; neighbouring frames tell next to nothing. 8 bits, because many of
        them are in memory at once.

    Returns
    -------
    Defects
        Of one frame, (1, H, W): it is the same for all. Nothing if there are fewer than `LEAST_FRAMES`.
    """
    count, height, width = frames.shape
    confidence = np.zeros((1, height, width), np.float32)
    if count < LEAST_FRAMES:
        return Defects(confidence)
    drawing = _drawing(frames)
    gap = max(5, round(_GAP * np.hypot(height, width))) | 1
    joined = _closed(drawing.edges, gap)
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for label in range(1, number):
        left, top, wide, high = boxes[label, :4]
        inside = left > 1 and top > 1 and left + wide < width - 1 and top + high < height - 1
        if not inside or not _SMALLEST <= wide * high / (width * height) <= _LARGEST:
            continue
        box = (
            slice(max(0, top - 2 * gap), min(height, top + high + 2 * gap)),
            slice(max(0, left - 2 * gap), min(width, left + wide + 2 * gap)),
        )
        own = cv2.dilate((labels[box] == label).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        edges = drawing.edges[box] & own
        if _one_way(drawing.across[box][edges], drawing.down[box][edges]):
            continue
        near = cv2.dilate(edges.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        added = _integrate(np.where(near, drawing.across[box], 0), np.where(near, drawing.down[box], 0))
        mask = _completed(_adding(added, edges), drawing.varies[box], drawing.level[box])
        still = _stillness(mask | own, drawing.lasting[box], drawing.usual[box], gap)
        sure = 1 - 0.5 * still / _STILL if still <= _STILL else _UNSURE
        part = confidence[0][box]
        part[mask] = np.maximum(part[mask], sure)
    return Defects(confidence)


@dataclass(frozen=True, eq=False)
class _Drawing:
    """What lasts in a clip, (H, W) each: median gradients, where they make edges, and gradients as usual in a frame.

    Beside them the median level, and the range of levels but for a twentieth at either end.
    """

    across: Plane
    down: Plane
    edges: NDArray[np.bool_]
    lasting: Plane
    usual: Plane
    level: Plane
    varies: Plane


def _drawing(frames: NDArray[np.uint8]) -> _Drawing:
    """Medians over time, a strip of rows after the other, to save memory."""
    count, height, width = frames.shape
    across, down, spread, usual, level, varies = (np.zeros((height, width), np.float32) for _ in range(6))
    strip = max(1, 4_000_000 // (count * width))
    for top in range(0, height, strip):
        rows = slice(top, min(height, top + strip))
        padded = frames[:, top : min(height, top + strip + 1)].astype(np.float32) / 255
        if padded.shape[1] == rows.stop - top:  # the last strip: the row below the picture repeats
            padded = np.concatenate([padded, padded[:, -1:]], axis=1)
        here = padded[:, :-1]
        gradients = (np.diff(here, axis=2, append=here[:, :, -1:]), padded[:, 1:] - here)
        for lasting, gradient in zip((across, down), gradients, strict=True):
            lasting[rows] = np.median(gradient, axis=0)
            spread[rows] += np.median(np.abs(gradient - lasting[rows]), axis=0) / 0.6745
        usual[rows] = np.median(np.hypot(*gradients), axis=0)
        low, level[rows], high = np.quantile(here, (0.05, 0.5, 0.95), axis=0)
        varies[rows] = high - low
    strength = np.hypot(across, down)
    begun, continued = (
        (strength > least) & (strength > times * spread) for least, times in (_BEGUN, _CONTINUED)
    )
    return _Drawing(across, down, _holding(continued, begun, least=4), strength, usual, level, varies)


def _holding(areas: NDArray[np.bool_], seeds: NDArray[np.bool_], *, least: int) -> NDArray[np.bool_]:
    """The connected areas that hold at least so many seeds."""
    count, labels = cv2.connectedComponents(areas.astype(np.uint8), connectivity=8)
    held = np.bincount(labels[seeds], minlength=count) >= least
    held[0] = False
    holding: NDArray[np.bool_] = held[labels]
    return holding


def _closed(areas: NDArray[np.bool_], side: int) -> NDArray[np.uint8]:
    """Areas joined over gaps; not with the picture's border, as without a rim whatever is near it would be."""
    rimmed = np.pad(areas.astype(np.uint8), side)
    closed = cv2.morphologyEx(rimmed, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.asarray(closed[side:-side, side:-side], np.uint8)


def _integrate(across: Plane, down: Plane) -> Plane:
    """The picture that has these forward differences and is 0 around: Poisson's equation by an odd Fourier series."""
    height, width = across.shape
    divergence = across + down
    divergence[:, 1:] -= across[:, :-1]
    divergence[1:] -= down[:-1]
    odd = np.zeros((2 * height + 2, 2 * width + 2))
    odd[1 : height + 1, 1 : width + 1] = divergence
    odd[height + 2 :, 1 : width + 1] = -divergence[::-1]
    odd[:, width + 2 :] = -odd[:, width:0:-1]
    eigenvalues = (
        2 * np.cos(2 * np.pi * np.fft.fftfreq(odd.shape[0]))[:, None]
        + 2 * np.cos(2 * np.pi * np.fft.fftfreq(odd.shape[1]))[None]
        - 4
    )
    eigenvalues[0, 0] = 1  # the mean, which is 0
    solved = np.fft.ifft2(np.fft.fft2(odd) / eigenvalues).real
    picture: Plane = solved[1 : height + 1, 1 : width + 1].astype(np.float32)
    return picture


def _one_way(across: Plane, down: Plane) -> bool:
    """Whether edges run one way only: an edge along which the camera pans stays without being a logo's."""
    both = np.sort([np.abs(across).sum(), np.abs(down).sum()])
    return bool(both[0] < _BOTH_WAYS * both[1])


def _adding(added: Plane, edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a logo adds enough, lighter or darker."""
    strongest = float(np.quantile(np.abs(added[edges]), 0.9))
    strong = np.abs(added) > max(_ADDS * strongest, 4 / 255)
    # A median takes single pixels away without moving anything, as opening by an even square would.
    smooth: NDArray[np.bool_] = cv2.medianBlur(strong.astype(np.uint8), 3) > 0
    return smooth


def _completed(mask: NDArray[np.bool_], varies: Plane, level: Plane) -> NDArray[np.bool_]:
    """An opaque logo with the parts behind which the scene is as light: nothing is seen to be added there.

    They are joined to what was found, as light, and constant while all around changes.
    """
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    outer = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    if not inner.any() or not outer.any():
        return mask
    least = max(float(np.quantile(varies[inner], 0.75)), 1 / 255)
    if float(np.median(varies[outer])) < _CONSTANT * least:
        return mask
    darkest, lightest = np.quantile(level[inner], (0.05, 0.95))
    alike = (level > darkest - _AS_LIGHT) & (level < lightest + _AS_LIGHT) & (varies <= _AS_CONSTANT * least)
    completed = _holding(alike | mask, mask, least=4)
    return completed if completed.sum() < 2 * mask.sum() else mask


def _stillness(mask: NDArray[np.bool_], lasting: Plane, usual: Plane, distance: int) -> float:
    """Share of the gradients around a mask that last: near 0 where the scene moves, 1 where it stands still."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * distance + 1, 2 * distance + 1))
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8))
    ring = (cv2.dilate(mask.astype(np.uint8), disc) > 0) & (rim == 0)
    if not ring.any():
        return 1.0
    return float((lasting[ring].sum() + _NOISE * ring.sum()) / (usual[ring].sum() + _NOISE * ring.sum()))
