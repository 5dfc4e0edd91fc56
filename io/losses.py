"""What an output cannot hold beside the streams: opacity that no decoder gives out, mastering metadata, EXIF.

It is found before the work and is an error, unless the user has said that it may be dropped: then it is told.
Streams are `reelprior.io.muxing`'s, the opacity of pixel formats `reelprior.io.coding`'s.
"""

from pathlib import Path

from reelprior.io.coding import Coding, VideoEncoding
from reelprior.io.colour import is_exact
from reelprior.io.errors import OutputError
from reelprior.io.layout import layout_of
from reelprior.io.probe import MediaInfo
from reelprior.io.still_metadata import metadata_of

__all__ = ["losses_of_pictures", "losses_of_video"]


def losses_of_video(
    path: Path, *, source: MediaInfo, coding: Coding, encoding: VideoEncoding
) -> tuple[str, ...]:
    """What a video file loses of a source, in words; `OutputError` where that may not be dropped."""
    _check_matrix(path, source, encoding.pix_fmt)
    video = source.video
    losses = _hidden_alpha(path, source, coding)
    if lost := encoding.loses_hdr(video.hdr):
        remedy = "" if video.hdr and video.hdr.dynamic else "use .mkv, or h265 or av1, or "
        loss = f"{path.suffix} with {encoding.codec} cannot hold {' and '.join(lost)}"
        losses.append(_allowed(path, coding, loss, remedy))
    if video.crop is not None and encoding.container not in ("matroska", "webm"):
        losses.append(_lost_crop(path, source, coding, "use .mkv, or "))
    if video.has_alpha and not layout_of(encoding.pix_fmt).has_alpha:
        losses.append(f"{encoding.pix_fmt} has no opacity")
    if blocks := _blocks_of(source, path.suffix.lower()):  # nobody expects them there: told, not refused
        losses.append(f"a film has no place for {' and '.join(blocks)} of its pictures")
    return tuple(losses)


def losses_of_pictures(
    path: Path, *, source: MediaInfo, coding: Coding, suffix: str, pix_fmt: str
) -> tuple[str, ...]:
    """What pictures lose of a source, in words; `OutputError` where that may not be dropped."""
    _check_matrix(path, source, pix_fmt)
    losses = _hidden_alpha(path, source, coding)
    if blocks := _blocks_of(source, suffix):
        loss = f"{suffix} cannot hold {' and '.join(blocks)}"
        losses.append(_allowed(path, coding, loss, "use .png or .tiff, or "))
    if source.video.crop is not None:
        losses.append(_lost_crop(path, source, coding, ""))
    if source.video.has_alpha and not layout_of(pix_fmt).has_alpha:
        losses.append(f"{suffix} has no opacity")
    return tuple(losses)


def _lost_crop(path: Path, source: MediaInfo, coding: Coding, remedy: str) -> str:
    loss = f"{path.suffix} cannot hold the crop that {source.path} states ({source.video.crop})"
    return _allowed(path, coding, loss, remedy)


def _blocks_of(source: MediaInfo, suffix: str) -> list[str]:
    """What the first image says that a kind of file has no place for. One tells about all: reading all takes long."""
    lost = metadata_of(Path(source.images[0])).lost_in(suffix) if source.images else []
    return [name.upper() for name in lost]


def _hidden_alpha(path: Path, source: MediaInfo, coding: Coding) -> list[str]:
    if not source.video.alpha_is_hidden:
        return []
    loss = f"the opacity of {source.path} is not given out by the decoder of {source.video.codec}"
    return [_allowed(path, coding, loss, "convert it, or ")]


def _check_matrix(path: Path, source: MediaInfo, pix_fmt: str) -> None:
    """True colours of a matrix that is no linear function of R'G'B' are not known here: it must stay as it is."""
    matrix = source.video.colour.matrix
    if not is_exact(matrix) and layout_of(pix_fmt).kind == "rgb":
        raise OutputError(
            f"{path}: the colour matrix {matrix} of {source.path} cannot be converted to {pix_fmt}: "
            "write a video in a pixel format like the source's"
        )


def _allowed(path: Path, coding: Coding, loss: str, remedy: str) -> str:
    if not coding.drop_incompatible:
        raise OutputError(f"{path}: {loss}: {remedy}--drop-incompatible goes on without")
    return loss
