"""What is wrong with a source, from a look at a few places, and the preset that fits: what ``probe`` recommends."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reelprior.io.probe import MediaInfo
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex
from reelprior.models.defects import grey_of
from reelprior.models.dropouts import find_dropouts
from reelprior.models.dust import find_dust
from reelprior.models.flicker import estimate_flicker, tone_quantiles
from reelprior.models.scratches import find_scratches
from reelprior.models.steadiness import jump, unsteadiness
from reelprior.pipeline.compression import SourceCoding
from reelprior.pipeline.detection import logo_in

__all__ = ["VISIBLE_SIGMA_8BIT", "Diagnosis", "blockiness", "diagnose", "recommend"]

#: Places of a source that are looked at, frames of each, and how many of these in the middle are judged.
_PLACES, _LENGTH, _JUDGED = 3, 13, 3
#: Shares of the pixels, in percent, from which a sign of film is suspected and from which it is clear: sound clips of
#: moving scenes show up to 0.3 and 0.6, where water glitters or a pole stands. Suspected signs count if there are two.
_DUST, _SCRATCHES = (0.1, 0.5), (0.6, 1.0)
#: What is worth a preset, in percent of the pixels, in grey levels, and in times the usual difference of neighbours.
_DROPOUTS, _LOGO = 0.03, 0.1
_FLICKER_8BIT = 2.0
_BLOCKY = 1.15
#: As JPEG of quality 75 or less leaves.
_CODED_8BIT = 2.5
#: Below this, noise cannot be seen and rounding to 8 bit alone makes a third of it.
VISIBLE_SIGMA_8BIT = 1.5
#: Codecs that leave blocks.
_BLOCK_CODECS = frozenset(
    {"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "vp8", "vp9", "mjpeg", "h263", "wmv3"}
)


@dataclass(frozen=True)
class Diagnosis:
    """What was found where it was looked.

    Attributes
    ----------
    dust_percent, scratches_percent, dropouts_percent, logo_percent
        Share of the pixels, of what the detectors are sure of.
    flicker_8bit
        Typical correction of the tone, in 8-bit grey levels.
    unsteadiness_px
        Standard deviation of the whole picture's jumps; only reported.
    blockiness
        Mean difference across the borders of 8x8 blocks, in times that elsewhere.
    coding_sigma_8bit
        Errors of coding in 8-bit grey levels, as tables or quantisers of the source state them; 0 for what states none.
    coding
        By what they are stated, in words.
    """

    dust_percent: float = 0.0
    scratches_percent: float = 0.0
    dropouts_percent: float = 0.0
    logo_percent: float = 0.0
    flicker_8bit: float = 0.0
    unsteadiness_px: float = 0.0
    blockiness: float = 1.0
    coding_sigma_8bit: float = 0.0
    coding: str = "not stated"


def diagnose(path: str, index: FrameIndex, scenes: Sequence[range], coding: SourceCoding) -> Diagnosis:
    """Look at a source.

    Parameters
    ----------
    scenes
        Its scenes; the longest are looked at. Scenes of fewer than three frames tell nothing.
    coding
        How it was coded.

    Raises
    ------
    reelprior.io.errors.InputError
        If it cannot be read.
    """
    places = sorted((scene for scene in scenes if len(scene) >= 3), key=len, reverse=True)
    longest = places[: 1 if len(places) < _PLACES else _PLACES]
    # One scene is looked at in three places, three scenes in their middles.
    starts = (
        {_start(scene, 0.5) for scene in longest}
        if len(longest) > 1
        else {_start(scene, share) for scene in longest for share in (0.2, 0.5, 0.8)}
    )
    found = []
    for start in sorted(starts):
        scene = next(scene for scene in longest if start in scene)
        found.append(_look(path, index, range(start, min(scene.stop, start + _LENGTH))))
    logo = float(100 * logo_in(path, index).mask.mean())
    stated = coding.stated_errors()
    errors, stated_by = (
        (0.0, Diagnosis.coding) if stated is None else (round(255 * stated[0].sigma, 2), stated[1])
    )
    if not found:
        return Diagnosis(logo_percent=logo, coding_sigma_8bit=errors, coding=stated_by)
    dust, scratches, dropouts, flicker, jumps, blocks = np.mean(found, axis=0)
    return Diagnosis(
        round(dust, 4), round(scratches, 4), round(dropouts, 4), round(logo, 3), round(flicker, 2),
        round(jumps, 2), round(blocks, 3), errors, stated_by,
    )  # fmt: skip


def recommend(diagnosis: Diagnosis, info: MediaInfo, *, sigma_8bit: float) -> tuple[str, str]:
    """The preset that fits, and why in one sentence."""
    signs = {
        f"dust on {diagnosis.dust_percent:.2f} % of the pixels": _certainty(diagnosis.dust_percent, _DUST),
        f"scratches on {diagnosis.scratches_percent:.2f} %": _certainty(
            diagnosis.scratches_percent, _SCRATCHES
        ),
        f"flicker of {diagnosis.flicker_8bit:.1f} grey levels": 2 * (diagnosis.flicker_8bit >= _FLICKER_8BIT),
    }
    if diagnosis.dropouts_percent >= _DROPOUTS and info.video.height in {480, 486, 576, 240, 288}:
        return "vhs", f"drop-outs on {diagnosis.dropouts_percent:.2f} % of the pixels, at the height of tape"
    film = [text for text, certainty in signs.items() if certainty]
    if sum(signs.values()) >= 2:
        logo = " (and a logo: add --logo)" if diagnosis.logo_percent >= _LOGO else ""
        return "film", f"{', '.join(film)}{logo}"
    preset, why = _of_no_film(diagnosis, info, sigma_8bit)
    return preset, f"{why}; perhaps {film[0]}: see with --mark" if film else why


def _certainty(percent: float, limits: tuple[float, float]) -> int:
    """0: nothing to speak of, 1: suspected, 2: clear."""
    return sum(percent >= limit for limit in limits)


def _of_no_film(diagnosis: Diagnosis, info: MediaInfo, sigma_8bit: float) -> tuple[str, str]:
    if diagnosis.logo_percent >= _LOGO:
        return "logo", f"{diagnosis.logo_percent:.1f} % of the picture stands still over a moving scene"
    return _by_coding(diagnosis, info, sigma_8bit) or _by_noise(sigma_8bit)


def _by_coding(diagnosis: Diagnosis, info: MediaInfo, sigma_8bit: float) -> tuple[str, str] | None:
    coding, blocks = diagnosis.coding_sigma_8bit, diagnosis.blockiness
    if coding >= max(_CODED_8BIT, sigma_8bit):
        preset = "web-video" if info.kind == "video" else "jpeg"
        return preset, f"coding has left errors of {coding:.1f} grey levels, by {diagnosis.coding}"
    if blocks >= _BLOCKY and info.video.codec in _BLOCK_CODECS:
        return "web-video", f"borders of 8x8 blocks are {blocks:.2f} times as steep as their surroundings"
    return None


def _by_noise(sigma_8bit: float) -> tuple[str, str]:
    if sigma_8bit >= VISIBLE_SIGMA_8BIT:
        return "denoise", f"noise of sigma {sigma_8bit:.1f} grey levels was measured"
    return "inpaint", f"there is hardly any noise (sigma {sigma_8bit:.1f}); give --mask for what is missing"


def blockiness(grey: NDArray[np.float32]) -> float:
    """Mean difference across the borders of 8x8 blocks over that between other neighbours; (H, W), 1 for no blocks."""
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    borders = np.concatenate([across[:, 7::8].ravel(), down[7::8].ravel()])
    others = [part for k in range(7) for part in (across[:, k::8].ravel(), down[k::8].ravel())]
    inner = float(np.concatenate(others).mean())
    return float(borders.mean()) / inner if inner > 1e-4 and borders.size else 1.0


def _start(scene: range, share: float) -> int:
    return scene.start + round(share * max(0, len(scene) - _LENGTH))


def _look(path: str, index: FrameIndex, frames: range) -> tuple[float, ...]:
    """Numbers of one place, in the order of `Diagnosis` without the logo."""
    with open_reader(path, index) as reader:
        pixels = np.stack([frame.pixels for frame in reader.read(frames.start, frames.stop)])
    grey = grey_of(pixels)
    middle = max(0, len(frames) // 2 - _JUDGED // 2)
    wanted = range(middle, min(len(frames), middle + _JUDGED))
    shares = [
        100 * float(find(pixels, wanted).mask.mean()) for find in (find_dust, find_scratches, find_dropouts)
    ]
    curves = estimate_flicker([tone_quantiles(frame) for frame in pixels])
    level = grey.mean(axis=(1, 2))
    changes = [
        abs(float(curve.apply(np.array([x], np.float32))[0]) - x)
        for curve, x in zip(curves, level, strict=True)
    ]
    jumps = [jump(before, after) for before, after in pairwise(grey)]
    blocks = float(np.mean([blockiness(frame) for frame in grey]))
    return (*shares, 255 * float(np.mean(changes)), unsteadiness(jumps), blocks)
