"""Film that was telecined: the frames it was made from, found again by FFmpeg's fieldmatch and decimate filters.

3:2 pulldown spreads four film frames over five video frames, two of which are woven from two film frames each.
``fieldmatch`` puts the fields of each film frame together again, ``yadif`` mends the frames for which it finds no match
(edits made after the telecine), and ``decimate`` drops the one in five that is there twice.
"""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.filter import Graph

from reelprior.io.chunks import ffv1_options
from reelprior.io.container import check_size, decode, open_container, video_stream
from reelprior.io.errors import InputError, OutputError
from reelprior.io.fields import FieldOrder
from reelprior.io.files import atomic_path
from reelprior.io.tags import colour_tags, set_colour_tags

__all__ = ["film_frames", "write_film"]

_VIDEO_RATE = Fraction(30000, 1001)


def film_frames(path: str | Path, *, order: FieldOrder) -> Iterator[av.VideoFrame]:
    """Yield the film frames of a telecined video, with times: four for five frames of the video.

    Raises
    ------
    InputError
        As `reelprior.io.scan` does, or if the filters do not take the pixel format.
    """
    path = Path(path)
    graph: Graph | None = None
    size = (0, 0)
    with open_container(path) as container:
        stream = video_stream(container, path)
        for position, frame in enumerate(decode(container, stream, path)):
            if graph is None:
                size = (frame.height, frame.width)
                graph = _inverse_telecine(
                    path,
                    frame,
                    time_base=stream.time_base or Fraction(1, av.time_base),
                    rate=stream.average_rate or _VIDEO_RATE,
                    order=order,
                )
            check_size(frame, position, size=size, path=path)
            graph.push(frame)
            yield from _ready(graph)
        if graph is not None:
            graph.push(None)
            yield from _ready(graph)


def write_film(path: str | Path, target: Path, *, order: FieldOrder) -> None:
    """Write the film frames of a telecined video into a lossless file (FFV1 in Matroska), atomically.

    Raises
    ------
    InputError, OutputError
        As `film_frames`; if the file cannot be written.
    """
    with atomic_path(target) as temporary:
        frames = film_frames(path, order=order)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{path}: no film frame was found in it")
        try:
            container = av.open(f"file:{temporary}", "w", format="matroska")
            with closing(container):
                stream = container.add_stream("ffv1", rate=_VIDEO_RATE * 4 / 5)
                stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
                stream.options = dict(ffv1_options(first.width, first.height, first.format.name))
                stream.time_base = stream.codec_context.time_base = first.time_base or 1 / _VIDEO_RATE
                stream.codec_context.thread_type = ThreadType.SLICE
                set_colour_tags(stream.codec_context, colour_tags(first))
                container.mux(stream.encode(first))
                for frame in frames:
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise  # atomic_path words it
            raise OutputError(f"{target}: the film frames of {path} cannot be encoded ({error})") from error


def _inverse_telecine(
    path: Path, frame: av.VideoFrame, *, time_base: Fraction, rate: Fraction, order: FieldOrder
) -> Graph:
    graph = Graph()
    try:
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time_base}"
            f":frame_rate={rate}",
        )
        graph.link_nodes(
            source,
            graph.add("fieldmatch", f"order={'tff' if order == 'top' else 'bff'}:combmatch=full"),
            graph.add("yadif", "deint=interlaced"),
            graph.add("decimate"),
            graph.add("format", f"pix_fmts={frame.format.name}"),
            graph.add("buffersink"),
        ).configure()
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: pulldown cannot be reversed in {frame.format.name} ({error}): convert it to yuv420p first"
        ) from error
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame
