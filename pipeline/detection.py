"""Detection: defects are looked for once, before anything is fitted, and what is found becomes files.

::

    masks/000123.png     one per frame: white is sure and becomes a hole, grey below half is unsure and stays
    masks/found.json     written last: tone curves, how much is marked in each frame, facts, a hash of the masks

The client does it while it would otherwise wait: a frame takes a fraction of a second here and seconds to minutes in a
fit. Frames are read chunk by chunk with handles inside their scene, so memory is bounded by a chunk and the result does
not depend on who works on what. Workers read the files (`missing_in`, `tones_in`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.files import atomic_path, sha256
from reelprior.io.images import read_image
from reelprior.io.masks import open_masks
from reelprior.io.pictures import encode_png
from reelprior.io.reader import open_reader
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.scan import FrameIndex
from reelprior.models.defects import SURE, Defects, DefectSettings, grey_of, grown
from reelprior.models.dropouts import find_dropouts
from reelprior.models.dust import find_dust
from reelprior.models.flicker import ToneCurve, estimate_flicker, tone_quantiles
from reelprior.models.logo import LEAST_FRAMES, find_logo
from reelprior.models.scratches import SCRATCH_REACH, find_scratches
from reelprior.models.steadiness import jump, unsteadiness
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.plan import Plan

__all__ = [
    "Findings",
    "MissingMasks",
    "check_length",
    "detect",
    "load_findings",
    "logo_in",
    "missing_in",
    "missing_masks",
    "needs_a_fit",
    "tones_in",
]

#: Frames, spread over the whole source, in which a logo is looked for.
_FRAMES_FOR_LOGO = 32
#: Detectors and what they find, for people.
_KINDS = {"scratches": "Scratches", "dust": "Dust and dirt", "dropouts": "Lost lines of tape", "logo": "Logo"}


@dataclass(frozen=True)
class Findings:
    """What was found in the frames of a job.

    Attributes
    ----------
    facts
        For people: share of the pixels marked by each detector in percent, and so on.
    marked
        Pixels that are holes, by frame; frames without any are left out.
    curves
        Tone correction by frame; frames without any are left out.
    frames
        In how many frames each detector is sure of something.
    """

    facts: Mapping[str, float | bool] = field(default_factory=dict)
    marked: Mapping[int, int] = field(default_factory=dict)
    curves: Mapping[int, ToneCurve] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)

    def by_detector(self) -> list[tuple[str, int, str]]:
        """Kind of defect, in how many frames, and how much of it, for people; without what was not found."""
        found = [
            (
                _KINDS[name],
                count,
                f"{float(self.facts[f'{name}_percent']):.2g} % of the pixels of all frames, filled",
            )
            for name, count in self.frames.items()
            if count
        ]
        if self.curves:
            strongest = float(self.facts["flicker_8bit"])
            found.append(("Flicker", len(self.curves), f"corrected by up to {strongest:.2g} grey levels"))
        return found

    def curves_to_json(self) -> dict[str, list[float]]:
        """Offset, gain and bend by frame: with them `ToneCurve.undo` takes the correction back."""
        return {str(t): [round(number, 6) for number in astuple(curve)] for t, curve in self.curves.items()}


def check_length(wishes: DefectSettings, frames: range, *, source_frames: int, path: str) -> None:
    """Refuse detectors that need more frames than there are.

    Raises
    ------
    UsageError
        In one line: which one, and how many it needs.
    """
    of_neighbours = [name for name in ("scratches", "dust", "dropouts", "deflicker") if getattr(wishes, name)]
    if of_neighbours and len(frames) < 3:
        raise UsageError(
            f"--{of_neighbours[0]}: {path}: told by neighbouring frames, of which there are {len(frames)} here; it "
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

    Raises
    ------
    reelprior.io.errors.InputError
        If the source cannot be read.
    reelprior.io.errors.OutputError
        If the masks cannot be written.
    """
    earlier = _load(directory)
    if earlier is not None and earlier[1] == _hash_of_masks(directory, order.frames):
        return earlier[0]
    wishes, plan = order.job.settings.defects, order.plan(index)
    facts: dict[str, float | bool] = {}
    curves: dict[int, ToneCurve] = {}
    if wishes.deflicker:
        curves, facts["unsteadiness_px"] = _tones(order, index, plan)
        facts["flicker_8bit"] = _strongest(curves)
    logo = logo_in(order.job.input, index, reading=order.job.settings.source.reading) if wishes.logo else None
    totals: dict[str, float] = {}
    marked: dict[int, int] = {}
    counts: dict[str, int] = {}
    (directory.path / "masks").mkdir(exist_ok=True)
    for t, parts in _judged(order, index, plan, curves, logo):
        found = Defects.none((1, order.height, order.width))
        for name, part in parts.items():
            totals[name] = totals.get(name, 0.0) + float(part.mask.mean())
            counts[name] = counts.get(name, 0) + bool(part.mask.any())
            found = found.merged(part)
        unsure = (found.confidence > 0) & ~found.mask
        totals["unsure"] = totals.get("unsure", 0.0) + float(unsure.mean())
        if count := int(found.mask.sum()):
            marked[t] = count
        _write_mask(directory.mask_path(t), found.confidence[0])
        on_frame(t + 1 - order.frames.start)
    shares = {f"{name}_percent": round(100 * total / len(order.frames), 4) for name, total in totals.items()}
    findings = Findings({**shares, **facts}, marked, curves, counts)
    _save(directory, findings, _hash_of_masks(directory, order.frames))
    return findings


