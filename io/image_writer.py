"""Pictures as output: one, a numbered pattern, or a folder of them, 8 or 16 bits per sample.

All pictures are made in a hidden folder beside the target and get their final names at the end, when they are
all there.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.coding import Coding, image_format, numbered, target_kind
from reelprior.io.errors import OutputError
from reelprior.io.files import commit, unwritable
from reelprior.io.frame import Frame

__all__ = ["ImageWriter", "check_replaceable"]

_PARAMETERS = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
    ".jpg": [
        cv2.IMWRITE_JPEG_QUALITY,
        97,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],  # above 100: lossless
}


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
    names
        File names in the source for every index, whose stems the pictures in a folder keep; empty numbers
        them.
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
        names: Sequence[str] = (),
        rotation: float = 0,
    ) -> None:
        """Make the hidden folder. Raises `OutputError` if that is refused."""
        self.path = Path(path)
        self._suffix, self._pix_fmt = image_format(path, coding, source_pix_fmt=source_pix_fmt)
        self._kind = target_kind(path)
        self._frames = frames
        self._names = names
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

    def write(self, frame: Frame) -> None:
        """Write the next frame; see `reelprior.io.writer.Writer`."""
        done = len(self._written)
        if done >= len(self._frames) or frame.index != self._frames[done]:
            raise ValueError(f"{self.path}: frame {frame.index} is not frame number {done} of {self._frames}")
        data = self._encoded(frame.pixels)
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
            return numbered(self.path, index).name
        if self._kind == "image":
            return self.path.name
        if self._names:
            return Path(self._names[index]).stem + self._suffix
        return f"{index:04d}{self._suffix}"

    def _encoded(self, pixels: NDArray[np.float32]) -> bytes:
        image = np.rint(np.clip(pixels, 0, 1) * self._maximum).astype(self._dtype).transpose(1, 2, 0)
        if self._pix_fmt.startswith("gray"):
            # The mean of equal channels is any of them; that of unequal ones is the nearest grey.
            mean = np.clip(pixels, 0, 1).mean(axis=0, dtype=np.float64)
            image = np.rint(mean * self._maximum).astype(self._dtype)
        else:
            image = image[..., ::-1]  # OpenCV wants blue first
        image = np.ascontiguousarray(np.rot90(image, self._quarter_turns))
        parameters = _PARAMETERS.get(self._suffix.replace("jpeg", "jpg"), [])
        try:
            encoded, data = cv2.imencode(self._suffix, image, parameters)
        except cv2.error:
            encoded = False
        if not encoded:
            height, width = image.shape[:2]
            raise OutputError(f"{self.path}: {width}x{height} cannot be encoded as {self._suffix}: use .png")
        return bytes(data)

    @property
    def _maximum(self) -> int:
        return 65535 if self._pix_fmt in ("gray16le", "rgb48le") else 255

    @property
    def _dtype(self) -> type[np.unsignedinteger[Any]]:
        return np.uint16 if self._maximum == 65535 else np.uint8

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
