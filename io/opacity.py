"""The opacity of VP8 and VP9: a second stream of pictures beside each packet, which FFmpeg's own decoders pass over.

libvpx, which FFmpeg has too, decodes both. It is taken only for streams that state an opacity: for others FFmpeg's own
decoders are faster and give the same samples.
"""

from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

__all__ = ["decoder_with_opacity", "states_opacity"]

#: Names of codecs, and of the decoders that know about the second stream.
_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def states_opacity(stream: VideoStream) -> bool:
    """Whether a stream says, by WebM's ``AlphaMode`` or a tag of that name, that its packets carry one."""
    return any(name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items())


def decoder_with_opacity(stream: VideoStream) -> VideoCodecContext | None:
    """A decoder that gives out the opacity of a stream; None where it states none, or FFmpeg was built without one."""
    own = stream.codec_context
    name = _DECODERS.get(own.codec.canonical_name)
    if name is None or not states_opacity(stream):
        return None
    try:
        decoder = VideoCodecContext.create(name, "r")
    except UnknownCodecError:
        return None
    assert isinstance(decoder, VideoCodecContext)
    decoder.width, decoder.height = own.width, own.height
    decoder.options = dict(own.options)
    # What the container says about the colours, the decoder lays on its frames.
    decoder.color_range, decoder.colorspace = own.color_range, own.colorspace
    decoder.color_primaries, decoder.color_trc = own.color_primaries, own.color_trc
    return decoder