def load_findings(directory: JobDirectory) -> Findings:
    """What `detect` found; nothing where nothing was looked for."""
    found = _load(directory)
    return found[0] if found else Findings()


def needs_a_fit(order: Order, directory: JobDirectory, frames: range) -> bool:
    """Whether anything in these frames is to be fitted: a job that fills holes only may have none here."""
    job = order.job
    if job.settings.strength == 0:
        return False
    if not job.restores_only_the_mask or job.mask is not None:
        return True
    return any(t in frames for t in load_findings(directory).marked)


def missing_in(
    job: Job, index: FrameIndex, directory: JobDirectory, frames: range, *, size: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """The one missing mask, (T, H, W): what the user's mask and every detector mark, grown; None without either."""
    if job.mask is None and not job.settings.defects.masks:
        return None
    missing = np.zeros((len(frames), *size), np.bool_)
    if job.mask is not None:
        missing |= open_masks(job.mask, size=size, frames=len(index.pts)).read(frames.start, frames.stop)
    if job.settings.defects.masks:
        for position, t in enumerate(frames):
            missing[position] |= read_image(directory.mask_path(t))[0].mean(axis=0) >= SURE
    return grown(missing, job.settings.mask.grow)


@dataclass(frozen=True)
class MissingMasks:
    """`missing_in` of one job, as `reelprior.io.masks.Masks`; `missing_masks` makes one."""

    order: Order
    index: FrameIndex
    directory: JobDirectory

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """See `reelprior.io.masks.Masks`."""
        order, frames = self.order, range(start, stop)
        size = (order.height, order.width)
        missing = missing_in(order.job, self.index, self.directory, frames, size=size)
        return np.zeros((len(frames), *size), np.bool_) if missing is None else missing


def missing_masks(order: Order, index: FrameIndex, directory: JobDirectory) -> MissingMasks | None:
    """What is missing in a job's frames; None where nothing was given and nothing looked for."""
    given = order.job.mask is not None or order.job.settings.defects.masks
    return MissingMasks(order, index, directory) if given else None


def tones_in(directory: JobDirectory, frames: range) -> list[ToneCurve]:
    """The tone correction of each frame."""
    curves = load_findings(directory).curves
    return [curves.get(t, ToneCurve()) for t in frames]


def logo_in(path: str, index: FrameIndex, *, reading: Reading = AS_TAGGED) -> Defects:
    """A logo in the whole of a source, (1, H, W)."""
    count = min(_FRAMES_FOR_LOGO, len(index.pts))
    chosen = [(2 * i + 1) * len(index.pts) // (2 * count) for i in range(count)]
    with open_reader(path, index, reading=reading) as reader:
        levels = [
            np.rint(grey_of(frame.pixels) * 255).astype(np.uint8)
            for t in chosen
            for frame in reader.read(t, t + 1)
        ]
    return find_logo(np.stack(levels))


def _judged(
    order: Order, index: FrameIndex, plan: Plan, curves: Mapping[int, ToneCurve], logo: Defects | None
) -> Iterator[tuple[int, dict[str, Defects]]]:
    """Each frame with what each detector says about it, (1, H, W)."""
    wishes = order.job.settings.defects
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
        wanted = range(chunk.core.start - seen.start, chunk.core.stop - seen.start)
        found: dict[str, Defects] = {}
        if of_neighbours:
            frames = _read(order, index, seen, curves)
            for name, find in of_neighbours.items():
                found[name] = find(frames, wanted, sensitivity=wishes.sensitivity)
        for position, t in enumerate(chunk.core):
            parts = {name: part.cut(slice(position, position + 1)) for name, part in found.items()}
            yield t, parts if logo is None else {**parts, "logo": logo}


def _read(
    order: Order, index: FrameIndex, frames: range, curves: Mapping[int, ToneCurve]
) -> NDArray[np.float32]:
    pixels = np.empty((len(frames), 3, order.height, order.width), np.float32)
    with open_reader(order.job.input, index, reading=order.job.settings.source.reading) as reader:
        for frame in reader.read(frames.start, frames.stop):
            pixels[frame.index - frames.start] = curves.get(frame.index, ToneCurve()).apply(frame.pixels)
    return pixels


def _tones(order: Order, index: FrameIndex, plan: Plan) -> tuple[dict[int, ToneCurve], float]:
    """Tone curves of all frames, scene by scene, and the unsteadiness in pixels: one pass, one frame in memory."""
    curves: dict[int, ToneCurve] = {}
    steadiness = []
    with open_reader(order.job.input, index, reading=order.job.settings.source.reading) as reader:
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


def _strongest(curves: Mapping[int, ToneCurve]) -> float:
    """The largest correction at mid-grey, in 8-bit grey levels."""
    middle = np.array([0.5], np.float32)
    return round(
        max((abs(float(curve.apply(middle)[0]) - 0.5) for curve in curves.values()), default=0.0) * 255, 1
    )


def _write_mask(path: Path, confidence: NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(np.repeat(confidence[None], 3, axis=0)))


def _hash_of_masks(directory: JobDirectory, frames: range) -> str | None:
    """SHA-256 over the hashes of all masks, in hex; None if one is missing."""
    try:
        hashes = [sha256(directory.mask_path(t)) for t in frames]
    except InputError:
        return None
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _save(directory: JobDirectory, findings: Findings, masks_hash: str | None) -> None:
    fields = {
        "facts": dict(findings.facts),
        "marked": list(findings.marked.items()),
        "curves": [(t, *astuple(curve)) for t, curve in findings.curves.items()],
        "frames": dict(findings.frames),
        "sha256": masks_hash,
    }
    directory.write_text(directory.found_path, json.dumps(fields, indent=1))


def _load(directory: JobDirectory) -> tuple[Findings, str] | None:
    """Findings and the hash of their masks; None if there are none or they are damaged."""
    try:
        fields = json.loads(directory.found_path.read_text(encoding="utf-8"))
        findings = Findings(
            fields["facts"],
            {int(t): int(count) for t, count in fields["marked"]},
            {int(t): ToneCurve(*numbers) for t, *numbers in fields["curves"]},
            {str(name): int(count) for name, count in fields["frames"].items()},
        )
        return findings, str(fields["sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
