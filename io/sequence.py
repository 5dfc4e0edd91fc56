"""A folder of images, a numbered pattern or a single image as a source of frames."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from reelprior.io.errors import InputError
from reelprior.io.frame import Frame
from reelprior.io.images import image_numbers, pixels_of, read_samples, richness
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.samples import Samples

__all__ = ["SequenceReader"]


class SequenceReader:
    """Read images as frames, one per image, with times of 25 frames per second.

    Parameters
    ----------
    path
        A folder, a pattern such as ``shot%04d.png``, or an image file.
    reading
        Whether numbers may be missing. Times follow the numbers, and an image before a gap is shown during it.

    Raises
    ------
    InputError
        When there is no image, or a number is missing in a numbered series.
    """

    def __init__(self, path: str | Path, *, reading: Reading = AS_TAGGED) -> None:
        self.info: MediaInfo = probe(path, reading=reading)
        self._images = [Path(image) for image in self.info.images]
        numbers = image_numbers(self._images)
        self._pts = [number - numbers[0] for number in numbers]

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
        time_base = self.info.video.time_base
        for index, samples in self._decoded(start, stop):
            pts = self._pts[index]
            duration = self._pts[index + 1] - pts if index + 1 < len(self._pts) else 1
            yield Frame(pixels_of(samples), index=index, pts=pts, duration=duration, time_base=time_base)

    def samples(self, start: int, stop: int | None = None) -> Iterator[Samples]:
        """Yield the frames of `read` as the code values of the images, with their opacity.

        Raises
        ------
        InputError
            As `read` does.
        """
        for _, samples in self._decoded(start, stop):
            yield samples

    def _decoded(self, start: int, stop: int | None) -> Iterator[tuple[int, Samples]]:
        count = len(self._images)
        stop = count if stop is None else stop
        if not 0 <= start <= stop <= count:
            raise InputError(f"{self.info.path}: frames {start}:{stop} asked for, but there are {count}")
        video = self.info.video
        for index in range(start, stop):
            samples, pix_fmt = read_samples(self._images[index])
            height, width = samples.planes[0].shape
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
            yield index, samples

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between reads."""
