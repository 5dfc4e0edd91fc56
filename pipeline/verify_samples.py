"""The proof that outside a mask nothing has changed: sample by sample, in the source's own pixel format."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.fixity import differing_samples, is_lossless
from reelprior.io.reader import VideoReader, open_reader
from reelprior.pipeline.findings import Finding, Pair
from reelprior.pipeline.unknown import open_job_masks

__all__ = ["check_unmasked"]

_CHECK = "unmasked samples"


def check_unmasked(pair: Pair) -> Finding:
    """Whether every sample that the job was not to touch is the source's own."""
    sidecar = pair.sidecar
    why_not = _why_not(pair)
    if why_not or sidecar is None or sidecar.mask is None:
        return Finding(_CHECK, "skipped", why_not)
    try:
        differing = _differing(pair, sidecar.mask.path)
    except InputError as error:
        return Finding(_CHECK, "differs", str(error))
    differences = [f"{count} samples of frame {t} are not the source's" for t, count in differing.items()]
    return Finding.of(
        _CHECK, differences, f"identical in all {len(pair.frames)} frames, as {pair.output.video.pix_fmt}"
    )


def _why_not(pair: Pair) -> str:
    """Why samples outside a mask cannot be expected to be those of the source; "" if they can."""
    sidecar, source, output = pair.sidecar, pair.source.video, pair.output.video
    if sidecar is None or sidecar.mask is None:
        return "no mask is recorded: every sample may have changed"
    if sidecar.settings.get("denoise") != "none":
        return "noise was removed from the whole picture"
    if sidecar.fields.treatment != "none":
        return "the pictures are not the source's frames"
    if source.pix_fmt != output.pix_fmt or not is_lossless(output.codec):
        return f"{output.codec} in {output.pix_fmt} cannot hold the source's {source.pix_fmt} as it is"
    if not Path(sidecar.mask.path).exists() and "%" not in sidecar.mask.path:
        return f"{sidecar.mask.path} is not there any more"
    return ""


def _differing(pair: Pair, mask: str) -> dict[int, int]:
    """Count of differing samples by frame, where there are any."""
    size = (pair.source.video.height, pair.source.video.width)
    masks = open_job_masks(mask, pair.index, size=size)
    before = open_reader(pair.source.path, pair.index)
    after = open_reader(pair.output.path, pair.output_index)
    unreadable = pair.index.unreadable
    differing = {}
    if isinstance(before, VideoReader) and isinstance(after, VideoReader):
        pictures = zip(
            before.pictures(pair.frames.start, pair.frames.stop),
            after.pictures(0, len(pair.frames)),
            strict=True,
        )
        for (t, one, _), (_, other, _) in pictures:
            if t not in unreadable and (count := differing_samples(one, other, masks.read(t, t + 1)[0])):
                differing[t] = count
        return differing
    for one, other in zip(
        before.read(pair.frames.start, pair.frames.stop), after.read(0, len(pair.frames)), strict=True
    ):
        t = one.index
        if t not in unreadable and (count := _unlike(one.pixels, other.pixels, masks.read(t, t + 1)[0])):
            differing[t] = count
    return differing


def _unlike(one: NDArray[np.float32], other: NDArray[np.float32], missing: NDArray[np.bool_]) -> int:
    """Pixels outside a mask that differ; pictures of one format read alike only if their samples are alike."""
    return int(((one != other).any(0) & ~missing).sum())
