"""The proof that outside a mask nothing has changed: sample by sample, in the source's own pixel format."""

from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.io.fixity import differing_samples, is_lossless
from reelprior.io.reader import open_reader
from reelprior.io.reading import Reading
from reelprior.models.defects import MaskSettings
from reelprior.pipeline.findings import Finding, Pair
from reelprior.pipeline.sidecar import Sidecar
from reelprior.pipeline.unknown import Unknown

__all__ = ["check_unmasked"]

_CHECK = "unmasked samples"


def check_unmasked(pair: Pair) -> Finding:
    """Whether every sample that the job was not to touch is the source's own."""
    sidecar, output = pair.sidecar, pair.output.video
    why_not = _why_not(pair)
    if why_not or sidecar is None:
        return Finding(_CHECK, "skipped", why_not)
    try:
        compared, differing = _differing(pair, None if sidecar.mask is None else sidecar.mask.path)
    except InputError as error:
        return Finding(_CHECK, "differs", str(error))
    if not compared:
        here = f"{output.codec} in {output.pix_fmt}"
        return Finding(_CHECK, "skipped", f"{here} does not hold {pair.source.video.pix_fmt} as it is")
    differences = [f"{count} samples of frame {t} are not the source's" for t, count in differing.items()]
    return Finding.of(_CHECK, differences, f"identical in {compared} frames, as {output.pix_fmt}")


def _why_not(pair: Pair) -> str:
    """Why samples outside a mask cannot be expected to be those of the source; "" if they can."""
    sidecar, output = pair.sidecar, pair.output.video
    if sidecar is None:
        return "no mask is recorded: every sample may have changed"
    if changes := _changes_elsewhere(sidecar):
        return changes
    if sidecar.fields.treatment != "none":
        return "the pictures are not the source's frames"
    if not is_lossless(output.codec):
        return f"{output.codec} does not hold samples as they are"
    if sidecar.mask is not None and not Path(sidecar.mask.path).exists() and "%" not in sidecar.mask.path:
        return f"{sidecar.mask.path} is not there any more"
    return ""


def _changes_elsewhere(sidecar: Sidecar) -> str:
    """What the job changed besides the pixels of a mask, in words; "" for nothing."""
    if sidecar.settings.get("strength") == 0:
        return ""
    if sidecar.defects:
        return "defects were looked for: where they were found is not recorded"
    if sidecar.mask is None:
        return "no mask is recorded: every sample may have changed"
    if sidecar.settings.get("scale", 1) > 1:
        return "the resolution was raised"
    if sidecar.settings.get("deblock"):
        return "errors of coding were repaired in the whole picture"
    return "noise was removed from the whole picture" if sidecar.settings.get("denoise") != "none" else ""


def _changes_nothing(pair: Pair) -> bool:
    """Whether the job was to leave every sample as it is."""
    return pair.sidecar is not None and pair.sidecar.settings.get("strength") == 0


def _mask_settings(sidecar: Sidecar) -> MaskSettings:
    """How the record says that the mask was grown and feathered."""
    said = sidecar.settings.get("mask", {})
    known = {name: value for name, value in said.items() if name in MaskSettings.model_fields}
    return MaskSettings.model_validate(known)


def _differing(pair: Pair, mask: str | None) -> tuple[int, dict[int, int]]:
    """How many frames can be compared, and the count of differing samples by frame, where there are any."""
    size = (pair.source.video.height, pair.source.video.width)
    wishes = MaskSettings() if pair.sidecar is None else _mask_settings(pair.sidecar)
    unknown = Unknown(pair.index, mask=None if _changes_nothing(pair) else mask, size=size, wishes=wishes)
    unreadable = pair.index.unreadable
    before = open_reader(pair.source.path, pair.index, reading=pair.reading)
    after = open_reader(pair.output.path, pair.output_index, reading=Reading(allow_gaps=True))
    compared, differing = 0, {}
    for t, one, other in zip(
        pair.frames,
        before.samples(pair.frames.start, pair.frames.stop),
        after.samples(0, len(pair.frames)),
        strict=True,
    ):
        if t in unreadable or not one.is_stored_like(other.layout, other.colour):
            continue
        compared += 1
        if count := differing_samples(one, other, unknown.touched(t)):
            differing[t] = count
    return compared, differing
