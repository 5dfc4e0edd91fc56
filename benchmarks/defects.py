"""Defects: how well synthetic dust, scratches and logos over clean clips are found, and what repairing them gives.

Detection runs on every clip there is, through the detectors; repair runs the program with ``--dust --scratches`` and
with ``--logo`` on two clips, beside OpenCV's inpainting. The clean clips are looked at too: whatever is marked in
them is a false alarm. OpenCV's inpainting, the better of Telea and Navier-Stokes, is given the true mask throughout.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import clips
import cv2
import numpy as np
from numpy.typing import NDArray
from session import Session
from table import Section, Table, at_least

from reelprior.models.defects import Defects
from reelprior.models.dust import find_dust
from reelprior.models.logo import find_logo
from reelprior.models.scratches import find_scratches
from reelprior.pipeline.job import Job
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.restore import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from blemishes import Damaged, add_dust, add_logo, add_scratches, hit_rates

__all__ = ["measure"]

_SEED = 11
#: Half a step of 8 bits: what differs by more is damaged.
_SEEN = 0.5 / 255
Clip = NDArray[np.float32]


@dataclass(frozen=True)
class _Footage:
    """A stretch of one scene: file, first frame, number of frames, divisor of width and height, and a moving camera."""

    name: str
    file: str
    start: int
    count: int
    divisor: int
    moves: bool


_FOOTAGE = (
    _Footage("carphone", "carphone_pristine.mp4", 40, 12, 1, moves=False),
    _Footage("bikes", "bikes.mp4", 62, 12, 2, moves=True),
    _Footage("bigbuckbunny", "bigbuckbunny.mp4", 40, 12, 4, moves=False),
    _Footage("blackswan", "blackswan_gt.mp4", 0, 12, 2, moves=True),
    _Footage("camel", "camel_gt.mp4", 0, 12, 2, moves=True),
    _Footage("judo", "judo.mp4", 0, 12, 2, moves=False),
)
#: A logo is told by what moves behind it: all frames of clips whose scene moves behind it, every so many frames.
_LOGOS = (("bikes", "bikes.mp4", 250, 8, 2), ("blackswan", "blackswan_gt.mp4", 30, 1, 2))

_NOTES = (
    "Precision and recall are of pixels: found pixels that touch a changed one, visibly changed pixels (8 grey levels "
    "and more) that are found. False alarms are what is marked in the clean clip, in percent of its pixels. Scratches "
    "over a camera that stands still are the hard case: there nothing but their own unrest tells them from a pole.",
    "Repair: PSNR of 8-bit output against the clean clip, of whole frames or inside the logo's true mask. OpenCV has "
    "the true mask and reelprior the one it found.",
)


def measure(session: Session) -> Section:
    """Score detection on every clip that is there, and repair on some."""
    rows: list[tuple[str, ...]] = []
    rates: dict[str, list[tuple[float, float]]] = {"dust": [], "scratches": []}
    for footage, clean in _clean(session):
        for name, damage, find in (
            ("dust", add_dust, find_dust),
            ("scratches", add_scratches, find_scratches),
        ):
            damaged = damage(clean, np.random.default_rng(_SEED))
            rates[name].append(_rates(damaged, find))
            alarms = 100 * find(clean).mask.mean()
            precision, recall = rates[name][-1]
            camera = "moves" if footage.moves else "still"
            row = (
                f"{footage.name} (camera {camera}), {name}",
                f"{precision:.3f}",
                f"{recall:.3f}",
                f"{alarms:.4f}",
            )
            rows.append(row)
    figures = []
    for name, found in rates.items():
        precision, recall = np.mean(found, axis=0)
        figures.append(at_least(f"precision, {name}", float(precision), 0.9))
        figures.append(at_least(f"recall, {name}", float(recall), 0.9))
    detection = Table(("detection", "precision", "recall", "false alarms, %"), rows)

    name, before, classical, after = _film(session)
    repairs = [(name, f"{before:.2f}", f"{classical:.2f}", f"{after:.2f}")]
    figures.append(at_least(f"gain of the whole frame, {name}", after - before, 3.0, unit="dB"))
    logos = []
    for name, overlap, classical, ours in _logo_cases(session):
        logos.append((name, f"{overlap:.3f}", f"{classical:.2f}", f"{ours:.2f}"))
        figures.append(at_least(f"mask overlap, {name}", overlap, 0.8))
        figures.append(at_least(f"gain over OpenCV inside, {name}", ours - classical, 5.0, unit="dB"))
    repair = Table(("repair", "damaged, dB", "OpenCV, dB", "reelprior, dB"), repairs)
    logo = Table(("logo", "mask overlap", "OpenCV, dB inside", "reelprior, dB inside"), logos)
    return Section("Defects", figures, [detection, repair, logo], _NOTES)


def _clean(session: Session) -> Iterator[tuple[_Footage, Clip]]:
    for footage in _FOOTAGE:
        try:
            path = clips.find_clip(footage.file, data=session.data)
        except SystemExit:  # the clips of DAVIS are in no package
            continue
        count = min(footage.count, session.frames or footage.count)
        video = clips.decode(path, range(footage.start, footage.start + count))
        yield footage, _unit(_reduced(video, footage.divisor))


def _rates(damaged: Damaged, find: Callable[[Clip], Defects]) -> tuple[float, float]:
    return hit_rates(find(damaged.frames).mask, damaged)


def _film(session: Session) -> tuple[str, float, float, float]:
    """Dust and scratches over one clip, found and repaired, nothing else touched."""
    footage = _FOOTAGE[1]
    video = clips.decode(
        clips.find_clip(footage.file, data=session.data),
        range(footage.start, footage.start + (session.frames or footage.count)),
    )
    clean = _unit(_reduced(video, footage.divisor))
    rng = np.random.default_rng(_SEED)
    damaged = add_scratches(add_dust(clean, rng).frames, rng).frames
    wanted: dict[str, object] = {"defects.dust": True, "defects.scratches": True}
    restored = _repair(session, f"{footage.name}-film", damaged, "inpaint", options=wanted)
    classical = max(
        _psnr(clip, clean) for clip in _inpainted(damaged, np.abs(damaged - clean).max(axis=1) > _SEEN)
    )
    return f"{footage.name}, dust and scratches", _psnr(damaged, clean), classical, _psnr(restored, clean)


def _logo_cases(session: Session) -> Iterator[tuple[str, float, float, float]]:
    for name, file, total, step, divisor in _LOGOS:
        try:
            path = clips.find_clip(file, data=session.data)
        except SystemExit:
            continue
        clean = _unit(_reduced(clips.decode(path, range(total)), divisor))
        for opacity in (0.5, 1.0):
            damaged = add_logo(clean, opacity=opacity)
            levels = np.rint(damaged.frames[::step].mean(axis=1) * 255).astype(np.uint8)
            found, true = find_logo(levels).mask[0], damaged.visible[0]
            overlap = float((found & true).sum() / max(1, (found | true).sum()))
            # The repair is judged on a few frames of one scene: all of them would take the night.
            first = 62 if name == "bikes" else 0
            few = slice(first, first + (session.frames or 8))
            ours = _repair(session, f"{name}-logo", damaged.frames, "logo", frames=(few.start, few.stop))
            inside = np.broadcast_to(true, (len(ours), 3, *true.shape))
            filled = _inpainted(damaged.frames[few], inside[:, 0])
            yield (
                f"{name}, opacity {opacity:g}",
                overlap,
                max(_psnr(clip[inside], clean[few][inside]) for clip in filled),
                _psnr(ours[inside], clean[few][inside]),
            )


def _repair(
    session: Session,
    name: str,
    damaged: Clip,
    preset: str,
    *,
    options: dict[str, object] | None = None,
    frames: tuple[int | None, int | None] = (None, None),
) -> Clip:
    """Through the program: only what is found changes."""
    source, output = session.clip(f"{name}-damaged"), session.clip(f"{name}-repaired")
    clips.write(source, np.rint(damaged.transpose(0, 2, 3, 1) * 255).astype(np.uint8))
    settings = load_settings(preset, overrides=session.overrides, options=options or {})
    job = Job(
        input=str(source),
        output=str(output),
        settings=settings,
        frames=frames,
        resume=False,
        overwrite=True,
    )
    run(job)
    return _unit(clips.decode(output))


def _inpainted(frames: Clip, masks: NDArray[np.bool_]) -> list[Clip]:
    """Frames with masks (T, H, W) filled by Telea's method and by Navier-Stokes."""
    pictures = np.ascontiguousarray(np.rint(frames.transpose(0, 2, 3, 1) * 255).astype(np.uint8))
    return [
        _unit(
            np.stack(
                [cv2.inpaint(*pair, 3, method) for pair in zip(pictures, masks.astype(np.uint8), strict=True)]
            )
        )
        for method in (cv2.INPAINT_TELEA, cv2.INPAINT_NS)
    ]


def _reduced(video: clips.Video, divisor: int) -> clips.Video:
    height, width = video.shape[1:3]
    return clips.reduce(video, size=(width // divisor, height // divisor))


def _unit(video: clips.Video) -> Clip:
    return np.ascontiguousarray(video.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def _psnr(clip: NDArray[np.floating], clean: NDArray[np.floating]) -> float:
    return float(-10 * np.log10(np.mean((clip.astype(np.float64) - clean) ** 2)))
