"""Pixel formats: what a frame that nobody restores loses between reading and writing. All codes count, illegal too."""

from pathlib import Path

import av
import numpy as np
from table import Figure, Section, Table

from reelprior.io.chunks import read_frames, write_frames
from reelprior.io.coding import Coding, video_encoding
from reelprior.io.colour import FromRgb, ToRgb
from reelprior.io.layout import layout_of
from reelprior.io.planes import Reorder
from reelprior.io.samples import Kept, Samples, SamplesOf
from reelprior.io.tags import ColourTags, colour_tags, set_colour_tags

__all__ = ["FORMATS", "differences", "measure"]

FORMATS = (
    "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv440p", "yuv410p", "yuvj420p", "yuvj444p", "nv12", "yuyv422",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv440p10le", "p010le", "yuv420p12le", "yuv422p12le", "yuv444p12le",
    "yuv440p12le", "yuv420p14le", "yuv420p16le", "yuv422p16le", "yuv444p16le", "gray", "gray10le", "gray12le",
    "gray16le", "rgb24", "bgr0", "pal8", "gbrp10le", "gbrp12le", "gbrp14le", "gbrp16le", "rgb48le", "yuva420p",
    "yuva422p10le", "yuva444p12le", "yuva444p16le", "rgba", "gbrap12le", "rgba64le", "ya8", "ya16le",
)  # fmt: skip
_SIZE = (46, 62)


def measure(folder: Path) -> Section:
    """One row per format."""
    rows, worst, exact = [], 0, True
    for pix_fmt in FORMATS:
        through_rgb, taken_over, stored_as = differences(pix_fmt, folder / "chunk.mkv")
        worst = max(worst, through_rgb, taken_over)
        exact = exact and (taken_over == 0 or not _is_stored_alike(pix_fmt, stored_as))
        words = "yes" if taken_over == 0 else f"no: {taken_over}"
        rows.append((pix_fmt, str(layout_of(pix_fmt).bits), stored_as, str(through_rgb), words))
    figures = [
        Figure(
            "identity through R'G'B' and the chunk store",
            worst,
            f"{worst} code",
            "at most 1 code",
            worst <= 1,
        ),
        Figure(
            "identity where nothing changes", exact, "bit-exact" if exact else "DIFFERENT", "bit-exact", exact
        ),
    ]
    notes = [
        "Random codes over the whole range, most of them colours outside the R'G'B' cube. *difference*: largest, in "
        "codes of the format, after reading, conversion to R'G'B', the chunk store (steps of 1/65535), and back. "
        "*bit-exact*: the same for a job that changes nothing (`--set strength=0`, or outside a mask), "
        "where the source's own samples are taken over, in the pixel format of the default output; "
        "where FFV1 has no format like the source's, they are converted, and the difference is there instead.",
    ]
    heading = ("source", "bits", "stored as", "difference", "bit-exact")
    return Section("Pixel formats", figures, [Table(heading, rows)], notes)


def differences(pix_fmt: str, chunk: Path) -> tuple[int, int, str]:
    """Largest difference through R'G'B' and the store; the same where samples are taken over; the output's format."""
    frame = _random_frame(pix_fmt)
    samples = SamplesOf()(frame)
    write_frames(chunk, [ToRgb(clip=False)(frame)], clip=False)
    (stored,) = read_frames(chunk)
    layout = samples.layout
    kept = Kept(samples, np.zeros(_SIZE, np.bool_))
    height, width = _SIZE
    encoding = video_encoding("a.mkv", Coding(), source_pix_fmt=pix_fmt, width=width, height=height)
    through = FromRgb(layout.planar, samples.colour)(stored, Kept(samples))
    taken = FromRgb(encoding.pix_fmt, samples.colour)(stored, kept)
    if not _is_stored_alike(pix_fmt, encoding.pix_fmt):
        again = ToRgb(clip=False)(taken)
        taken = FromRgb(layout.planar, samples.colour)(again, Kept(SamplesOf()(taken)))
    return _distance(samples, SamplesOf()(through)), _distance(samples, SamplesOf()(taken)), encoding.pix_fmt


def _is_stored_alike(one: str, other: str) -> bool:
    a, b = layout_of(one), layout_of(other)
    return (a.kind, a.bits, a.horizontal, a.vertical) == (b.kind, b.bits, b.horizontal, b.vertical)


def _random_frame(pix_fmt: str) -> av.VideoFrame:
    random = np.random.default_rng(0)
    height, width = _SIZE
    frame = av.VideoFrame(width, height, layout_of(pix_fmt).planar)
    bits = layout_of(pix_fmt).bits
    for plane in frame.planes:
        memory = np.frombuffer(memoryview(plane), layout_of(pix_fmt).dtype)
        memory[:] = random.integers(0, 2**bits, memory.shape)
    if not pix_fmt.startswith("yuvj"):
        set_colour_tags(frame, ColourTags("bt709", "limited"))
    tags = colour_tags(frame)
    if pix_fmt == "pal8":  # FFmpeg makes no palettes: its colours are what matters
        return frame
    frame = Reorder()(frame, pix_fmt)
    set_colour_tags(frame, tags)
    return frame


def _distance(one: Samples, other: Samples) -> int:
    """Largest difference of code values."""
    planes = [*one.planes, *([] if one.alpha is None else [one.alpha])]
    others = [*other.planes, *([] if other.alpha is None else [other.alpha])]
    return max(int(np.abs(b.astype(np.int64) - a).max()) for a, b in zip(planes, others, strict=True))
