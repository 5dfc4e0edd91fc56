"""Hand-held shots laid on one grid, whatever light each was taken in.

What is compared is never brightness but structure: the logarithm of the brightness, without its slow part and divided
by its own local strength. Features give a robust homography, ECC refines it, and dense flow follows where parallax is
left.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.warp import estimate_flow

__all__ = ["Registration", "agreement", "register"]

#: Longest side of the pictures that are compared, in pixels: larger ones are shrunk by area first.
_LONGEST_SIDE = 1600
#: Correlation below which two shots are not taken for one scene, and in units of what chance gives.
_LEAST_CORRELATION, _LEAST_SIGNIFICANCE = 0.2, 5.0
#: Correct matches that a homography needs to be believed.
_LEAST_INLIERS = 12
#: A side of the picture is longer or shorter by this much at most in another hand-held shot.
_LARGEST_STRETCH = 0.1
#: Flow is used where it raises the correlation by this much; beyond this share of the diagonal it is no parallax.
_FLOW_GAIN, _LARGEST_FLOW = 0.05, 0.02


@dataclass(frozen=True, eq=False)
class Registration:
    """How a shot lies on another.

    Attributes
    ----------
    correlation
        Of the structures after alignment, -1 to 1.
    significance
        The same in standard deviations of what two unrelated pictures give.
    shift_px
        Mean displacement, in pixels of the shots.
    maps
        (2, H, W): x and y, in the moved shot, of every pixel of the fixed one.
    used_flow
        Whether dense flow was added to the homography.
    """

    correlation: float
    significance: float
    shift_px: float
    maps: NDArray[np.float32]
    used_flow: bool

    @property
    def is_reliable(self) -> bool:
        """Whether both can be shots of one scene."""
        return self.correlation >= _LEAST_CORRELATION and self.significance >= _LEAST_SIGNIFICANCE

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(H, W): where the moved shot covers the fixed one."""
        x, y = self.maps
        height, width = x.shape
        return np.asarray((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1))

    @property
    def flow(self) -> NDArray[np.float32]:
        """(2, H, W), (dx, dy): from the fixed shot to the moved one."""
        return self.maps - _grid(*self.maps.shape[1:])

    def warp(self, moving: NDArray[np.float32]) -> NDArray[np.float32]:
        """(3, H, W) of the moved shot on the fixed one's grid, bicubic, in [0, 1]."""
        warped = cv2.remap(
            np.ascontiguousarray(moving.transpose(1, 2, 0)),
            self.maps[0],
            self.maps[1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.ascontiguousarray(np.clip(warped, 0, 1).transpose(2, 0, 1))

    @classmethod
    def none(cls, height: int, width: int) -> "Registration":
        """Shots that lie on each other as they are."""
        return cls(1.0, math.inf, 0.0, _grid(height, width), False)


def register(
    moving: NDArray[np.float32], fixed: NDArray[np.float32], *, relative_noise: float, flow: bool = True
) -> Registration:
    """Find where every pixel of a shot is in another one.

    Parameters
    ----------
    moving, fixed
        (3, H, W) float32 in [0, 1], of one size; their light, exposure and white balance may differ.
    relative_noise
        Standard deviation of the noisier shot's noise over its mean: the noisier, the coarser the structures compared.
    flow
        Whether parallax is followed.

    Returns
    -------
    Registration
        The best found; whether it can be believed is for `Registration.is_reliable` to say.
    """
    height, width = fixed.shape[1:]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    sigma = _smoothing(relative_noise, scale)
    first, second = (_structure(_shrunk(picture, scale), sigma) for picture in (fixed, moving))
    candidates = [np.eye(3, dtype=np.float32)]
    by_features = _homography_by_features(first, second)
    if by_features is not None:
        candidates.append(by_features)
    candidates.append(_homography_by_shift(first, second))
    candidates = [homography for homography in candidates if _is_plausible(homography, first.shape)]
    start = max(candidates, key=lambda homography: _correlation(first, _moved(second, homography)))
    refined = _refined(first, second, start)
    if not _is_plausible(refined, first.shape):
        refined = start
    homography = max((start, refined), key=lambda h: _correlation(first, _moved(second, h)))
    moved = _moved(second, homography)
    correlation = _correlation(first, moved)
    local = _parallax(first, moved) if flow else None
    if local is not None:
        after = _correlation(first, _fetched(moved, local))
        if after < correlation + _FLOW_GAIN:
            local = None
        else:
            correlation = after
    maps = _maps(homography, local, scale, (height, width))
    shift = float(np.hypot(*(maps - _grid(height, width))).mean())
    significance = _significance(correlation, first.size, sigma)
    return Registration(correlation, significance, shift, maps, local is not None)


def agreement(
    moved: NDArray[np.float32], fixed: NDArray[np.float32], *, relative_noise: float
) -> tuple[float, float]:
    """`Registration.correlation` and its significance, of a shot that has been laid on another one.

    Parameters
    ----------
    moved, fixed
        (3, H, W), on one grid.
    relative_noise
        As for `register`.
    """
    scale = min(1.0, _LONGEST_SIDE / max(fixed.shape[1:]))
    sigma = _smoothing(relative_noise, scale)
    first, second = (_structure(_shrunk(picture, scale), sigma) for picture in (fixed, moved))
    correlation = _correlation(first, second)
    return correlation, _significance(correlation, first.size, sigma)


def _smoothing(relative_noise: float, scale: float) -> float:
    """Standard deviation, in pixels, of the smoothing before structures are compared."""
    return min(4.0, max(1.0, 3 * relative_noise * scale))


def _significance(correlation: float, pixels: int, sigma: float) -> float:
    """Structures are band-limited: about one independent sample in 4 pi sigma^2 pixels."""
    return correlation * math.sqrt(pixels / (4 * math.pi * sigma**2))


def _shrunk(picture: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = picture.mean(axis=0, dtype=np.float32)
    if scale == 1:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def _structure(grey: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """(h, w), zero mean and unit strength everywhere: what is left of a picture in any light."""
    floor = 0.02 * float(grey.mean()) + 1e-4
    level: NDArray[np.float32] = np.log(np.maximum(cv2.GaussianBlur(grey, (0, 0), sigma), 0) + floor)
    detail = level - cv2.GaussianBlur(level, (0, 0), 6 * sigma)
    strength = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 12 * sigma))
    return np.asarray(np.clip(detail / (strength + 0.01), -3, 3), np.float32)


def _homography_by_features(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    detector = cv2.SIFT.create(nfeatures=4000)
    found = [detector.detectAndCompute(_as_bytes(structure), None) for structure in (first, second)]
    if any(descriptors is None or len(descriptors) < _LEAST_INLIERS for _, descriptors in found):
        return None
    (points, descriptors), (other_points, other_descriptors) = found
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors, other_descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance]
    if len(good) < _LEAST_INLIERS:
        return None
    here = np.array([points[match.queryIdx].pt for match in good], np.float32)
    there = np.array([other_points[match.trainIdx].pt for match in good], np.float32)
    homography, inliers = cv2.findHomography(
        here, there, cv2.USAC_MAGSAC, 2.0, maxIters=5000, confidence=0.999
    )
    if homography is None or int(inliers.sum()) < _LEAST_INLIERS:
        return None
    return np.asarray(homography, np.float32)


def _is_plausible(homography: NDArray[np.float32], size: tuple[int, ...]) -> bool:
    """Whether two hand-held shots can lie so: noise alone may correlate best under a bent or a much larger picture."""
    height, width = size
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    moved = cv2.perspectiveTransform(corners, homography.astype(np.float64))[0]
    if not np.isfinite(moved).all():
        return False
    sides = np.hypot(*(np.roll(moved, -1, axis=0) - moved).T) / [width, height, width, height]
    return bool(np.abs(np.log(sides)).max() <= math.log(1 + _LARGEST_STRETCH))


def _as_bytes(structure: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(structure * 40 + 128, 0, 255).astype(np.uint8)


def _homography_by_shift(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    window = np.asarray(cv2.createHanningWindow((first.shape[1], first.shape[0]), cv2.CV_32F))
    (dx, dy), _ = cv2.phaseCorrelate(first, second, window)
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float32)


def _refined(
    first: NDArray[np.float32], second: NDArray[np.float32], start: NDArray[np.float32]
) -> NDArray[np.float32]:
    """By the enhanced correlation coefficient (Evangelidis and Psarakis, PAMI 2008); the start where it diverges."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    covered = np.ones(first.shape, np.uint8)
    try:
        _, homography = cv2.findTransformECC(
            first, second, start.copy(), cv2.MOTION_HOMOGRAPHY, criteria, covered, 5
        )
    except cv2.error:
        return start
    return np.asarray(homography, np.float32)


def _parallax(first: NDArray[np.float32], moved: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """(2, h, w), smooth, from the fixed structure to the moved one; None where it is not small."""
    pictures = [
        np.repeat(np.clip(structure / 6 + 0.5, 0, 1)[None], 3, axis=0).astype(np.float32)
        for structure in (first, moved)
    ]
    flow = estimate_flow(pictures[0], pictures[1])
    flow = np.stack([cv2.GaussianBlur(component, (0, 0), 8.0) for component in flow])
    largest = _LARGEST_FLOW * math.hypot(*first.shape)
    return flow if float(np.percentile(np.hypot(*flow), 99)) <= largest else None


def _moved(structure: NDArray[np.float32], homography: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = structure.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(structure, homography, (width, height), flags=flags))


def _fetched(structure: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    x, y = _grid(*structure.shape) + flow
    return np.asarray(cv2.remap(structure, x, y, cv2.INTER_LINEAR))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of two structures where both are; what was moved out of the picture is 0 and does not count."""
    both = second != 0
    if both.mean() < 0.25:
        return -1.0
    a, b = first[both], second[both]
    return float((a * b).mean() / (math.sqrt(float((a * a).mean()) * float((b * b).mean())) + 1e-9))


def _maps(
    homography: NDArray[np.float32],
    local: NDArray[np.float32] | None,
    scale: float,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Where each pixel of the full-sized fixed shot lies in the moved one."""
    grid = _grid(*size)
    if local is not None:
        # Pixel centres: x_small = (x + 0.5) * scale - 0.5; the flow's length is scaled with them.
        resized = [cv2.resize(component, size[::-1], interpolation=cv2.INTER_LINEAR) for component in local]
        grid = (grid + np.stack(resized) / scale).astype(np.float32)
    to_small = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    whole = np.linalg.inv(to_small) @ homography.astype(np.float64) @ to_small
    x, y, w = (row[0] * grid[0] + row[1] * grid[1] + row[2] for row in whole)
    return np.stack([x / w, y / w]).astype(np.float32)


def _grid(height: int, width: int) -> NDArray[np.float32]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows]).astype(np.float32)
