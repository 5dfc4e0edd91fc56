"""The proof that outside a mask nothing has changed: sample by sample, in the source's own pixel format."""

from pathlib import Path

import numpy as np

from reelprior.io.errors import InputError
from reelprior.io.fixity import differing_samples, is_lossless
from reelprior.io.reader import open_reader
from reelprior.io.reading import Reading
from reelprior.pipeline.findings import Finding, Pair
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
    if sidecar is None or (sidecar.mask is None and not _changes_nothing(pair)):
        return "no mask is recorded: every sample may have changed"
    if sidecar.settings.get("denoise") != "none" and not _changes_nothing(pair):
        return "noise was removed from the whole picture"
    if sidecar.fields.treatment != "none":
        return "the pictures are not the source's frames"
    if not is_lossless(output.codec):
        return f"{output.codec} does not hold samples as they are"
    if sidecar.mask is not None and not Path(sidecar.mask.path).exists() and "%" not in sidecar.mask.path:
        return f"{sidecar.mask.path} is not there any more"
    return ""


def _changes_nothing(pair: Pair) -> bool:
    """Whether the job was to leave every sample as it is."""
    return pair.sidecar is not None and pair.sidecar.settings.get("strength") == 0


def _differing(pair: Pair, mask: str | None) -> tuple[int, dict[int, int]]:
    """How many frames can be compared, and the count of differing samples by frame, where there are any."""
    size = (pair.source.video.height, pair.source.video.width)
    nothing = np.zeros(size, np.bool_)
    unknown = Unknown(pair.index, mask=None if _changes_nothing(pair) else mask, size=size)
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
        missing = unknown.of(t)
        if count := differing_samples(one, other, nothing if missing is None else missing):
            differing[t] = count
    return compared, differing
