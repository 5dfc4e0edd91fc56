"""What is in a source, what is wrong with it, and which preset fits: the facts of ``reelprior probe``."""

from collections.abc import Iterable
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from typing import Any

from reelprior.io.colour import is_exact
from reelprior.io.hdr import HdrMetadata
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.scan import FrameIndex, scan
from reelprior.models.noise_estimate import NoiseEstimate
from reelprior.pipeline.compression import SourceCoding
from reelprior.pipeline.diagnosis import VISIBLE_SIGMA_8BIT, diagnose, recommend
from reelprior.pipeline.footage import describe_fields
from reelprior.pipeline.noise import measure, noise_facts, sigma_8bit
from reelprior.pipeline.noise_profile import save_profile
from reelprior.pipeline.plan import cut_scenes
from reelprior.pipeline.settings import ChunkSettings

__all__ = ["inspect_source"]

_SAME_RATE = 0.02
"""A few frames on a clock of milliseconds measure a rate no better than this."""


def inspect_source(path: str, *, profile: str | None = None, overwrite: bool = False) -> dict[str, Any]:
    """Look at a source: headers, every frame once, noise and defects of a few of them.

    Parameters
    ----------
    path
        The source.
    profile
        Where to write what was measured of the noise, if anywhere.
    overwrite
        Whether an existing profile may be replaced.

    Raises
    ------
    reelprior.io.errors.InputError
        If it cannot be read.
    reelprior.io.errors.OutputError
        If the profile cannot be written.
    """
    info = probe(path)
    index = scan(path)
    frames = range(len(index.pts))
    coding = SourceCoding.of(info, index.quantisers, frames=len(index))
    noise = measure(path, index, frames, coding)
    sigma = sigma_8bit(noise.noise)
    if profile is not None:
        save_profile(
            profile, noise.noise, source=path, remarks=tuple(_noise_remarks(noise)), overwrite=overwrite
        )
    threshold = ChunkSettings().scene_threshold
    scenes = cut_scenes(frames, index.scene_scores, threshold=threshold)
    found = diagnose(path, index, scenes, coding)
    preset, why = recommend(found, info, sigma_8bit=sigma)
    video = info.video
    return {
        "input": info.path,
        "kind": info.kind,
        "container": info.container,
        "codec": video.codec,
        "width": video.width,
        "height": video.height,
        "pix_fmt": video.pix_fmt,
        "bit_depth": video.bit_depth,
        "sample_aspect_ratio": str(video.sample_aspect_ratio),
        "rotation": video.rotation,
        "crop": {} if video.crop is None else asdict(video.crop),
        "frames": len(frames),
        "seconds": round(_seconds(index), 3),
        "average_rate": _average_rate(info, index),
        "colour": {
            "matrix": video.colour.matrix,
            "matrix_is_assumed": video.colour.matrix_is_assumed,
            "range": video.colour.range,
            "range_is_assumed": video.colour.range_is_assumed,
            "primaries": video.colour.primaries,
            "transfer": video.colour.transfer,
        },
        "alpha": video.has_alpha or video.alpha_is_hidden,
        "hdr": _hdr_facts(video.hdr),
        "streams": [
            {"kind": stream.kind, "codec": stream.codec, "language": stream.language, "title": stream.title}
            for stream in info.streams
        ],
        "chapters": info.chapters,
        "metadata": dict(info.metadata),
        "noise_sigma_8bit": round(sigma, 2),
        "noise": noise_facts(noise),
        "defects": asdict(found),
        "fields": describe_fields(index.fields),
        "unreadable_frames": sorted(index.unreadable),
        "scenes": [[scene.start, scene.stop] for scene in scenes],
        "remarks": [*_remarks(info, index), *_picture_remarks(info), *_noise_remarks(noise)],
        "preset": preset,
        "why": why,
    }


