"""Flash pairs: PSNR against the best baseline, the cost of misalignment, the leak of flash shadows, the time.

Every pair goes from files to a file, as the command takes it; the baselines get the truth's own alignment and the
best of several settings at each level of noise. `flash_scenes` says how truth and noise are made.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from flash_baselines import FILTERS, NOTEBOOK_ITERATIONS, notebook
from flash_files import metadata_blocks, restore, write_samples
from flash_scenes import (
    DIMMINGS,
    READ_SIGMA,
    SHOT_SIGMA,
    Picture,
    Scene,
    capture,
    load_scenes,
    misaligned,
    psnr,
)
from session import Session
from table import Section, Table, at_least, at_most, identical

from reelprior.io.photographs import read_photograph
from reelprior.pipeline.photographs import PhotoResult

__all__ = ["measure"]

#: A shortened run takes a part of each picture, from this row and column and of this size.
_PART = (60, 60, 128, 144)
#: The notebook's time is that of a few of its iterations; its picture, on such a part only, that of all of them.
_TIMED_ITERATIONS = 4
#: Where the leak is also measured for a flash shot without shadows.
_MIDDLE = 1 / 20
_NOTES = (
    "Truth, noise and misalignment: `flash_scenes.py`; read noise 10^-2.5 and shot noise 10^-1.65 of full scale, "
    "pixels taken for linear light, files of 16 bits. PSNR after scaling back, over the whole picture. The baselines "
    "have the alignment of the simulation, the true noise, the true mask where they want one, and at each level the "
    "best of their settings; what reelprior has is two misaligned files and nothing else. The real carpet pair lies "
    "0.7 pixels apart before anything is simulated, which reelprior finds and the baselines are not told.",
    "Leak: root mean square error inside the synthetic shadows of the flash over that outside, mean over the cases; "
    "beside it the same quotient for a flash shot without these shadows, which is what the scene itself makes of it.",
)


@dataclass(frozen=True)
class _Case:
    scene: Scene
    dimming: float

    @property
    def name(self) -> str:
        return f"{self.scene.name} 1/{round(1 / self.dimming)}"


def measure(session: Session) -> Section:
    """All scenes at all levels."""
    scenes = [_part(scene) if session.is_shortened else scene for scene in load_scenes(session.data)]
    cases = [_Case(scene, dimming) for dimming in DIMMINGS for scene in scenes]
    folder = session.output / "flash"
    folder.mkdir(parents=True, exist_ok=True)
    baselines = {case.name: _baselines(case) for case in cases}
    best = _best_settings(cases, baselines)
    rows, gains, costs, leaks, seconds = [], [], [], [], []
    for case in cases:
        aligned, _ = _restored(session, case, folder, "aligned", case.scene.flash)
        moved, result = _restored(session, case, folder, "moved", misaligned(case.scene.flash))
        truth = case.scene.ambient
        filters = {name: baselines[case.name][name][best[case.dimming][name]] for name in FILTERS}
        ours = psnr(moved, truth)
        gains.append(ours - max(filters.values()))
        costs.append(psnr(aligned, truth) - ours)
        leaks.append(_leak(moved, case.scene))
        usual = ""
        if case.dimming == _MIDDLE:
            unshadowed, _ = _restored(session, case, folder, "unshadowed", misaligned(case.scene.unshadowed))
            usual = f" ({_leak(unshadowed, case.scene):.2f})"
        megapixels = truth[0].size / 1e6
        seconds.append(result.seconds / megapixels)
        rows.append(
            (
                case.name,
                f"{psnr(_scaled(case), truth):.2f}",
                *(f"{value:.2f}" for value in filters.values()),
                f"**{ours:.2f}**",
                f"{psnr(aligned, truth):.2f}",
                f"{leaks[-1]:.2f}{usual}",
            )
        )
    published = _notebook_seconds(cases[0])
    ratio = published / float(np.mean(seconds))
    blocks = metadata_blocks(session, cases[0].scene.ambient, cases[0].scene.flash, folder)
    figures = [
        at_least("Pairs: PSNR over the best baseline, mean", float(np.mean(gains)), 1.0, unit="dB"),
        at_most("Pairs: PSNR lost by misalignment, mean", float(np.mean(costs)), 0.5, unit="dB"),
        at_most("Pairs: error inside flash shadows over outside", float(np.mean(leaks)), 1.3),
        at_least("Pairs: times faster than the notebook, per megapixel", ratio, 20, digits=0),
        identical(
            "Pairs: EXIF, ICC profile and XMP, from 16 bits to 16 bits",
            all(blocks.values()),
            what=", ".join(name if same else f"{name} differs" for name, same in blocks.items()),
        ),
    ]
    header = ("case", "noisy", *FILTERS, "reelprior, misaligned", "aligned", "leak (without shadows)")
    notes = (
        *_NOTES,
        f"Time per megapixel: {np.mean(seconds):.0f} s from files to file; the notebook's {NOTEBOOK_ITERATIONS} "
        f"iterations {published:.0f} s, from {_TIMED_ITERATIONS} of them."
        + ("" if session.is_shortened else _notebook_note(cases[0])),
        "Settings chosen: "
        + "; ".join(f"1/{round(1 / d)}: {_listed(chosen)}" for d, chosen in best.items())
        + ".",
    )
    return Section("Flash pairs", figures, [Table(header, rows)], notes)


def _listed(chosen: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {setting}" for name, setting in chosen.items() if setting)


def _part(scene: Scene) -> Scene:
    top, left, height, width = _PART

    def cut(picture: Picture) -> Picture:
        return np.ascontiguousarray(picture[..., top : top + height, left : left + width])

    pictures = ("ambient", "flash", "unshadowed", "shadows", "highlights")
    parts: dict[str, Any] = {name: cut(getattr(scene, name)) for name in pictures}
    return replace(scene, **parts)


def _scaled(case: _Case) -> Picture:
    return (capture(case.scene, case.dimming) / np.float32(case.dimming)).clip(0, 1)


def _baselines(case: _Case) -> dict[str, dict[str, float]]:
    """PSNR of every filter at every setting."""
    noisy, scene = _scaled(case), case.scene
    level = float(scene.ambient.mean()) * case.dimming
    sigma = float(np.sqrt(READ_SIGMA**2 + SHOT_SIGMA**2 * level)) / case.dimming
    mask = scene.shadows | scene.highlights
    return {
        name: {
            setting: psnr(np.clip(run(noisy, scene.flash, mask, sigma), 0, 1), scene.ambient)
            for setting, run in settings.items()
        }
        for name, settings in FILTERS.items()
    }


def _best_settings(
    cases: list[_Case], scores: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> dict[float, dict[str, str]]:
    chosen: dict[float, dict[str, str]] = {}
    for dimming in DIMMINGS:
        names = [case.name for case in cases if case.dimming == dimming]
        chosen[dimming] = {}
        for name, settings in FILTERS.items():
            sums = {setting: sum(scores[case][name][setting] for case in names) for setting in settings}
            chosen[dimming][name] = max(sums, key=sums.__getitem__)
    return chosen


def _restored(
    session: Session, case: _Case, folder: Path, kind: str, flash: Picture
) -> tuple[Picture, PhotoResult]:
    """Scaled back, and what the job said."""
    stem = f"{case.scene.name}-{round(1 / case.dimming)}"
    ambient, other, output = (
        folder / f"{stem}-{name}.tif" for name in ("ambient", f"{kind}-flash", f"{kind}-restored")
    )
    write_samples(ambient, capture(case.scene, case.dimming))
    write_samples(other, flash)
    result = restore(session, other, ambient, output)
    pixels = read_photograph(output).pixels / np.float32(case.dimming)
    return np.clip(pixels, 0, 1), result


def _leak(picture: Picture, scene: Scene) -> float:
    error: Picture = np.square(picture - scene.ambient)
    outside = ~(scene.shadows | scene.highlights)
    return float(np.sqrt(error[:, scene.shadows].mean() / error[:, outside].mean()))


def _notebook_seconds(case: _Case) -> float:
    """Per megapixel, all its iterations."""
    noisy, flash = _scaled(case), case.scene.flash
    notebook(noisy, flash, iterations=1)  # the first of a process is slower
    started = time.monotonic()
    notebook(noisy, flash, iterations=_TIMED_ITERATIONS)
    each = (time.monotonic() - started) / _TIMED_ITERATIONS
    megapixels: float = noisy.shape[1] * noisy.shape[2] / 1e6
    return each * NOTEBOOK_ITERATIONS / megapixels


def _notebook_note(case: _Case) -> str:
    """What all its iterations make of a part of a picture."""
    part = replace(case, scene=_part(case.scene))
    done = notebook(_scaled(part), part.scene.flash, iterations=NOTEBOOK_ITERATIONS)
    scored = psnr(np.clip(done, 0, 1), part.scene.ambient)
    return f" On a part of {case.name} they reached {scored:.2f} dB."
