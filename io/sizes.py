"""How many bytes frames take once they are coded: measured by coding them, into nothing."""

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from reelprior.io.coding import VideoEncoding
from reelprior.io.colour import FromRgb
from reelprior.io.encoders import open_encoder
from reelprior.io.errors import OutputError
from reelprior.io.tags import ColourTags, tags_for

__all__ = ["coded_bytes"]


def coded_bytes(frames: Sequence[NDArray[np.float32]], encoding: VideoEncoding, colour: ColourTags) -> float:
    """Mean size of a coded frame.

    Parameters
    ----------
    frames
        (3, H, W) R'G'B' in [0, 1], all of one size, at least one.
    encoding
        How they are coded, decided for this size.
    colour
        Of the source.

    Raises
    ------
    OutputError
        If the encoder does not take frames of this size.
    """
    _, height, width = frames[0].shape
    from_rgb = FromRgb(encoding.pix_fmt, tags_for(encoding.pix_fmt, colour, height=height))
    encoder = av.CodecContext.create(encoding.encoder, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, encoding.pix_fmt
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = dict(encoding.options)
    size = 0
    try:
        open_encoder(encoder)
        for number, pixels in enumerate(frames):
            picture = from_rgb(pixels)
            picture.pts, picture.time_base = number, encoder.time_base
            size += sum(packet.size for packet in encoder.encode(picture))
        size += sum(packet.size for packet in encoder.encode(None))
    except av.FFmpegError as error:
        raise OutputError(
            f"{encoding.codec} does not take frames of {width}x{height} ({error.strerror})"
        ) from error
    return size / len(frames)
