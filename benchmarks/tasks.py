"""Super-resolution, holes and compression: each against classical means on the same pictures in the same run.

Stills are those of the folder of data (Set5, the eleven grey pictures of the Deep Image Prior table), clips those of
the other benchmarks and Vid4's walk. A task whose data are not there is left out, and the section says so.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from clips import decode, load, read_picture, write
from coded import measure_coded
from numpy.typing import NDArray
from published import enlarge_as_published
from regions import measure_regions
from session import TASKS, Session
from table import Figure, Section, Table, at_least
from torch.nn import functional

from reelprior.pipeline.job import Job
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.restore import run

__all__ = [
    "luma",
    "measure",
    "moving_object",
    "moving_wires",
    "psnr",
    "run_preset",
    "still_wires",
    "wire_mask",
]

Picture = NDArray[np.uint8]
_CROP = 128
_SEED = 11
#: Published mean of Deep Image Prior for x4 on Set5 (Ulyanov et al. 2017, table 1).
_PUBLISHED_SET5 = 29.90
#: It is run on this picture, and on a part of one frame of walk, of so many pixels a side before it is enlarged.
_AS_PUBLISHED_ON, _PART = "butterfly", 32
_REFERENCE_ON = "house"
#: What is raised was reduced by bicubic interpolation, as is usual, and the program is told so; the published method
#: assumes Lanczos.
_BY_4: dict[str, object] = {"scale": 4, "enlarging.reduction": "bicubic"}


def measure(session: Session) -> Section:
    """Every task whose data are there."""
    figures: list[Figure] = []
    tables: list[Table] = []
    notes: list[str] = []
    stills = session.data / "stills"
    parts = {
        "set5": (stills / "set5", _set5),
        "walk": (session.data / "clips" / "vid4_walk", _walk),
        "wires": (session.data, _wires),
        "half": (stills / "bernoulli11", _half),
        "regions": (stills / "cset9", _regions),
        "jpeg": (stills / "cset9", _jpeg),
        "coded": (session.data, measure_coded),
    }
    for name in session.tasks or TASKS:
        folder, part = parts[name]
        if not folder.is_dir():
            notes.append(f"{name}: left out, {folder.name} is not in the folder of data.")
            continue
        found, table = part(session, folder)
        figures += found
        tables.append(table)
    return Section("Tasks", figures, tables, notes)


def _set5(session: Session, folder: Path) -> tuple[list[Figure], Table]:
    figures, rows, scores = [], [], []
    for path in _first(session, sorted((folder / "HR").glob("*.png"))):
        truth = read_picture(path)
        height, width = (side // 4 * 4 for side in truth.shape[:2])
        small = read_picture(folder / "LR_bicubic" / "X4" / f"{path.stem}x4.png")
        bicubic = _bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
        ours, seconds = _restore(session, small, f"set5-{path.stem}", preset="upscale", options=_BY_4)
        pair = [_luma_psnr(picture, truth[:height, :width]) for picture in (bicubic, ours)]
        scores.append(pair)
        rows.append((path.stem, *(f"{score:.2f}" for score in pair), f"{seconds:.0f}"))
        if path.stem == _AS_PUBLISHED_ON and not session.is_shortened:
            published, taken = enlarge_as_published(small, 4)
            of_it = _luma_psnr(published, truth[:height, :width])
            rows.append((f"{path.stem}, as published", "", f"{of_it:.2f}", f"{taken:.0f}"))
            figures += [
                at_least(f"x4, {path.stem}: over the published method", pair[1] - of_it, 0.0, unit="dB"),
                at_least(f"x4, {path.stem}: its time / ours", taken / seconds, 10, digits=0),
            ]
    means = np.mean(scores, 0)
    rows.append(("mean", f"{means[0]:.2f}", f"{means[1]:.2f}", ""))
    figures.append(
        at_least("x4, Set5, luma (published for DIP: 29.90)", float(means[1]), _PUBLISHED_SET5, unit="dB")
    )
    return figures, Table(("x4, Set5: dB of luma", "bicubic", "reelprior", "s"), rows)


def _walk(session: Session, folder: Path) -> tuple[list[Figure], Table]:
    """Frames of Vid4's walk reduced by 4; the middle ones are measured, and of one its middle as published."""
    paths = sorted(folder.glob("*.png"))[: session.frames]
    truth = np.stack([read_picture(path)[:, :, ::-1] for path in paths])
    truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
    height, width = truth.shape[1:3]
    small = _reduced(truth)
    source = write(session.clip("walk-x4"), small)
    results = {
        "bicubic": np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in small])
    }
    for name, radius in (("frame by frame", 0), ("with neighbours", 4)):
        output = session.clip(f"walk-{radius}")
        run_preset(session, source, output, "upscale", {**_BY_4, "enlarging.radius": radius})
        results[name] = decode(output)
    middle = range(len(truth) // 4, len(truth) - len(truth) // 4)
    scores = {
        name: float(np.mean([_luma_psnr(clip[t][..., ::-1], truth[t][..., ::-1], border=8) for t in middle]))
        for name, clip in results.items()
    }
    gain = scores["with neighbours"] - scores["frame by frame"]
    figures = [at_least("x4, Vid4 walk: neighbours over our single frames", gain, 1.0, unit="dB")]
    rows = [(name, f"{score:.2f}", "") for name, score in scores.items()]
    if not session.is_shortened:
        t = len(truth) // 2
        part = tuple(slice((side - _PART) // 2, (side + _PART) // 2) for side in small.shape[1:3])
        wide = tuple(slice(4 * at.start, 4 * at.stop) for at in part)
        published, _ = enlarge_as_published(np.ascontiguousarray(small[t][part]), 4)
        there = {name: clip[t][wide] for name, clip in results.items()} | {"as published": published}
        of_part = {
            name: _luma_psnr(one[..., ::-1], truth[t][wide][..., ::-1], border=8)
            for name, one in there.items()
        }
        rows = [(name, f"{score:.2f}", f"{of_part[name]:.2f}") for name, score in scores.items()]
        rows.append(("frame by frame, as published", "", f"{of_part['as published']:.2f}"))
        over = of_part["with neighbours"] - of_part["as published"]
        figures.append(at_least("x4, Vid4 walk: over the published method", over, 1.0, unit="dB"))
    return figures, Table(("x4, Vid4 walk: dB of luma", "middle frames", "middle of one frame"), rows)


def _wires(session: Session, _: Path) -> tuple[list[Figure], Table]:
    """Wires that stay where they are, wires that move, and an object that moves, each before a moving picture."""
    rows: list[tuple[str, ...]] = []
    gains: dict[str, list[float]] = {name: [] for name in _HIDING}
    for case in session.cases():
        truth = load(case, data=session.data, count=session.frames or 12)
        for name, masks_of in _HIDING.items():
            masks = masks_of(*truth.shape[:3])
            damaged = np.where(masks[..., None], np.uint8(30), truth)
            source = write(session.clip(f"{case.name}-{name}"), damaged)
            white = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=-1)
            marked = write(session.clip(f"{case.name}-{name}-masks"), white)
            output = session.clip(f"{case.name}-{name}-restored")
            run_preset(session, source, output, "inpaint", {}, mask=marked)
            clips = [
                np.stack(
                    [
                        cv2.inpaint(frame, mask.astype(np.uint8), 3, method)
                        for frame, mask in zip(damaged, masks, strict=True)
                    ]
                )
                for method in (cv2.INPAINT_TELEA, cv2.INPAINT_NS)
            ]
            scores = [psnr(clip[masks], truth[masks]) for clip in (*clips, decode(output))]
            gains[name].append(scores[2] - max(scores[:2]))
            rows.append((f"{case.name}, {name}", *(f"{score:.2f}" for score in scores)))
    figures = [
        at_least(f"{name}: over Telea and NS, in the mask, mean", float(np.mean(found)), 5, unit="dB")
        for name, found in gains.items()
    ]
    return figures, Table(("hidden by, over motion: dB in the mask", "Telea", "NS", "reelprior"), rows)


def _half(session: Session, folder: Path) -> tuple[list[Figure], Table]:
    """Grey crops with every second pixel missing, at random."""
    figures, rows = [], []
    for path in _first(session, sorted(folder.glob("*.png"))):
        truth = _middle(read_picture(path))
        mask = np.random.default_rng(_SEED).random(truth.shape[:2]) < 0.5
        damaged = np.where(mask[..., None], np.uint8(0), truth)
        mask_path = _mask_file(session, f"half-{path.stem}", mask)
        telea = _bytes(cv2.inpaint(damaged, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA))
        ours, seconds = _restore(session, damaged, f"half-{path.stem}", preset="inpaint", mask=mask_path)
        scores, cells = [psnr(telea, truth), psnr(ours, truth)], "-"
        if path.stem.startswith(_REFERENCE_ON) and not session.is_shortened:
            reference, reference_seconds = _restore(
                session,
                damaged,
                "half-reference",
                preset="reference",
                mask=mask_path,
                options={"denoise": "none"},
            )
            cells = f"{psnr(reference, truth):.2f}"
            figures += [
                at_least(
                    f"half missing, {path.stem}: over the reference",
                    scores[1] - psnr(reference, truth),
                    0.5,
                    unit="dB",
                ),
                at_least(
                    f"half missing, {path.stem}: reference's time / ours", reference_seconds / seconds, 20
                ),
            ]
        rows.append((path.stem, *(f"{score:.2f}" for score in scores), cells, f"{seconds:.0f}"))
    return figures, Table(("half of the pixels missing, dB", "Telea", "reelprior", "reference", "s"), rows)


def _regions(session: Session, folder: Path) -> tuple[list[Figure], Table]:
    """Wide holes in photographs."""

    def restore(picture: Picture, name: str, missing: NDArray[np.bool_]) -> tuple[Picture, float]:
        return _restore(session, picture, name, preset="inpaint", mask=_mask_file(session, name, missing))

    return measure_regions(session, folder, restore=restore)


def _jpeg(session: Session, folder: Path) -> tuple[list[Figure], Table]:
    figures, rows = [], []
    for quality in (10, 20):
        gains = []
        for path in _first(session, sorted(folder.glob("*.png"))):
            truth = _middle(read_picture(path), side=256)
            source = session.output / "clips" / f"jpeg-{quality}-{path.stem}.jpg"
            source.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(source), truth, [cv2.IMWRITE_JPEG_QUALITY, quality])
            output = source.with_suffix(".png")
            run_preset(session, source, output, "jpeg", {})
            before, after = psnr(read_picture(source), truth), psnr(read_picture(output), truth)
            gains.append(after - before)
            rows.append((f"{path.stem}, quality {quality}", f"{before:.2f}", f"{after:.2f}"))
        figures.append(
            at_least(f"JPEG quality {quality}: over the JPEG, mean", float(np.mean(gains)), 0.8, unit="dB")
        )
    return figures, Table(("JPEG, dB", "the JPEG", "reelprior"), rows)


def psnr(picture: Picture, truth: Picture) -> float:
    """In dB, of 8-bit levels."""
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-12)))


