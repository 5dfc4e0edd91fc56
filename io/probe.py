"""What is in a file: the headers and the first frame. `reelprior.io.scan` tells about all frames."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from reelprior.io.container import decode, is_one_picture, no_frame, open_container, video_stream
from reelprior.io.cropping import Crop, crop_of
from reelprior.io.hdr import HdrMetadata, hdr_of
from reelprior.io.images import SEQUENCE_RATE, is_images, list_images, read_image, richness
from reelprior.io.layout import bit_depth, layout_of
from reelprior.io.opacity import states_opacity
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.tags import ColourTags, colour_tags

__all__ = ["ColourTags", "MediaInfo", "StreamInfo", "VideoInfo", "probe"]

StreamKind = Literal["audio", "subtitle", "attachment", "data", "video"]


@dataclass(frozen=True)
class VideoInfo:
    """The stream that is restored, or the images.

    Attributes
    ----------
    stream_index
        Within the container.
    codec
        FFmpeg's name of the format: "h264", "ffv1", "png".
    width, height
        Of the first frame as it is coded, before rotation and aspect ratio.
    pix_fmt, bit_depth
        Of the first frame; 32 bit for floats.
    time_base
        Seconds per unit of pts.
    average_rate
        Frames per second; ``None`` where nothing tells.
    sample_aspect_ratio
        Width of a pixel by its height; 1 where the source does not say.
    rotation
        Degrees to turn the coded picture for display. Readers do not turn it.
    colour
        Tags, completed by the policy for untagged input.
    frames_from_header
        0 where the header does not say, and often wrong.
    duration_seconds_from_header
        ``None`` where the header does not say.
    hdr
        Mastering metadata; ``None`` where the first frame has none.
    crop
        What only the container says is not to be shown; readers give the whole coded picture.
    alpha_is_hidden
        Whether there is an opacity that the decoder does not give out (VP8 and VP9).
    """

    stream_index: int
    codec: str
    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    time_base: Fraction
    average_rate: Fraction | None
    sample_aspect_ratio: Fraction
    rotation: int
    colour: ColourTags
    frames_from_header: int
    duration_seconds_from_header: float | None
    hdr: HdrMetadata | None = None
    crop: Crop | None = None
    alpha_is_hidden: bool = False

    @property
    def has_alpha(self) -> bool:
        """Whether its frames come with an opacity."""
        return layout_of(self.pix_fmt).has_alpha


@dataclass(frozen=True)
class StreamInfo:
    """A stream beside the restored one. ``language`` and ``title`` are "" where the source does not say."""

    index: int
    kind: StreamKind
    codec: str
    language: str
    title: str


@dataclass(frozen=True)
class MediaInfo:
    """A source: the restored video, and everything around it.

    ``kind`` is "video" for files that FFmpeg opens, "image" for a single image file, "sequence" for several.
    ``images`` are the paths of the image files in order, ``streams`` all streams but the restored one.
    """

    path: str
    kind: Literal["video", "sequence", "image"]
    container: str
    video: VideoInfo
    images: tuple[str, ...] = ()
    streams: tuple[StreamInfo, ...] = ()
    chapters: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


def probe(path: str | Path, *, reading: Reading = AS_TAGGED) -> MediaInfo:
    """Look at a video file, an image, a folder of images or a pattern such as ``shot%04d.png``.

    Parameters
    ----------
    reading
        What overrules the file.

    Raises
    ------
    InputError
        When it is missing, empty, not readable, without a video stream, encrypted, or without a frame that
        decodes.
    """
    path = Path(path)
    return _probe_images(path, reading) if is_images(path) else _probe_video(path, reading)


def _probe_video(path: Path, reading: Reading) -> MediaInfo:
    with open_container(path) as container:
        stream = video_stream(container, path)
        frame = next(decode(container, stream, path), None)
        if frame is None:
            raise no_frame(path)
        return MediaInfo(
            path=str(path),
            kind="video",
            container=container.format.name,
            video=_video_info(container, stream, frame, reading),
            streams=tuple(
                _stream_info(other)
                for other in container.streams
                if other.index != stream.index and not is_one_picture(container)
            ),
            chapters=len(container.chapters()),
            metadata=dict(container.metadata),
        )


def _video_info(
    container: InputContainer, stream: VideoStream, frame: av.VideoFrame, reading: Reading
) -> VideoInfo:
    time_base = stream.time_base or Fraction(1, av.time_base)
    seconds = float(stream.duration * time_base) if stream.duration else None
    if seconds is None and container.duration:
        seconds = container.duration / av.time_base
    return VideoInfo(
        stream_index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        pix_fmt=frame.format.name,
        bit_depth=bit_depth(frame.format.name),
        time_base=time_base,
        average_rate=stream.average_rate or stream.guessed_rate or None,
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        rotation=frame.rotation,
        colour=colour_tags(frame, reading),
        hdr=hdr_of(frame),
        crop=crop_of(stream),
        alpha_is_hidden=states_opacity(stream) and not layout_of(frame.format.name).has_alpha,
        frames_from_header=stream.frames,
        duration_seconds_from_header=seconds,
    )


def _stream_info(stream: Stream) -> StreamInfo:
    kinds: dict[str, StreamKind] = {
        "audio": "audio",
        "video": "video",
        "subtitle": "subtitle",
        "attachment": "attachment",
    }
    context = stream.codec_context
    return StreamInfo(
        index=stream.index,
        kind=kinds.get(stream.type, "data"),
        codec=context.codec.canonical_name if context else "",
        language=stream.metadata.get("language", ""),
        title=stream.metadata.get("title", "") or stream.metadata.get("filename", ""),
    )


def _probe_images(path: Path, reading: Reading) -> MediaInfo:
    images = list_images(path, allow_gaps=reading.allow_gaps)
    # Tools store a black or grey picture in fewer channels: three pictures tell more about a series than the
    # first.
    samples = [read_image(images[at]) for at in sorted({0, len(images) // 2, len(images) - 1})]
    _, height, width = samples[0][0].shape
    pix_fmt = max((pix_fmt for _, pix_fmt in samples), key=richness)
    suffix = images[0].suffix.lower().lstrip(".")
    codec = {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    video = VideoInfo(
        stream_index=0,
        codec=codec,
        width=width,
        height=height,
        pix_fmt=pix_fmt,
        bit_depth=bit_depth(pix_fmt),
        time_base=1 / SEQUENCE_RATE,
        average_rate=SEQUENCE_RATE,
        sample_aspect_ratio=Fraction(1),
        rotation=0,
        colour=ColourTags(matrix="gbr", range="full"),
        frames_from_header=len(images),
        duration_seconds_from_header=float(len(images) / SEQUENCE_RATE),
    )
    kind: Literal["image", "sequence"] = "image" if len(images) == 1 and path.is_file() else "sequence"
    names = tuple(str(image) for image in images)
    return MediaInfo(path=str(path), kind=kind, container=codec, video=video, images=names)
