"""A folder of images, a numbered pattern or a single image as a source of frames."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from reelprior.io.errors import InputError
from reelprior.io.frame import Frame
from reelprior.io.images import list_images, read_image, richness
from reelprior.io.probe import MediaInfo, probe

__all__ = ["SequenceReader"]


class SequenceReader:
    """Read images as frames, one per image, with times of 25 frames per second.

    Parameters
    ----------
    path
        A folder, a pattern such as ``shot%04d.png``, or an image file.

    Raises
    ------
    InputError
        When there is no image, or a number is missing in a numbered series.
    """

    def __init__(self, path: str | Path) -> None:
        self._images = list_images(path)
        self.info: MediaInfo = probe(path)

    @property
    def names(self) -> tuple[str, ...]:
        """The file names, in order."""
        return tuple(image.name for image in self._images)

    def read(self, start: int, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames of the half-open range, one image in memory at a time.

        Raises
        ------
        InputError
            When an image cannot be decoded, differs in size from the first, holds more than the rest do
            (colour among grey, 16 bit among 8), or the range reaches beyond the last.
        """
        count = len(self._images)
        stop = count if stop is None else stop
        if not 0 <= start <= stop <= count:
            raise InputError(f"{self.info.path}: frames {start}:{stop} asked for, but there are {count}")
        video = self.info.video
        for index in range(start, stop):
            pixels, pix_fmt = read_image(self._images[index])
            _, height, width = pixels.shape
            if (height, width) != (video.height, video.width):
                raise InputError(
                    f"{self._images[index]}: frame {index} is {width}x{height}, "
                    f"the first is {video.width}x{video.height}: bring them to one size"
                )
            if richness(pix_fmt) > richness(video.pix_fmt):
                raise InputError(
                    f"{self._images[index]}: frame {index} is {pix_fmt}, the others {video.pix_fmt}: "
                    f"convert them to one format"
                )
            yield Frame(pixels, index=index, pts=index, duration=1, time_base=video.time_base)

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between reads."""
