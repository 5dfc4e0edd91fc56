"""Flash pairs with a known truth: real photographs, dimmed, made noisy and misaligned.

The file's samples are taken for linear light, the picture is halved by area first. The less noisy shot of a pair
stands for the truth. The carpet's two shots are equally clean: it is a real pair in its real roles. The two cave
scenes have an ambient shot too noisy for a truth: there the flash shot, under the smoothed light of the real ambient
shot and with a hard shadow that only the ambient light casts, is the truth. Every flash shot gets hard shadows and
highlights of its own.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from clips import read_picture
from numpy.typing import NDArray

__all__ = [
    "DIMMINGS",
    "PAIRS",
    "READ_SIGMA",
    "SHOT_SIGMA",
    "Picture",
    "Scene",
    "capture",
    "load_scenes",
    "misaligned",
    "psnr",
]

Picture = NDArray[np.float32]

#: The ambient light is this much weaker than a well exposed shot.
DIMMINGS = (1 / 8, 1 / 20, 1 / 50)
#: Middle of the ranges of Xia et al. (CVPR 2021): 10^[-3, -2] and 10^[-2, -1.3]; variance = read^2 + shot^2 x.
READ_SIGMA, SHOT_SIGMA = 10**-2.5, 10**-1.65

#: Flash shot, ambient shot, and whether the truth has to be made from the flash shot.
PAIRS = {
    "carpet": ("djf_carpet/carpet_00_flash.jpg", "djf_carpet/carpet_01_noflash.jpg", False),
    "cave": ("dip_cave01/cave01_00_flash.jpg", "dip_cave01/cave01_01_noflash.jpg", True),
    "jars": ("gf_cave/cave-flash.bmp", "gf_cave/cave-noflash.bmp", True),
}
#: Standard deviation, in pixels, of the smoothing that leaves the light of a shot and none of its detail.
_LIGHT_SIGMA = 12.0


@dataclass(frozen=True, eq=False)
class Scene:
    """One simulated pair.

    Attributes
    ----------
    name
        Of the pair.
    ambient
        The truth, (3, H, W) float32 in [0, 1].
    flash
        (3, H, W), on the same grid, with shadows and highlights of the flash.
    unshadowed
        The flash shot without its shadows.
    shadows, highlights
        (H, W) bool: where they are.
    """

    name: str
    ambient: Picture
    flash: Picture
    unshadowed: Picture
    shadows: NDArray[np.bool_]
    highlights: NDArray[np.bool_]


def load_scenes(data: Path) -> list[Scene]:
    """All scenes, from the folder with the photographs."""
    scenes = []
    for name, (flash_name, ambient_name, relit) in PAIRS.items():
        flash, ambient = (_half(data / "photos" / file) for file in (flash_name, ambient_name))
        scenes.append(_scene(name, flash, _relit(flash, ambient) if relit else ambient))
    return scenes


def capture(scene: Scene, dimming: float, *, seed: int = 7) -> Picture:
    """The noisy ambient shot as a 16-bit file holds it: dimmed, clipped at 0, rounded; (3, H, W) in [0, 1]."""
    dimmed = scene.ambient * np.float32(dimming)
    deviation = np.sqrt(READ_SIGMA**2 + SHOT_SIGMA**2 * dimmed)
    noisy = dimmed + deviation * np.random.default_rng(seed).standard_normal(dimmed.shape, np.float32)
    return np.asarray(np.rint(np.clip(noisy, 0, 1) * 65535) / 65535, np.float32)


def misaligned(flash: Picture, *, seed: int = 11) -> Picture:
    """The flash shot through a homography: up to 3 pixels at the corners beside a turn of 0.5 degrees."""
    random = np.random.default_rng(seed)
    _, height, width = flash.shape
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    moved = corners + random.uniform(-3, 3, (4, 2)).astype(np.float32)
    turn = np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D((width / 2, height / 2), random.choice([-0.5, 0.5]), 1.0)
    homography = turn @ cv2.getPerspectiveTransform(corners, moved)
    warped = cv2.warpPerspective(
        np.ascontiguousarray(flash.transpose(1, 2, 0)),
        homography,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.clip(warped.transpose(2, 0, 1), 0, 1)


def _half(path: Path) -> Picture:
    picture = read_picture(path)
    height, width = (side // 2 for side in picture.shape[:2])
    halved = cv2.resize(
        picture[: 2 * height, : 2 * width].astype(np.float32) / 255,
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    return np.ascontiguousarray(halved[..., ::-1].transpose(2, 0, 1))


def _scene(name: str, flash: Picture, ambient: Picture) -> Scene:
    _, height, width = flash.shape
    shadows = np.zeros((height, width), np.uint8)
    for polygon in (
        [(0.12, 0.10), (0.30, 0.14), (0.26, 0.42), (0.10, 0.36)],
        [(0.62, 0.55), (0.86, 0.50), (0.80, 0.80)],
    ):
        cv2.fillPoly(shadows, [_corners(polygon, width, height)], 1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    glare = np.zeros((height, width), np.float32)
    for x, y, size in ((0.5, 0.3, 0.02), (0.35, 0.7, 0.03), (0.8, 0.2, 0.015)):
        distance = (columns - x * width) ** 2 + (rows - y * height) ** 2
        glare += 1.5 * np.exp(-distance / (2 * (size * width) ** 2))
    unshadowed = np.clip(flash + glare, 0, 1).astype(np.float32)
    lit = np.clip(flash * np.where(shadows > 0, np.float32(0.2), np.float32(1)) + glare, 0, 1)
    return Scene(name, ambient, lit.astype(np.float32), unshadowed, shadows > 0, glare > 0.1)


def _corners(polygon: list[tuple[float, float]], width: int, height: int) -> NDArray[np.int32]:
    return np.array([(x * width, y * height) for x, y in polygon]).astype(np.int32)


def _relit(flash: Picture, ambient: Picture) -> Picture:
    """The flash shot under the smoothed light of the ambient one, with a shadow that only that light casts."""
    _, height, width = flash.shape
    light = _smooth(ambient) / np.maximum(_smooth(flash), 0.02)
    relit = flash * np.clip(light, 0, 4)
    shadow = np.zeros((height, width), np.float32)
    polygon = [(0.40, 0.45), (0.58, 0.35), (0.66, 0.75), (0.48, 0.90)]
    cv2.fillPoly(shadow, [_corners(polygon, width, height)], 1.0)
    relit = relit * (1 - 0.6 * cv2.GaussianBlur(shadow, (0, 0), 1.0))
    return (relit / max(1.0, float(np.percentile(relit, 99.9)))).clip(0, 1).astype(np.float32)


def _smooth(picture: Picture) -> Picture:
    blurred = cv2.GaussianBlur(np.ascontiguousarray(picture.transpose(1, 2, 0)), (0, 0), _LIGHT_SIGMA)
    return np.ascontiguousarray(blurred.transpose(2, 0, 1))


def psnr(picture: Picture, truth: Picture, where: NDArray[np.bool_] | None = None) -> float:
    """Peak signal-to-noise ratio in dB, over the whole picture or a part."""
    error = (picture.astype(np.float64) - truth) ** 2
    return float(-10 * math.log10(error.mean() if where is None else error[:, where].mean()))
