"""Writing restored frames: every check before the work starts, then one writer for each kind of output."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from reelprior.io.coding import Coding, numbered, target_kind, video_encoding
from reelprior.io.counting import counted, counts_frames, span_of
from reelprior.io.errors import OutputError
from reelprior.io.files import unwritable
from reelprior.io.frame import Frame
from reelprior.io.image_coding import image_format
from reelprior.io.image_writer import ImageWriter, check_replaceable
from reelprior.io.images import image_numbers
from reelprior.io.losses import losses_of_pictures, losses_of_video
from reelprior.io.probe import MediaInfo
from reelprior.io.read_back import lost_in_silence
from reelprior.io.rehearsal import rehearse
from reelprior.io.samples import Kept
from reelprior.io.scan import FrameIndex
from reelprior.io.video_writer import VideoWriter

__all__ = ["Coding", "Writer", "check_output", "open_writer"]


class Writer(Protocol):
    """Takes frames in order; leaving it cleanly leaves the whole output, leaving it by an error nothing."""

    def write(self, frame: Frame, kept: Kept | None = None) -> None:
        """Write the next frame.

        Parameters
        ----------
        frame
            Its pixels and its index; R'G'B' may lie outside [0, 1].
        kept
            What it takes over from the source: opacity, and the samples that are not changed. Without it,
            everything comes from the pixels, and an opacity is full.

        Raises
        ------
        OutputError
            If it cannot be written: no codec for it, a full disk.
        ValueError
            If it is not the next frame of the range the writer was opened for.
        """

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish and rename, or remove what was written."""


def check_output(
    path: str | Path,
    *,
    source: MediaInfo,
    coding: Coding,
    overwrite: bool,
    frames: range | None = None,
    size: tuple[int, int] | None = None,
    index: FrameIndex | None = None,
) -> tuple[str, ...]:
    """Check before any work that an output can be written, by writing its header into memory.

    Parameters
    ----------
    path
        A video file, a picture, a ``%04d`` pattern, or a folder (no suffix) for pictures.
    source
        What will be restored; its other streams must fit into the output too.
    overwrite
        Whether an existing output may be replaced.
    frames
        Indices of the frames that will be written; ``None`` if that is not known. Only a single frame goes
        into one picture.
    size
        (height, width) of the frames that will be written; that of the source by default.
    index
        Of the source, once it has been read through: not every container holds any times.

    Returns
    -------
    tuple[str, ...]
        What the output cannot hold and the user allows to drop (``coding.drop_incompatible``), in words.

    Raises
    ------
    OutputError
        Naming what stands in the way and what to do about it.
    """
    path = Path(path)
    kind = target_kind(path)
    _check_place(path)
    targets = _targets(path, source, coding, frames)
    _check_source_is_safe(path, source, targets=targets)
    if kind == "video":
        height, width = size or (source.video.height, source.video.width)
        encoding = video_encoding(
            path, coding, source_pix_fmt=source.video.pix_fmt, width=width, height=height
        )
        _check_free(path, overwrite)
        losses = losses_of_video(path, source=source, coding=coding, encoding=encoding)
        span = None
        if index is not None and frames and counts_frames(encoding.container):
            even = counted(path, encoding.container, source=source, index=index, frames=frames)
            span = span_of(even, index, frames)
        drop = coding.drop_incompatible
        dropped = rehearse(path, source=source, encoding=encoding, size=(height, width), drop=drop, span=span)
        silent = lost_in_silence(
            path, source=source, encoding=encoding, size=(height, width), left_out=frozenset(dropped)
        )
        if silent and not drop:
            raise OutputError(
                f"{path}: {path.suffix} cannot hold {', '.join(silent)} of {source.path}: use .mkv, "
                "or --drop-incompatible"
            )
        return (
            *losses,
            *dict.fromkeys(dropped.values()),
            *(f"{path.suffix} cannot hold {what}" for what in silent),
        )
    suffix, pix_fmt = image_format(path, coding, source_pix_fmt=source.video.pix_fmt)
    losses = losses_of_pictures(path, source=source, coding=coding, suffix=suffix, pix_fmt=pix_fmt)
    if kind == "image" and (source.kind != "image" if frames is None else len(frames) != 1):
        count = "several" if frames is None else len(frames)
        raise OutputError(
            f"{path}: {count} frames do not fit into one picture: use {_pattern_for(path)}, or a folder"
        )
    if kind == "folder" and path.is_dir() and any(path.iterdir()):
        _check_free(path, overwrite)
        check_replaceable(path)
    for target in targets if kind in ("image", "pattern") else []:
        _check_free(target, overwrite)
    return losses


