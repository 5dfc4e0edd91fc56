"""``verify``: compare an output with its source and its record, and say what differs.

Nothing is repaired or written. `reelprior.pipeline.verify_targets` knows the outputs of jobs and batches.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelprior.io.errors import InputError
from reelprior.io.field_rate import at_field_rate
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reading import Reading
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.tags import is_same_matrix
from reelprior.io.telecine import film_frames
from reelprior.pipeline.bag import is_bag, verify_bag
from reelprior.pipeline.errors import RestorationError, UsageError
from reelprior.pipeline.findings import Finding, Pair
from reelprior.pipeline.job import content_hash, mask_hash
from reelprior.pipeline.sidecar import Sidecar, read_sidecar, sidecar_path
from reelprior.pipeline.source import SourceSettings
from reelprior.pipeline.verify_samples import check_unmasked
from reelprior.pipeline.verify_streams import check_chapters, check_copies, check_metadata, check_times

__all__ = ["Verification", "verify_output"]

_WITH_GAPS = Reading(allow_gaps=True)


@dataclass(frozen=True)
class Verification:
    """What was found about one output; ``source`` and ``sidecar`` are the paths of what it was compared with."""

    output: str
    source: str | None
    sidecar: str | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return all(finding.status != "differs" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "output": self.output,
            "source": self.source,
            "sidecar": self.sidecar,
            "ok": self.holds,
            "checks": [asdict(finding) for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """One line a finding, for people."""
        width = max(len(finding.check) for finding in self.findings)
        return [
            f"{finding.status:<8} {finding.check:<{width}}  {finding.detail}" for finding in self.findings
        ]


def verify_output(output: str, *, source: str | None = None) -> Verification:
    """Compare an output with its source.

    Parameters
    ----------
    output
        A restored video, folder, pattern or picture; or a bag, whose hashes are checked.
    source
        What it was made from; by default what its sidecar names.

    Raises
    ------
    UsageError
        If there is neither a sidecar nor a ``source``.
    reelprior.io.errors.InputError
        If the output, the sidecar or a given source cannot be read.
    """
    if is_bag(output):
        return Verification(output, None, None, (_check_bag(output),))
    # Pictures of a series keep their numbers, and gaps between them.
    info = probe(output, reading=_WITH_GAPS)
    sidecar = read_sidecar(output)
    if sidecar is None and source is None:
        raise UsageError(f"{output}: no {sidecar_path(output).name} beside it: give --source INPUT")
    index = scan(output, reading=_WITH_GAPS)
    findings = [_check_decoding(index)]
    path = source
    if sidecar is not None:
        findings += _check_record(sidecar, output, info, index, source=source)
        path = source or sidecar.source.path
    assert path is not None
    if source is None and not Path(path).exists() and "%" not in path:
        findings.append(
            Finding("source", "skipped", f"{path} is not there any more: give --source where it is")
        )
        return Verification(output, None, str(sidecar_path(output)), tuple(findings))
    findings += _compare(_pair(path, info, index, sidecar))
    return Verification(output, path, str(sidecar_path(output)) if sidecar else None, tuple(findings))


def _check_bag(path: str) -> Finding:
    try:
        return Finding("bag", "ok", f"all {verify_bag(path)} files are there and as its manifest says")
    except RestorationError as error:
        return Finding("bag", "differs", str(error))


def _check_decoding(index: FrameIndex) -> Finding:
    faults = []
    if index.lost or index.damaged:
        faults.append(f"frames {sorted({*index.lost, *index.damaged})[:8]} do not decode, or not cleanly")
    if index.undecodable:
        faults.append(f"{index.undecodable} packets do not decode")
    if index.breaks_off:
        faults.append(f"the file breaks off ({index.breaks_off})")
    return Finding.of("decoding", faults, f"all {len(index)} frames decode")


def _check_record(
    sidecar: Sidecar, output: str, info: MediaInfo, index: FrameIndex, *, source: str | None
) -> Iterator[Finding]:
    """Whether the files still are what the record says."""
    for name, record, path, hash_of in (
        ("output hash", sidecar.output, output, content_hash),
        ("source hash", sidecar.source, source or sidecar.source.path, content_hash),
        ("mask hash", sidecar.mask, sidecar.mask.path if sidecar.mask else "", mask_hash),
    ):
        if record is None:
            continue
        try:
            is_equal = hash_of(path) == record.sha256
        except InputError as error:
            yield Finding(name, "skipped", str(error))
            continue
        differences = [] if is_equal else [f"{path} is not the file it was (its SHA-256 is another)"]
        yield Finding.of(name, differences, f"{Path(path).name} is the file that the record names")
    found = f"{info.video.width}x{info.video.height}, {len(index)} frames"
    told = f"{sidecar.width}x{sidecar.height}, {sidecar.frames} frames"
    yield Finding.of("record", [] if found == told else [f"{found}; the record says {told}"], found)
    if sidecar.repaired_frames:
        count = len(sidecar.repaired_frames)
        frames = "1 frame was" if count == 1 else f"{count} frames were"
        yield Finding("repaired", "ok", f"{frames} made anew from the neighbours, as the record says")


def _pair(path: str, output: MediaInfo, output_index: FrameIndex, sidecar: Sidecar | None) -> Pair:
    reading = _WITH_GAPS if sidecar is None else _reading_of(sidecar)
    source = probe(path, reading=reading)
    index = scan(path, reading=reading)
    if sidecar is None:
        frames = range(len(index))
    else:
        index = _as_restored(path, index, sidecar)
        frames = range(sidecar.first_frame, sidecar.first_frame + sidecar.frames)
    is_whole = frames == range(len(index))
    return Pair(source, index, frames, output, output_index, sidecar, is_whole, reading)


def _reading_of(sidecar: Sidecar) -> Reading:
    """How the record says that the source was read."""
    said = sidecar.settings.get("source", {})
    known = {name: value for name, value in said.items() if name in SourceSettings.model_fields}
    return SourceSettings.model_validate(known).reading


def _as_restored(path: str, index: FrameIndex, sidecar: Sidecar) -> FrameIndex:
    """The index of the pictures that the output was made from."""
    fields = sidecar.fields
    if fields.order is None or (fields.treatment == "fields" and fields.every == 2):
        return index
    if fields.treatment == "fields":
        return at_field_rate(index, fields.order)
    times = [
        (frame.pts or 0, frame.duration or 0, frame.time_base)
        for frame in film_frames(path, order=fields.order)
    ]
    return FrameIndex(
        pts=tuple(pts for pts, _, _ in times),
        durations=tuple(duration for _, duration, _ in times),
        time_base=Fraction(times[0][2] or 1) if times else Fraction(1),
        scene_scores=(0.0,) * len(times),
    )


def _compare(pair: Pair) -> Iterator[Finding]:
    count = len(pair.output_index)
    differences = [] if count == len(pair.frames) else [f"{count} of {len(pair.frames)} are there"]
    if pair.frames.stop > len(pair.index):
        differences.append(f"the source has only {len(pair.index)}")
    yield Finding.of("frames", differences, f"all {count} of the source's are there")
    if differences:
        yield Finding("times", "skipped", "the frames are not those of the source")
        return
    yield check_times(pair)
    yield from _check_shape(pair)
    yield _check_colour(pair)
    if pair.source.kind == "video" and pair.output.kind == "video":
        yield from check_copies(pair)
        yield check_chapters(pair)
        yield check_metadata(pair)
    yield check_unmasked(pair)


def _check_shape(pair: Pair) -> Iterator[Finding]:
    """Size, pixel shape, rotation and scan type."""
    source, output = pair.source.video, pair.output.video
    differences = []
    scale = pair.sidecar.width / source.width if pair.sidecar else 1
    if (output.width, output.height) != (round(source.width * scale), round(source.height * scale)):
        differences.append(
            f"{output.width}x{output.height} pixels, not those of the source, {source.width}x{source.height}"
        )
    is_same_shape = output.sample_aspect_ratio == source.sample_aspect_ratio
    if not is_same_shape and not pair.was_dropped("the shape of pixels"):
        differences.append(f"pixels of {output.sample_aspect_ratio}, not {source.sample_aspect_ratio}")
    crop = source.crop and source.crop.scaled(scale)
    if pair.output.kind == "video" and output.crop != crop and not pair.was_dropped("the crop"):
        differences.append(f"crop: {output.crop or 'none'}, not {crop or 'none'}")
    is_turned_alike = output.rotation == source.rotation or pair.was_dropped("the rotation")
    if pair.output.kind == "video" and not is_turned_alike:
        differences.append(f"rotated by {output.rotation} degrees, not {source.rotation}")
    yield Finding.of("picture", differences, f"{output.width}x{output.height}, pixel shape and rotation kept")
    if pair.sidecar and pair.sidecar.fields.treatment != "none":
        found = pair.output_index.fields
        combed = [] if not found.flagged else [f"{found.flagged} frames are tagged as interlaced"]
        yield Finding.of("fields", combed, f"progressive; the source was {pair.sidecar.fields.found}")


def _check_colour(pair: Pair) -> Finding:
    """The tags of the source, where it has any and the output can say them."""
    source, output = pair.source.video.colour, pair.output.video.colour
    if (source.matrix == "gbr") != (output.matrix == "gbr"):
        return Finding("colour", "skipped", f"the output keeps {output.matrix}, the source {source.matrix}")
    pairs = {
        "matrix": (source.matrix, output.matrix, source.matrix_is_assumed),
        "range": (source.range, output.range, source.range_is_assumed),
        "primaries": (source.primaries, output.primaries, False),
        "transfer": (source.transfer, output.transfer, False),
    }
    differences = [
        f"{name} {there}, not {here}"
        for name, (here, there, is_assumed) in pairs.items()
        if here not in ("unknown", there)
        and not pair.was_dropped(f"the colour {name}")
        and not (name == "matrix" and (is_assumed or is_same_matrix(here, there)))
    ]
    return Finding.of("colour", differences, f"{output.matrix}, {output.range} range, as the source")
