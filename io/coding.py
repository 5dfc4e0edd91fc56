"""What an output is coded as: its suffix, what the user asked for and the source decide on one encoding.

Pure decisions and tables; whether this build of FFmpeg can really do it is tried by the writers before any
work.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import av
from av.codec import Codec

from reelprior.io.chunks import ffv1_options
from reelprior.io.errors import OutputError
from reelprior.io.hdr import HdrMetadata
from reelprior.io.layout import Layout, layout_of

__all__ = [
    "Coding",
    "VideoEncoding",
    "choose_pix_fmt",
    "codec_names",
    "numbered",
    "target_kind",
    "video_encoding",
]

TargetKind = Literal["video", "folder", "pattern", "image"]


@dataclass(frozen=True)
class Coding:
    """How the user wants the output coded. ``None`` means the default for the suffix of the output.

    Attributes
    ----------
    codec
        "ffv1", "h264", "h265" ("hevc"), "av1" or "prores" for videos; "png" or "tiff" for a folder of
        pictures.
    pix_fmt
        FFmpeg's name of a pixel format. By default the depth and the chroma of the source are kept.
    options
        Private options of the encoder, over the defaults: ``{"crf": "18", "preset": "slower"}``.
    drop_incompatible
        Whether to go on without what the output cannot hold (streams, opacity, metadata) instead of refusing.
    """

    codec: str | None = None
    pix_fmt: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    drop_incompatible: bool = False


@dataclass(frozen=True)
class VideoEncoding:
    """One way to code a video, decided."""

    container: str
    codec: str
    encoder: str
    pix_fmt: str
    options: Mapping[str, str]
    limited_range: bool
    hdr_option: str | None = None

    def with_hdr(self, hdr: HdrMetadata | None) -> "VideoEncoding":
        """The same, with HDR metadata among the encoder's options, where it has a place for them."""
        if hdr is None or self.hdr_option is None:
            return self
        words = {"x265-params": hdr.x265, "x264-params": hdr.x264, "svtav1-params": hdr.svtav1}[
            self.hdr_option
        ]
        own = self.options.get(self.hdr_option, "")
        params = ":".join(part for part in (words, own) if part)  # what the user says comes last, and wins
        return replace(self, options={**self.options, self.hdr_option: params}) if params else self

    def for_length(self, frames: int) -> "VideoEncoding":
        """The same, for a film of so many frames.

        x265 works out when its first pictures are decoded from the third one it gets. Where there is none it gives
        them times from memory that was never written, which a muxer refuses or believes; without B-frames it
        needs no such times.
        """
        if self.encoder != "libx265" or frames > _X265_DELAY:
            return self
        params = self.options.get("x265-params", "")
        return replace(self, options={**self.options, "x265-params": f"{params}:bframes=0".lstrip(":")})

    def loses_hdr(self, hdr: HdrMetadata | None) -> list[str]:
        """What the output cannot hold of it, in words."""
        if hdr is None:
            return []
        is_held = self.container in ("matroska", "webm") or self.hdr_option is not None
        return [*hdr.dynamic, *([] if is_held or not hdr.is_static else ["mastering metadata"])]


@dataclass(frozen=True)
class _Codec:
    encoder: str
    options: Mapping[str, str] = field(default_factory=dict)
    even: bool = False  # width and height must be multiples of the chroma subsampling
    limited_range: bool = False  # the bitstream cannot say "full range"
    alpha: bool = False  # opacity comes back from the decoders people have
    hdr: str | None = None  # where the encoder takes HDR metadata


# Quality: nothing visible is lost. Who wants smaller files says so (`crf`).
_CODECS = {
    "ffv1": _Codec("ffv1", alpha=True),
    "h264": _Codec("libx264", {"crf": "14", "preset": "slow"}, even=True, hdr="x264-params"),
    # x265 writes to stderr past every log callback, unless told so in its own parameters.
    "h265": _Codec(
        "libx265",
        {"crf": "16", "preset": "medium", "x265-params": "log-level=error"},
        even=True,
        hdr="x265-params",
    ),
    "av1": _Codec("libsvtav1", {"crf": "18", "preset": "5"}, hdr="svtav1-params"),
    "prores": _Codec("prores_ks", limited_range=True, alpha=True),
}
_X265_DELAY = 2  # frames, at most, that x265 holds back to sort B-frames: two with a pyramid of them
_ALIASES = {"hevc": "h265", "avc": "h264", "x264": "h264", "x265": "h265"} | {
    codec.encoder: name for name, codec in _CODECS.items()
}

