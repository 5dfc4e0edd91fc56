"""Detection: defects are looked for once, before anything is fitted, and what is found becomes files.

::

    masks/000123.png     one per frame: white is sure and becomes a hole, grey below half is unsure and stays
    masks/overlay.npz    a logo behind which the scene can be told, where there is one: how much of it is seen
    masks/found.json     written last: tone curves, how much is marked in each frame, facts, a hash of the others

The client does it while it would otherwise wait: a frame takes a fraction of a second here and seconds to minutes in a
fit. Frames are read chunk by chunk with handles inside their scene, so memory is bounded by a chunk and the result does
not depend on who works on what. Workers read the files (`unknown`, `found`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.files import atomic_path
from reelprior.io.pictures import encode_png
from reelprior.io.reader import open_reader
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.scan import FrameIndex
from reelprior.models.defects import Defects, DefectSettings, grey_of
from reelprior.models.dropouts import find_dropouts
from reelprior.models.dust import find_dust
from reelprior.models.flicker import ToneCurve, estimate_flicker, tone_quantiles
from reelprior.models.logo import LEAST_FRAMES, find_logo
from reelprior.models.overlay import Overlay, find_overlay
from reelprior.models.scratches import SCRATCH_REACH, find_scratches
from reelprior.models.steadiness import jump, unsteadiness
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.found import Findings, hash_of_masks, load_with_hash, save_findings, save_overlay
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.plan import Plan

__all__ = ["check_length", "detect", "logo_in"]

#: Frames, spread over the whole source, in which a logo is looked for.
_FRAMES_FOR_LOGO = 32


def check_length(
    wishes: DefectSettings, frames: range, *, handle: int, source_frames: int, path: str
) -> None:
    """Refuse detectors that need more frames than there are, with those of the handles on both sides.

    Raises
    ------
    UsageError
        In one line: which one, and how many it needs.
    """
    of_neighbours = [name for name in ("scratches", "dust", "dropouts", "deflicker") if getattr(wishes, name)]
    seen = min(source_frames, frames.stop + handle) - max(0, frames.start - handle)
    if of_neighbours and seen < 3:
        raise UsageError(
            f"--{of_neighbours[0]}: {path}: told by neighbouring frames, of which there are {seen} here; it "
            "takes three: mark the defect by hand and give it as --mask"
        )
    if wishes.logo and source_frames < LEAST_FRAMES:
        raise UsageError(
            f"--logo: {path}: told by what moves behind it; that takes {LEAST_FRAMES} frames, the source has "
            f"{source_frames}: mark the logo by hand and give it as --mask"
        )


def detect(
    order: Order,
    index: FrameIndex,
    directory: JobDirectory,
    *,
    on_frame: Callable[[int], None] = lambda _: None,
) -> Findings:
    """Look for what the job wants to be looked for, unless an earlier run has; ``on_frame`` hears how many are done.

    Masks and tone curves are made of all frames that restoring the job's looks at; what is said is of the job's own.

    Raises
    ------
    reelprior.io.errors.InputError
        If the source cannot be read.
    reelprior.io.errors.OutputError
        If the masks cannot be written.
    """
    earlier = load_with_hash(directory)
    wishes, plan, own = order.job.settings.defects, order.wider_plan(index), order.frames
    if earlier is not None and earlier[1] == hash_of_masks(directory, plan.frames):
        return earlier[0]
    facts: dict[str, float | bool] = {}
    curves: dict[int, ToneCurve] = {}
    corrected: list[ToneCurve] = []
    if wishes.deflicker:
        curves, facts["unsteadiness_px"] = _tones(order, index, plan)
        corrected = [curve for t, curve in curves.items() if t in own]
        facts["flicker_8bit"] = _strongest(corrected)
    logo = logo_in(order.read_path, index, reading=order.job.settings.source.reading) if wishes.logo else None
    (directory.path / "masks").mkdir(exist_ok=True)
    overlay = None if logo is None else _overlay(order, index, logo)
    save_overlay(directory, overlay)
    if overlay is not None:
        facts["seen_through_percent"] = round(100 * float(overlay.covered.mean()), 4)
        facts["transmission"] = round(float(overlay.transmission[overlay.covered].mean()), 3)
    totals: dict[str, float] = {}
    marked: dict[int, int] = {}
    counts: dict[str, int] = {}
    for t, parts in _judged(order, index, plan, curves, logo):
        found = Defects.none((1, order.height, order.width))
        for part in parts.values():
            found = found.merged(part)
        _write_mask(directory.mask_path(t), found.confidence[0])
        if t not in own:
            continue
        for name, part in parts.items():
            totals[name] = totals.get(name, 0.0) + float(part.mask.mean())
            counts[name] = counts.get(name, 0) + bool(part.mask.any())
        unsure = (found.confidence > 0) & ~found.mask
        totals["unsure"] = totals.get("unsure", 0.0) + float(unsure.mean())
        if count := int(found.mask.sum()):
            marked[t] = count
        on_frame(t + 1 - own.start)
    counts["deflicker"] = len(corrected)
    shares = {f"{name}_percent": round(100 * total / len(own), 4) for name, total in totals.items()}
    findings = Findings({**shares, **facts}, marked, curves, counts)
    save_findings(directory, findings, hash_of_masks(directory, plan.frames))
    return findings


def logo_in(path: str, index: FrameIndex, *, reading: Reading = AS_TAGGED) -> Defects:
    """A logo in the whole of a source, (1, H, W)."""
    return find_logo(np.stack([_in_8_bits(grey_of(pixels)) for pixels in _spread(path, index, reading)]))


def _overlay(order: Order, index: FrameIndex, logo: Defects) -> Overlay | None:
    """The logo, as far as the scene is seen through it: the scene and its noise, which nothing may have to remove."""
    if not order.job.restores_only_the_mask or index.field_order is not None or not logo.mask.any():
        return None
    reading = order.job.settings.source.reading

    def read(rows: slice, columns: slice) -> NDArray[np.uint8]:
        frames = _spread(order.read_path, index, reading)
        return np.stack([_in_8_bits(pixels[:, rows, columns]) for pixels in frames])

    return find_overlay(logo.mask[0], read)


def _spread(path: str, index: FrameIndex, reading: Reading) -> Iterator[NDArray[np.float32]]:
    """Frames (3, H, W) from all over a source, one by one."""
    count = min(_FRAMES_FOR_LOGO, len(index.pts))
    with open_reader(path, index, reading=reading) as reader:
        for i in range(count):
            t = (2 * i + 1) * len(index.pts) // (2 * count)
            yield from (frame.pixels for frame in reader.read(t, t + 1))


def _in_8_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values * 255).astype(np.uint8)


def _judged(
    order: Order, index: FrameIndex, plan: Plan, curves: Mapping[int, ToneCurve], logo: Defects | None
) -> Iterator[tuple[int, dict[str, Defects]]]:
    """Each frame with what each detector says about it, (1, H, W)."""
    wishes, unreadable = order.job.settings.defects, index.unreadable
    of_neighbours = {
        name: find
        for name, find in (("scratches", find_scratches), ("dust", find_dust), ("dropouts", find_dropouts))
        if getattr(wishes, name)
    }
    for chunk in plan.chunks:
        scene = plan.scenes[chunk.scene].frames
        seen = range(
            max(scene.start, chunk.core.start - SCRATCH_REACH),
            min(scene.stop, chunk.core.stop + SCRATCH_REACH),
        )
        # A lost frame is shown as the one before it: a repetition would make that one's dust look like the scene's.
        whole = [t for t in seen if t not in unreadable]
        core = [t for t in whole if t in chunk.core]
        found: dict[str, Defects] = {}
        if of_neighbours and core:
            frames = _read(order, index, seen, curves)[[t - seen.start for t in whole]]
            first = whole.index(core[0])
            for name, find in of_neighbours.items():
                wanted = range(first, first + len(core))
                found[name] = find(frames, wanted, sensitivity=wishes.sensitivity)
        for t in chunk.core:
            parts: dict[str, Defects] = {} if logo is None else {"logo": logo}
            if t in core:
                at = core.index(t)
                parts |= {name: part.cut(slice(at, at + 1)) for name, part in found.items()}
            yield t, parts


def _read(
    order: Order, index: FrameIndex, frames: range, curves: Mapping[int, ToneCurve]
) -> NDArray[np.float32]:
    pixels = np.empty((len(frames), 3, order.height, order.width), np.float32)
    with open_reader(order.read_path, index, reading=order.job.settings.source.reading) as reader:
        for frame in reader.read(frames.start, frames.stop):
            pixels[frame.index - frames.start] = curves.get(frame.index, ToneCurve()).apply(frame.pixels)
    return pixels


def _tones(order: Order, index: FrameIndex, plan: Plan) -> tuple[dict[int, ToneCurve], float]:
    """Tone curves of all frames, scene by scene, and the unsteadiness in pixels: one pass, one frame in memory."""
    curves: dict[int, ToneCurve] = {}
    steadiness = []
    with open_reader(order.read_path, index, reading=order.job.settings.source.reading) as reader:
        for scene in plan.scenes:
            quantiles, jumps, before = [], [], None
            for frame in reader.read(scene.frames.start, scene.frames.stop):
                grey = grey_of(frame.pixels)
                quantiles.append(tone_quantiles(frame.pixels))
                if before is not None:
                    jumps.append(jump(before, grey))
                before = grey
            steadiness.append((unsteadiness(jumps), len(scene.frames)))
            for t, curve in zip(scene.frames, estimate_flicker(quantiles), strict=True):
                if not curve.is_identity:
                    curves[t] = curve
    weighted = sum(pixels * count for pixels, count in steadiness) / len(plan.frames)
    return curves, round(weighted, 2)


def _strongest(curves: Sequence[ToneCurve]) -> float:
    """The largest correction at mid-grey, in 8-bit grey levels."""
    middle = np.array([0.5], np.float32)
    return round(max((abs(float(curve.apply(middle)[0]) - 0.5) for curve in curves), default=0.0) * 255, 1)


def _write_mask(path: Path, confidence: NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(np.repeat(confidence[None], 3, axis=0)))
