"""Crops that only a container states: which part of the coded picture is shown (Matroska, MP4, QuickTime).

PyAV has no word for them, but carries them along when it copies the parameters of a stream. So the stream is set up as
a Matroska file in memory, and what the muxer writes into the header is read there.
"""

import io
from contextlib import suppress
from dataclasses import dataclass

import av
from av.video.stream import VideoStream

from reelprior.io.matroska import stated_crop

__all__ = ["Crop", "crop_of"]


@dataclass(frozen=True)
class Crop:
    """Rows and columns of the coded picture that are not shown, counted from each of its sides."""

    top: int
    bottom: int
    left: int
    right: int

    def scaled(self, factor: float) -> "Crop":
        """The same of a picture ``factor`` times as large."""
        sides = (self.top, self.bottom, self.left, self.right)
        return Crop(*(round(side * factor) for side in sides))

    def __str__(self) -> str:
        """For people."""
        return f"{self.top} rows at the top, {self.bottom} at the bottom, {self.left} columns left, {self.right} right"


def crop_of(stream: VideoStream) -> Crop | None:
    """What the container of an opened source says, or ``None`` where it says nothing."""
    header = io.BytesIO()
    # A codec that Matroska cannot hold is none of those that are cropped this way.
    with suppress(ValueError, av.FFmpegError):
        with av.open(header, "w", format="matroska") as output:
            output.add_stream_from_template(stream, opaque=True)
            output.start_encoding()
        stated = stated_crop(header.getvalue())
        return Crop(*stated) if stated else None
    return None
