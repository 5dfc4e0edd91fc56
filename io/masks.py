"""Masks: which pixels of a clip are missing. White (half and more) means missing.

One picture for the whole clip, one mask per frame, or a list that says which masks hold for which frames
(`mask_list`).
"""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.field_rate import is_bottom
from reelprior.io.images import is_images, list_images, read_alpha, read_image
from reelprior.io.mask_list import ListedMask, is_mask_list, read_mask_list
from reelprior.io.reader import VideoReader
from reelprior.io.scan import FrameIndex, scan

__all__ = ["Masks", "mask_paths", "open_masks", "unknown_samples"]


class Masks(Protocol):
    """The masks of a clip; `open_masks` makes one."""

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Masks of the frames ``start:stop``, (T, H, W), True where a pixel is missing.

        Raises
        ------
        InputError
            When a mask cannot be decoded or has another size.
        """


class _PlainMasks:
    """One picture for all frames, or pictures or a video with one mask per frame."""

    def __init__(self, source: list[Path] | VideoReader, *, size: tuple[int, int], frames: int) -> None:
        self._source = source
        self._size = size
        self._frames = frames

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """See `Masks`."""
        if not 0 <= start <= stop <= self._frames:
            raise ValueError(f"masks {start}:{stop} of {self._frames} asked for")
        masks = np.empty((stop - start, *self._size), np.bool_)
        if isinstance(self._source, VideoReader):
            for mask, frame in zip(masks, self._source.read(start, stop), strict=True):
                mask[:] = _is_white(frame.pixels)
        elif len(self._source) == 1:
            masks[:] = _image_mask(self._source[0], self._size)
        else:
            for mask, path in zip(masks, self._source[start:stop], strict=True):
                mask[:] = _image_mask(path, self._size)
        return masks


class _ListedMasks:
    """Masks that hold for ranges of frames."""

    def __init__(
        self, entries: list[tuple[ListedMask, Masks]], *, size: tuple[int, int], frames: int
    ) -> None:
        self._entries = entries
        self._size = size
        self._frames = frames

    def read(self, start: int, stop: int) -> NDArray[np.bool_]:
        """See `Masks`."""
        if not 0 <= start <= stop <= self._frames:
            raise ValueError(f"masks {start}:{stop} of {self._frames} asked for")
        masks = np.zeros((stop - start, *self._size), np.bool_)
        for entry, own in self._entries:
            first, last = max(start, entry.frames.start), min(stop, entry.frames.stop)
            if first < last:
                masks[first - start : last - start] |= own.read(
                    first - entry.frames.start, last - entry.frames.start
                )
        return masks


def open_masks(path: str | Path, *, size: tuple[int, int], frames: int) -> Masks:
    """Open one image for the whole clip, images or a video with one mask per frame, or a list of timed masks.

    Transparent pixels of an image are not missing, whatever their colour.

    Parameters
    ----------
    size
        (height, width) of the clip.
    frames
        Of the clip.

    Raises
    ------
    InputError
        When the masks cannot be read, or differ from the clip in size or number.
    """
    path = Path(path)
    if is_mask_list(path):
        entries = read_mask_list(path, frames=frames)
        opened = [(entry, open_masks(entry.path, size=size, frames=len(entry.frames))) for entry in entries]
        return _ListedMasks(opened, size=size, frames=frames)
    source: list[Path] | VideoReader
    if is_images(path):
        source = list_images(path)
        count = len(source)
        _image_mask(source[0], size)
    else:
        index = scan(path)
        source = VideoReader(path, index)
        count = len(index)
        _check_size(path, (source.info.video.height, source.info.video.width), size)
    single = isinstance(source, list) and count == 1
    if count != frames and not single:
        raise InputError(f"{path}: {count} masks for {frames} frames: give one image, or one mask per frame")
    return _PlainMasks(source, size=size, frames=frames)


def mask_paths(path: str | Path) -> list[str]:
    """What a mask consists of: itself, and for a list whatever it lists.

    Raises
    ------
    InputError
        When a list cannot be read.
    """
    listed = read_mask_list(path) if is_mask_list(path) else []
    return [str(path), *(str(entry.path) for entry in listed)]


def unknown_samples(
    index: FrameIndex, start: int, stop: int, *, size: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """What a source itself leaves unknown of the frames ``start:stop``: all of lost frames, half the rows of fields.

    Parameters
    ----------
    index
        Of the frames, or of fields.
    size
        (height, width) of the clip.

    Returns
    -------
    NDArray or None
        (T, H, W), True where nothing is known; ``None`` where everything is.
    """
    unreadable = sorted(t - start for t in index.unreadable if start <= t < stop)
    if index.field_order is None and not unreadable:
        return None
    unknown = np.zeros((stop - start, *size), np.bool_)
    unknown[unreadable] = True
    if index.field_order is not None:
        for t in range(start, stop):
            unknown[t - start, 0 if is_bottom(index, t) else 1 :: 2] = True
    return unknown


def _image_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    pixels, _ = read_image(path)
    _check_size(path, (pixels.shape[1], pixels.shape[2]), size)
    alpha = read_alpha(path)
    return _is_white(pixels if alpha is None else pixels * alpha)


def _is_white(pixels: NDArray[np.float32]) -> NDArray[np.bool_]:
    white: NDArray[np.bool_] = pixels.mean(axis=0) >= 0.5
    return white


def _check_size(path: Path, found: tuple[int, int], size: tuple[int, int]) -> None:
    if found != size:
        raise InputError(
            f"{path}: the mask is {found[1]}x{found[0]}, the clip {size[1]}x{size[0]}: bring them to one size"
        )