def open_writer(
    path: str | Path,
    *,
    source: MediaInfo,
    coding: Coding,
    overwrite: bool,
    index: FrameIndex,
    frames: range,
) -> Writer:
    """Open an output for the frames ``frames`` of a source.

    Parameters
    ----------
    path
        See `check_output`, which this calls first (frames of another size than the source's are checked when
        they come).
    index
        The frames of the source: their times are the truth, whatever the frames that come say.
    frames
        Which of them will be written; a part also limits the sound, the subtitles and the chapters to its
        time.

    Raises
    ------
    OutputError
        If the output cannot be written.
    ValueError
        If ``frames`` is empty, not in steps of one, or reaches beyond the clip.
    """
    count = len(index.pts)
    if not frames or frames.step != 1 or frames.start < 0 or frames.stop > count:
        raise ValueError(f"{path}: {frames} is not a part of the {count} frames of {source.path}")
    check_output(path, source=source, coding=coding, overwrite=overwrite, frames=frames, index=index)
    if target_kind(path) == "video":
        return VideoWriter(path, source=source, coding=coding, index=index, frames=frames)
    return ImageWriter(
        path,
        coding=coding,
        source_pix_fmt=source.video.pix_fmt,
        frames=frames,
        images=source.images,
        rotation=source.video.rotation,
    )


def _targets(path: Path, source: MediaInfo, coding: Coding, frames: range | None) -> list[Path]:
    """The files that will appear, as far as they are known before the work."""
    kind = target_kind(path)
    if kind in ("video", "image"):
        return [path]
    names = source.images
    indices = frames if frames is not None else range(len(names))
    if kind == "pattern":
        numbers = image_numbers(names)
        return [numbered(path, numbers[index] if names else index) for index in indices]
    suffix, _ = image_format(path, coding, source_pix_fmt=source.video.pix_fmt)
    stems = [Path(names[index]).stem for index in indices] if names else []
    if len(set(stems)) < len(stems):
        twin = next(stem for stem in stems if stems.count(stem) > 1)
        raise OutputError(f"{path}: several pictures of {source.path} are called {twin!r}: rename them")
    return [path / f"{stem}{suffix}" for stem in stems]


def _check_place(path: Path) -> None:
    """The folder of the output exists and takes files: tried, because permissions alone do not tell."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"{path}: folder {folder} does not exist: create it first")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def _check_source_is_safe(path: Path, source: MediaInfo, *, targets: list[Path]) -> None:
    """The output neither is the source nor takes the place of its folder."""
    origin = Path(source.path)
    sources = [Path(image) for image in source.images] or [origin]
    taken = {item.resolve() for item in [origin, *sources]}
    is_linked = path.exists() and origin.exists() and path.samefile(origin)
    for target in [path, *targets]:
        if is_linked or target.resolve() in taken:
            raise OutputError(f"{target}: is the source itself: name another output")
    if path.is_dir() and any(path.resolve() in item.parents for item in taken):
        raise OutputError(f"{path}: is the folder of the source {origin}: name another output")


def _check_free(path: Path, overwrite: bool) -> None:
    if path.is_dir() and target_kind(path) != "folder":
        raise OutputError(f"{path}: is a folder: name another output")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already: use --overwrite to replace it, or name another output")


def _pattern_for(path: Path) -> Path:
    return path.with_name(f"{path.stem}_%04d{path.suffix}")