def luma(picture: Picture) -> NDArray[np.float64]:
    """Y' of BT.601, limited range, as tables of super-resolution measure it: (H, W, B'G'R') to (H, W)."""
    weighted: NDArray[np.float64] = (
        picture.astype(np.float64) @ np.array([24.966, 128.553, 65.481]) / 255 + 16
    )
    return weighted


def wire_mask(height: int, width: int) -> NDArray[np.bool_]:
    """Two lines across the picture, three pixels wide."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.line(canvas, (0, height // 3), (width - 1, height // 2), 1, 3)
    cv2.line(canvas, (width // 3, 0), (width // 2, height - 1), 1, 3)
    return canvas > 0


def still_wires(frames: int, height: int, width: int) -> NDArray[np.bool_]:
    """(T, H, W): the lines of `wire_mask` in every frame."""
    return np.repeat(wire_mask(height, width)[None], frames, axis=0)


def moving_wires(frames: int, height: int, width: int) -> NDArray[np.bool_]:
    """(T, H, W): two lines, three pixels wide, that move by about a pixel a frame."""
    canvas = np.zeros((frames, height, width), np.uint8)
    for t in range(frames):
        y, x = round(height * 0.4 - 0.7 * t), round(width * 0.4 + 1.2 * t)
        cv2.line(canvas[t], (0, y), (width - 1, y + height // 7), 1, 3)
        cv2.line(canvas[t], (x, 0), (x + width // 8, height - 1), 1, 3)
    return canvas > 0


def moving_object(frames: int, height: int, width: int) -> NDArray[np.bool_]:
    """(T, H, W): an ellipse of a fifth by a third of the height that crosses the middle at 6 pixels a frame."""
    canvas = np.zeros((frames, height, width), np.uint8)
    axes = (round(height * 0.1), round(height * 0.17))
    for t in range(frames):
        centre = (round(width / 2 + 6 * (t - frames / 2)), round(height * 0.55 + 3 * np.sin(t / 3)))
        cv2.ellipse(canvas[t], centre, axes, 15, 0, 360, 1, -1)
    return canvas > 0


#: What hides the picture; masks from (frames, height, width).
_HIDING: dict[str, Callable[[int, int, int], NDArray[np.bool_]]] = {
    "still wires": still_wires,
    "moving wires": moving_wires,
    "moving object": moving_object,
}


def _luma_psnr(picture: Picture, truth: Picture, *, border: int = 4) -> float:
    inside = np.s_[border:-border, border:-border]
    error = np.mean((luma(picture)[inside] - luma(truth)[inside]) ** 2)
    return float(10 * np.log10(255**2 / error))


def _reduced(frames: Picture) -> Picture:
    """Frames (T, H, W, 3) reduced by 4, bicubic with antialiasing as Set5's are: PyTorch's."""
    planes = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    small = functional.interpolate(planes.float(), scale_factor=0.25, mode="bicubic", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8).numpy().transpose(0, 2, 3, 1)


def _bytes(picture: NDArray[Any]) -> Picture:
    """What OpenCV gives back, which is of the type that it got."""
    return picture.astype(np.uint8, copy=False)


def _middle(picture: Picture, *, side: int = _CROP) -> Picture:
    top, left = (max(0, (length - side) // 2) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def _mask_file(session: Session, name: str, missing: NDArray[np.bool_]) -> Path:
    path = session.output / "clips" / f"{name}-mask.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), missing.astype(np.uint8) * 255)
    return path


def _first(session: Session, paths: Sequence[Path]) -> Iterator[Path]:
    """All of them, or two for a trial."""
    yield from paths[:2] if session.is_shortened else paths


def _restore(
    session: Session,
    picture: Picture,
    name: str,
    *,
    preset: str,
    options: dict[str, object] | None = None,
    mask: Path | None = None,
) -> tuple[Picture, float]:
    """Restore one picture as a job of its own; the result and the seconds that it took."""
    source, output = (session.output / "clips" / f"{name}{suffix}.png" for suffix in ("", "-restored"))
    source.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(source), picture)
    started = time.perf_counter()
    run_preset(session, source, output, preset, options or {}, mask=mask)
    return read_picture(output), time.perf_counter() - started


def run_preset(
    session: Session,
    source: Path,
    output: Path,
    preset: str,
    options: dict[str, object],
    *,
    mask: Path | None = None,
) -> None:
    """Restore a file by a preset and further settings, within this process."""
    settings = load_settings(preset, overrides=session.overrides, options=options)
    run(
        Job(
            input=str(source),
            output=str(output),
            settings=settings,
            mask=None if mask is None else str(mask),
            resume=False,
            overwrite=True,
        )
    )