def _hdr_facts(hdr: HdrMetadata | None) -> dict[str, Any]:
    if hdr is None:
        return {}
    facts: dict[str, Any] = {}
    if hdr.luminance:
        facts["mastered_at_cd_m2"] = [float(value) for value in hdr.luminance]
    if hdr.content_light:
        facts["max_cll"], facts["max_fall"] = hdr.content_light
    return facts


def _noise_remarks(estimate: NoiseEstimate) -> Iterable[str]:
    """What a person should know before trusting the measured noise."""
    if estimate.is_correlated and sigma_8bit(estimate.noise) >= VISIBLE_SIGMA_8BIT:
        how = (
            "its sigma is less certain, and held-out pixels stop a fit too late"
            if estimate.noise.spectrum is None
            else "its sigma is that of what changes from frame to frame"
        )
        yield (
            f"the noise of neighbouring pixels is correlated ({estimate.correlation:.2f}), as after a codec, "
            f"a scaler or in film grain: {how}"
        )


def _seconds(index: FrameIndex) -> float:
    return float((index.pts[-1] - index.pts[0] + index.durations[-1]) * index.time_base)


def _average_rate(info: MediaInfo, index: FrameIndex) -> str:
    """Frames a second: what the header says, unless the frames' own times say otherwise."""
    stated, measured = info.video.average_rate, _measured_rate(index)
    if measured is None or (stated is not None and abs(measured / stated - 1) < _SAME_RATE):
        return str(stated)
    return f"{float(measured):.5g}"


def _measured_rate(index: FrameIndex) -> Fraction | None:
    span = (index.pts[-1] - index.pts[0]) * index.time_base
    return (len(index.pts) - 1) / span if span else None


def _remarks(info: MediaInfo, index: FrameIndex) -> Iterable[str]:
    """What a person should know before trusting the file."""
    declared, found = info.video.frames_from_header, len(index.pts)
    if declared and declared != found:
        yield f"the header declares {declared} frames, {found} can be decoded"
    stated, measured = info.video.average_rate, _measured_rate(index)
    if stated and measured and abs(measured / stated - 1) >= _SAME_RATE:
        yield f"the header says {float(stated):.5g} frames a second, their times say {float(measured):.5g}"
    # A step more or less is rounding, and a hundredth nobody sees.
    steps = {after - before for before, after in pairwise(index.pts)}
    if steps and max(steps) - min(steps) > max(1, min(steps) / 100):
        yield f"the frame rate varies: {min(steps)} to {max(steps)} units of {index.time_base} s a frame"
    if index.unreadable:
        yield f"{len(index.unreadable)} frames cannot be read; restore repairs them from their neighbours"
    if index.undecodable:
        yield f"{index.undecodable} packets without a place in time cannot be decoded"
    if index.breaks_off:
        yield f"the file breaks off after the last frame ({index.breaks_off})"
    if index.fields.type != "progressive":
        yield f"{describe_fields(index.fields)}: restore it with --deinterlace"
    elif 2 * index.fields.flagged > len(index.pts):
        yield "the frames are flagged as interlaced, but look progressive"


def _picture_remarks(info: MediaInfo) -> Iterable[str]:
    """What a person should know about its colours, its opacity and its edges."""
    if info.video.colour.matrix_is_assumed:
        matrix = info.video.colour.matrix
        yield f"the colour matrix is not tagged: {matrix} is assumed from the size (see --set source.matrix=...)"
    if info.video.colour.range_is_assumed:
        value = info.video.colour.range
        yield f"the colour range is not tagged: {value} is assumed (see --set source.range=...)"
    if not is_exact(info.video.colour.matrix):
        matrix = info.video.colour.matrix
        yield f"the colour matrix {matrix} is kept as it is; pictures of this clip show approximate colours"
    if info.video.crop is not None:
        yield f"the container hides a part of the picture ({info.video.crop}), which is restored, too"
    if info.video.alpha_is_hidden:
        yield f"there is an opacity that the decoder of {info.video.codec} does not give out"
    if info.video.hdr is not None and info.video.hdr.dynamic:
        yield f"{' and '.join(info.video.hdr.dynamic)} metadata would be lost: only static HDR metadata is kept"
