"""Colour tags: reading, completing and writing what a video says about its colour.

Policy for untagged input (``probe`` shows it as "assumed"):

* matrix of YUV and grey: BT.709 where the height is 720 or more, else BT.601;
* range of YUV: limited, unless the pixel format is a full-range one (yuvj420p and the like); grey: full;
* R'G'B' is always full range, whatever the tag says: all of FFmpeg does so, and tags left over from a YUV
  source are common.

A `reelprior.io.reading.Reading` overrules both the tags and the policy.
"""

from dataclasses import dataclass, replace

import av

from reelprior.io.layout import layout_of
from reelprior.io.reading import AS_TAGGED, Reading

__all__ = ["COLOUR_NAMES", "ColourTags", "colour_tags", "is_same_matrix", "set_colour_tags", "tags_for"]

# FFmpeg's names for the code points of ITU-T H.273. What is not listed is reserved, and as good as untagged.
_MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
    15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_RANGES = {1: "limited", 2: "full"}

_UNTAGGED = "unknown"

COLOUR_NAMES = {
    "matrix": tuple(name for name in _MATRICES.values() if name != "gbr"),
    "range": tuple(_RANGES.values()),
    "primaries": tuple(_PRIMARIES.values()),
    "transfer": tuple(_TRANSFERS.values()),
}
"""What a `Reading` may say."""


@dataclass(frozen=True)
class ColourTags:
    """What is known about the colour of a video, in FFmpeg's names.

    Attributes
    ----------
    matrix
        "bt709", "smpte170m" and "bt470bg" (both are BT.601), "bt2020nc", "gbr" (the planes are R'G'B') ...
    range
        "limited" or "full".
    primaries, transfer
        "bt709", "bt2020", "smpte2084" (PQ) ..., or "unknown" where the source does not say.
    matrix_is_assumed, range_is_assumed
        Whether the policy of this module filled in what the source does not say.
    """

    matrix: str
    range: str
    primaries: str = _UNTAGGED
    transfer: str = _UNTAGGED
    matrix_is_assumed: bool = False
    range_is_assumed: bool = False


def colour_tags(frame: av.VideoFrame, reading: Reading = AS_TAGGED) -> ColourTags:
    """Read the tags of a decoded frame, and fill in by the policy of this module what they leave open."""
    layout = layout_of(frame.format.name)
    known = ColourTags(
        matrix=reading.matrix or _MATRICES.get(int(frame.colorspace), _UNTAGGED),
        range=reading.range or _RANGES.get(int(frame.color_range), _UNTAGGED),
        primaries=reading.primaries or _PRIMARIES.get(int(frame.color_primaries), _UNTAGGED),
        transfer=reading.transfer or _TRANSFERS.get(int(frame.color_trc), _UNTAGGED),
    )
    completed = _complete(known, layout.kind, frame.format.name, frame.height)
    # The pixel formats that mean full range (yuvj420p) are a tag, too.
    return replace(completed, range=reading.range) if reading.range and layout.kind != "rgb" else completed


def tags_for(pix_fmt: str, colour: ColourTags, *, height: int) -> ColourTags:
    """The tags that pixels tagged ``colour`` have when they are stored as ``pix_fmt``.

    R'G'B' storage has the matrix "gbr" and full range. YUV made from R'G'B' follows the policy for untagged
    input, but is stated, not assumed. A YUV source keeps its matrix and range in any YUV or grey format.
    """
    kind = layout_of(pix_fmt).kind
    if kind != "rgb" and colour.matrix == "gbr":
        colour = replace(colour, range=_UNTAGGED)  # the full range of R'G'B' says nothing about YUV
    done = _complete(colour, kind, pix_fmt, height)
    return replace(
        done,
        matrix_is_assumed=colour.matrix_is_assumed and done.matrix == colour.matrix,
        range_is_assumed=colour.range_is_assumed and done.range == colour.range,
    )


def _complete(tags: ColourTags, kind: str, pix_fmt: str, height: int) -> ColourTags:
    if kind == "rgb":
        return replace(tags, matrix="gbr", range="full", matrix_is_assumed=False, range_is_assumed=False)
    if tags.matrix in ("gbr", _UNTAGGED):
        tags = replace(tags, matrix="bt709" if height >= 720 else "smpte170m", matrix_is_assumed=True)
    if pix_fmt.startswith("yuvj"):
        return replace(tags, range="full", range_is_assumed=False)
    if tags.range == _UNTAGGED:
        return replace(tags, range="full" if kind == "grey" else "limited", range_is_assumed=True)
    return tags


def set_colour_tags(target: av.VideoFrame | av.VideoCodecContext, colour: ColourTags) -> None:
    """Write tags into a frame, or an encoder before it is opened; what is unknown becomes "unspecified"."""
    target.colorspace = _code(_MATRICES, colour.matrix, 2)
    target.color_range = _code(_RANGES, colour.range, 0)
    target.color_primaries = _code(_PRIMARIES, colour.primaries, 2)
    target.color_trc = _code(_TRANSFERS, colour.transfer, 2)


def _code(names: dict[int, str], name: str, unspecified: int) -> int:
    return next((code for code, known in names.items() if known == name), unspecified)


def is_same_matrix(one: str, other: str) -> bool:
    """Whether two names mean the same matrix: BT.601's has one of 525 and one of 625 lines."""
    return one == other or {one, other} == {"smpte170m", "bt470bg"}