# suffix: FFmpeg's muxer, default codec
_CONTAINERS = {
    ".mkv": ("matroska", "ffv1"),
    ".mp4": ("mp4", "h264"),
    ".m4v": ("mp4", "h264"),
    ".mov": ("mov", "prores"),
    ".webm": ("webm", "av1"),
    ".mxf": ("mxf", "ffv1"),
    ".avi": ("avi", "ffv1"),
    ".ts": ("mpegts", "h264"),
}
# What these muxers would take beside is not read back by anybody, or without its times (H.264 in AVI).
_CODECS_IN = {"mxf": ("ffv1", "h264", "prores"), "avi": ("ffv1",), "mpegts": ("h264", "h265")}
_IMAGES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp")

_PRESETS = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
]
_PATTERN = re.compile(r"%(?:0\d+)?d")


def codec_names() -> tuple[str, ...]:
    """The names of video codecs that users type."""
    return tuple(_CODECS)


def target_kind(path: str | Path) -> TargetKind:
    """What a path stands for: a video file, a picture, a pattern or, without a suffix, a folder of pictures.

    Raises
    ------
    OutputError
        For a suffix that is none of a known video or picture format.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _CONTAINERS:
        return "video"
    if suffix in _IMAGES:
        return "pattern" if _PATTERN.search(path.name) else "image"
    if not suffix or path.is_dir():
        return "folder"
    known = ", ".join([*_CONTAINERS, *_IMAGES])
    raise OutputError(
        f"{path}: unknown kind of output {suffix!r}: use one of {known}, or no suffix for a folder"
    )


def numbered(path: Path, index: int) -> Path:
    """The picture of frame ``index`` by a pattern: ``still_%04d.png`` -> ``still_0012.png``."""
    return path.with_name(_PATTERN.sub(lambda number: number.group() % index, path.name))


def video_encoding(
    path: str | Path, coding: Coding, *, source_pix_fmt: str, width: int, height: int
) -> VideoEncoding:
    """Decide how a video file is coded.

    Parameters
    ----------
    path
        The output; its suffix chooses the container.
    source_pix_fmt
        What the source is stored as; the default keeps its depth and chroma, or the nearest that is no worse.
    width, height
        Of the frames to be written.

    Raises
    ------
    OutputError
        For an unknown codec, one that the container cannot hold, an unsupported pixel format, or an unknown preset of
        x264 and x265.
    """
    container, default = _CONTAINERS[Path(path).suffix.lower()]
    name = coding.codec or default
    name = _ALIASES.get(name, name)
    if name not in _CODECS:
        raise OutputError(f"{path}: unknown codec {coding.codec!r}: use one of {', '.join(_CODECS)}")
    held = _CODECS_IN.get(container, (name,))
    if name not in held:
        raise OutputError(
            f"{path}: {Path(path).suffix} cannot hold {name}: use {' or '.join(held)}, or write .mkv"
        )
    codec = _CODECS[name]
    supported = _supported(codec, path)
    if codec.even:
        supported = [pix_fmt for pix_fmt in supported if _fits(layout_of(pix_fmt), width, height)]
    if coding.pix_fmt is None:
        chosen = _default_pix_fmt(path, name, source_pix_fmt, supported, drop=coding.drop_incompatible)
        if chosen is None:
            raise OutputError(
                f"{path}: {name} cannot keep the depth and chroma of {source_pix_fmt} at {width}x{height}: "
                f"state one of {', '.join(supported)}, or use ffv1 in .mkv"
            )
    else:
        chosen = coding.pix_fmt.replace("yuvj", "yuv")
        if chosen not in supported:
            raise OutputError(
                f"{path}: {name} has no pixel format {coding.pix_fmt!r} at {width}x{height}: "
                f"use one of {', '.join(supported)}"
            )
    return VideoEncoding(
        container=container,
        codec=name,
        encoder=codec.encoder,
        pix_fmt=chosen,
        options=_options(path, codec, coding, width=width, height=height, pix_fmt=chosen),
        limited_range=codec.limited_range,
        hdr_option=codec.hdr,
    )


def choose_pix_fmt(source: str, supported: Iterable[str]) -> str | None:
    """The format among ``supported`` that is nearest to ``source`` and holds all of it, or ``None``.

    No worse means: as many bits (16 at most: our frames have no more), chroma sampled as densely, grey in
    anything, R'G'B' as R'G'B' or, with two more bits, as YUV 4:4:4, which is enough for every code to come
    back; opacity where the source has one, and none where it has none.
    """
    wanted = layout_of(source)
    bits = min(wanted.bits, 16)

    def excess(candidate: str) -> tuple[int, int, int] | None:
        layout = layout_of(candidate)
        same_kind = layout.kind == wanted.kind
        if layout.has_alpha != wanted.has_alpha:
            return None
        if (layout.kind == "grey" and not same_kind) or (layout.kind == "rgb" and wanted.kind == "yuv"):
            return None
        needed = bits + 2 if wanted.kind == "rgb" and not same_kind else bits
        dense_enough = wanted.kind == "grey" or (
            layout.horizontal <= wanted.horizontal and layout.vertical <= wanted.vertical
        )
        if layout.bits < needed or not dense_enough:
            return None
        samples = 64 // (layout.horizontal * layout.vertical)  # of chroma: fewer is nearer
        return (0 if same_kind else 1, layout.bits, samples)

    ranked = [(score, name) for name in supported if (score := excess(name)) is not None]
    return min(ranked, key=lambda entry: entry[0])[1] if ranked else None


def _default_pix_fmt(
    path: str | Path, codec: str, source: str, supported: list[str], *, drop: bool
) -> str | None:
    chosen = choose_pix_fmt(source, supported)
    stored = layout_of(source)
    if chosen is not None or not stored.has_alpha:
        return chosen
    kind = {"rgb": "gbrp", "grey": "gray"}.get(stored.kind, stored.planar.replace("yuva", "yuv"))
    without = kind if stored.kind == "yuv" or stored.bits == 8 else f"{kind}{min(stored.bits, 16)}le"
    chosen = choose_pix_fmt(without, supported)
    if chosen is not None and not drop:
        raise OutputError(
            f"{path}: {codec} drops the opacity of {source}: use ffv1 in .mkv, or --drop-incompatible"
        )
    return chosen


def _supported(codec: _Codec, path: str | Path) -> list[str]:
    """Pixel formats of an encoder that frames are written as: planar or plain R'G'B', no floats."""
    try:
        formats = Codec(codec.encoder, "w").video_formats or []
    except av.FFmpegError as error:
        raise OutputError(
            f"{path}: this build of FFmpeg has no encoder {codec.encoder}: choose another codec"
        ) from error
    names = [video_format.name for video_format in formats]
    planar = re.compile(r"yuva?4\d\dp(\d+le)?|gray(\d+le)?|gbra?p(\d+le)?|bgr0|bgra|ya8")
    return [
        name for name in names if planar.fullmatch(name) and (codec.alpha or not layout_of(name).has_alpha)
    ]


def _fits(layout: Layout, width: int, height: int) -> bool:
    return width % layout.horizontal == 0 and height % layout.vertical == 0


def _options(
    path: str | Path, codec: _Codec, coding: Coding, *, width: int, height: int, pix_fmt: str
) -> Mapping[str, str]:
    defaults = ffv1_options(width, height, pix_fmt) if codec.encoder == "ffv1" else codec.options
    options = {**defaults, **coding.options}
    if "x265-params" in coding.options:
        options["x265-params"] = f"{defaults['x265-params']}:{coding.options['x265-params']}"
    preset = options.get("preset", "medium")
    # x264 would print its own complaint; SVT-AV1 counts its presets.
    if codec.encoder in ("libx264", "libx265") and preset not in _PRESETS:
        raise OutputError(
            f"{path}: unknown preset {preset!r} of {codec.encoder}: use one of {', '.join(_PRESETS)}"
        )
    return options
