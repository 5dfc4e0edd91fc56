"""Pictures as output: one, a numbered pattern, or a folder of them, 8 or 16 bits per sample.

All pictures are made in a hidden folder beside the target and get their final names at the end, when they are
all there.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reelprior.io.coding import Coding, numbered, target_kind
from reelprior.io.errors import OutputError
from reelprior.io.files import commit, unwritable
from reelprior.io.frame import Frame
from reelprior.io.image_coding import encoder_parameters, image_format
from reelprior.io.images import image_numbers
from reelprior.io.layout import layout_of
from reelprior.io.samples import Kept
from reelprior.io.still_metadata import StillMetadata, encode_with, metadata_of
from reelprior.io.tags import ColourTags

__all__ = ["ImageWriter", "check_replaceable"]


class ImageWriter:
    """Writes each frame as a picture.

    Parameters
    ----------
    path
        A folder, a ``%04d`` pattern (counted like the frames of the source) or, for a single frame, a
        picture.
    coding
        "png" or "tiff" for a folder; by default PNG with the depth of the source.
    source_pix_fmt
        What the source is stored as: grey stays grey, more than 8 bits become 16.
    frames
        Indices of the frames that will be written, in order.
    images
        Paths of the image files of the source for every index: pictures in a folder keep their names, those of a
        pattern their numbers, and all of them what they say beside their pixels. Empty for a film.
    rotation
        Degrees counter-clockwise by which players turn the source. Pictures cannot ask for that, so they are
        turned: by multiples of 90 degrees.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        coding: Coding,
        source_pix_fmt: str,
        frames: range,
        images: Sequence[str] = (),
        rotation: float = 0,
    ) -> None:
        """Make the hidden folder. Raises `OutputError` if that is refused."""
        self.path = Path(path)
        self._suffix, self._pix_fmt = image_format(path, coding, source_pix_fmt=source_pix_fmt)
        self._kind = target_kind(path)
        self._frames = frames
        self._images = [Path(image) for image in images]
        self._numbers = image_numbers(self._images)
        self._layout = layout_of(self._pix_fmt)
        self._quarter_turns = round(rotation / 90) % 4
        self._parts = self.path.with_name(f".{self.path.stem.replace('%', '')}.part")
        self._written: list[Path] = []
        try:
            shutil.rmtree(self._parts, ignore_errors=True)  # of a run that was killed
            self._parts.mkdir()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the pictures their names; after an error, remove them."""
        try:
            if kind is None:
                self._commit()
        finally:
            shutil.rmtree(self._parts, ignore_errors=True)

    def write(self, frame: Frame, kept: Kept | None = None) -> None:
        """Write the next frame; see `reelprior.io.writer.Writer`."""
        done = len(self._written)
        if done >= len(self._frames) or frame.index != self._frames[done]:
            raise ValueError(f"{self.path}: frame {frame.index} is not frame number {done} of {self._frames}")
        data = self._encoded(frame, kept)
        part = self._parts / self._name(frame.index)
        try:
            with part.open("wb") as file:
                file.write(data)
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._written.append(part)

    def _name(self, index: int) -> str:
        if self._kind == "pattern":
            return numbered(self.path, self._numbers[index] if self._images else index).name
        if self._kind == "image":
            return self.path.name
        if self._images:
            return self._images[index].stem + self._suffix
        return f"{index:04d}{self._suffix}"

    def _encoded(self, frame: Frame, kept: Kept | None) -> bytes:
        planes = self._codes(frame.pixels)
        colour = ColourTags(matrix="gbr", range="full")
        if kept is not None:
            kept.put_into(planes, self._layout, colour)
        planes = planes[::-1]  # OpenCV wants blue first
        if self._layout.has_alpha:
            alpha = np.full(planes[0].shape, 2**self._layout.bits - 1, self._layout.dtype)
            if kept is not None:
                kept.put_alpha_into(alpha, self._layout)
            planes.append(alpha)
        image = np.ascontiguousarray(np.rot90(np.dstack(planes), self._quarter_turns))
        metadata = StillMetadata()
        if self._images:
            is_grey = self._layout.kind == "grey"
            metadata = metadata_of(self._images[frame.index]).for_output(is_grey=is_grey)
        parameters = encoder_parameters(self._suffix)
        data = encode_with(self._suffix, image, metadata, parameters)
        if data is None:
            height, width = image.shape[:2]
            raise OutputError(f"{self.path}: {width}x{height} cannot be encoded as {self._suffix}: use .png")
        return data

    def _codes(self, pixels: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """R, G, B, or grey, as code values."""
        values = np.clip(pixels, 0, 1)
        if self._layout.kind == "grey":
            # The mean of equal channels is any of them; that of unequal ones is the nearest grey.
            values = values.mean(axis=0, dtype=np.float64, keepdims=True)
        codes = np.rint(values * (2**self._layout.bits - 1)).astype(self._layout.dtype)
        return list(codes)

    def _commit(self) -> None:
        if len(self._written) != len(self._frames):
            raise OutputError(
                f"{self.path}: only {len(self._written)} of {len(self._frames)} frames were written"
            )
        try:
            if self._kind == "folder":
                self._commit_folder()
            else:
                for part in self._written:
                    commit(part, self.path.with_name(part.name))
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _commit_folder(self) -> None:
        """Swap the folders; the old one (nothing but pictures, see `check_replaceable`) is removed last."""
        old = self.path.with_name(f".{self.path.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            check_replaceable(self.path)
            self.path.rename(old)
        self._parts.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Raise `OutputError` unless a folder holds pictures only: a folder is replaced as a whole."""
    pictures = {".png", ".tif", ".tiff"}
    for entry in folder.iterdir():
        if not entry.is_file() or entry.suffix.lower() not in pictures:
            raise OutputError(
                f"{folder}: would be replaced, but holds {entry.name!r}, which is not ours: name another"
            )
