"""Defects of film and tape put over clean clips, with the truth about where they are.

Physically plausible rather than convenient: scratches waver, fade along their length and end; dust has ragged outlines,
soft rims and all opacities; logos are letters and rings, opaque or half transparent; flicker bends the tone curve.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Damaged", "add_dropouts", "add_dust", "add_flicker", "add_logo", "add_scratches", "hit_rates"]

#: A change of fewer 8-bit grey levels is not counted as a defect that has to be found: it is hardly visible.
VISIBLE_8BIT = 8.0

Clip = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Damaged:
    """A damaged clip.

    Attributes
    ----------
    frames
        (T, 3, H, W) in [0, 1], rounded to 8 bits.
    visible
        (T, H, W) bool, where it differs from the clean clip by `VISIBLE_8BIT` or more.
    touched
        (T, H, W) bool, where it differs at all.
    """

    frames: Clip
    visible: NDArray[np.bool_]
    touched: NDArray[np.bool_]


def add_scratches(clean: Clip, rng: np.random.Generator, *, count: int = 4) -> Damaged:
    """Vertical lines 1 to 3 pixels wide, dark or light, that waver and last for a dozen frames or more."""
    frames, _, height, width = clean.shape
    damaged = clean.copy()
    rows = np.arange(height)
    for _ in range(count):
        start_x = rng.uniform(0.05, 0.95) * width
        line_width, level = rng.uniform(1, 3), rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.8, 1.0)])
        opacity = rng.uniform(0.35, 0.9)
        first = int(rng.integers(0, max(1, frames // 3)))
        last = min(frames, first + int(rng.integers(12, max(13, frames + 1))))
        whole = rng.random() < 0.7
        top = 0 if whole else rng.uniform(0, 0.4) * height
        bottom = height if whole else top + rng.uniform(0.4, 0.6) * height
        waver, period, phase = rng.uniform(0, 1.5), rng.uniform(0.5, 2) * height, rng.uniform(0, 6.3)
        drift = np.cumsum(rng.normal(0, 0.25, frames))
        strength = _smooth_noise(
            rng, (frames, height), (2.0, height / 8)
        )  # fades along its length, and in time
        for t in range(first, last):
            centre = start_x + drift[t] + waver * np.sin(6.283 * rows / period + phase + 0.15 * t)
            fade = opacity * np.clip(0.8 + 0.35 * strength[t], 0.0, 1.0) * ((rows >= top) & (rows < bottom))
            distance = np.abs(np.arange(width)[None] - centre[:, None])
            cover = np.clip(line_width / 2 + 0.5 - distance, 0, 1) * fade[:, None]
            damaged[t] += cover.astype(np.float32) * (np.float32(level) - damaged[t])
    return _compare(clean, damaged)


def add_dust(clean: Clip, rng: np.random.Generator, *, per_frame: float = 10.0) -> Damaged:
    """Ragged blobs 2 to 12 pixels across, each in one frame only; dark or light, of all opacities from a half up."""
    frames, _, height, width = clean.shape
    damaged = clean.copy()
    for t in range(frames):
        for _ in range(rng.poisson(per_frame)):
            size = 2 * (12 / 2) ** rng.random()
            y, x = rng.uniform(0, height), rng.uniform(0, width)
            cover = _blob(rng, (height, width), (y, x), size) * rng.uniform(0.5, 1.0)
            level = rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.75, 1.0)])
            damaged[t] += cover * (np.float32(level) - damaged[t])
    return _compare(clean, damaged)


def add_dropouts(clean: Clip, rng: np.random.Generator, *, per_frame: float = 2.0) -> Damaged:
    """Runs of 1 or 2 lines, 12 to 120 pixels long, that are white or lost in noise, each in one frame only."""
    frames, _, height, width = clean.shape
    damaged = clean.copy()
    for t in range(frames):
        for _ in range(rng.poisson(per_frame)):
            length, lines = int(rng.integers(12, 121)), int(rng.integers(1, 3))
            y, x = int(rng.integers(0, height - lines)), int(rng.integers(0, max(1, width - 12)))
            run = damaged[t, :, y : y + lines, x : x + length]
            level = rng.uniform(0.7, 1.0) + rng.normal(0, 0.05, (1, *run.shape[1:]))
            run[:] = np.clip(level, 0, 1)
    return _compare(clean, damaged)


def add_logo(
    clean: Clip, *, opacity: float, share: float = 0.03, place: tuple[float, float] = (0.04, 0.96)
) -> Damaged:
    """A ring and letters in white, with a share of the picture, near ``place`` (rows, columns from 0 to 1)."""
    _, _, height, width = clean.shape
    stencil = np.zeros((200, 520), np.uint8)
    cv2.circle(stencil, (100, 100), 75, 255, 34, cv2.LINE_AA)
    for corners in ([(190, 45), (330, 45)], [(260, 45), (260, 165)], [(360, 35), (415, 155), (470, 35)]):
        cv2.polylines(stencil, [np.array(corners)], False, 255, 30, cv2.LINE_AA)
    scale = np.sqrt(share * height * width / float((stencil > 127).sum()))
    size = (min(width, round(520 * scale)), min(height, round(200 * scale)))
    small = cv2.resize(stencil.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    top, left = round(place[0] * (height - size[1])), round(place[1] * (width - size[0]))
    cover = np.zeros((height, width), np.float32)
    cover[top : top + size[1], left : left + size[0]] = small * opacity
    damaged = clean + cover * (np.float32(0.95) - clean)
    frames = _round(damaged)
    mask = np.broadcast_to(cover > 0.3 * opacity, (len(clean), height, width))
    return Damaged(frames, mask, np.broadcast_to(cover > 0, mask.shape))


def add_flicker(clean: Clip, rng: np.random.Generator, *, strength: float = 0.06) -> Clip:
    """Frames brighter and darker by a bend of the tone curve that leaves black and white where they are."""
    bends = rng.normal(0, strength, (len(clean), 1, 1, 1)).astype(np.float32)
    return _round(clean * (1 + bends) + 2 * bends * clean * (1 - clean))


def hit_rates(found: NDArray[np.bool_], truth: Damaged) -> tuple[float, float]:
    """Precision and recall by pixels.

    Recall: of the visibly changed pixels, those found. Precision: of the found pixels, those that were changed or touch
    one that was: the rim of a defect belongs to its mask.
    """
    near = np.stack([cv2.dilate(t.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for t in truth.touched])
    precision = float((found & near).sum() / max(1, found.sum()))
    recall = float((found & truth.visible).sum() / max(1, truth.visible.sum()))
    return precision, recall


def _blob(
    rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], size: float
) -> NDArray[np.float32]:
    """Cover in [0, 1] of an irregular blob: a circle whose radius varies with the angle, with a soft rim."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    dy, dx = rows - centre[0], columns - centre[1]
    angle = np.arctan2(dy, dx * rng.uniform(0.6, 1.0))
    radius = size / 2 * np.ones(shape)
    for waves in (2, 3, 5):
        radius *= 1 + rng.uniform(0, 0.3) * np.sin(waves * angle + rng.uniform(0, 6.3))
    cover: NDArray[np.float32] = np.clip(radius + 0.5 - np.hypot(dy, dx), 0, 1).astype(np.float32)
    return cover


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], sigmas: tuple[float, float]
) -> NDArray[np.float32]:
    """Gaussian noise of unit deviation, smooth to different degrees along its two axes."""
    noise = rng.normal(0, 1, shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmas[1], sigmaY=sigmas[0])
    unit: NDArray[np.float32] = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-6)
    return unit


def _compare(clean: Clip, damaged: Clip) -> Damaged:
    frames = _round(damaged)
    change = np.abs(frames - clean).max(axis=1) * 255
    return Damaged(frames, change >= VISIBLE_8BIT, change >= 1.0)


def _round(clip: NDArray[np.floating]) -> Clip:
    rounded: Clip = (np.rint(np.clip(clip, 0, 1) * 255) / 255).astype(np.float32)
    return rounded
