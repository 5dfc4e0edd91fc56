"""FFmpeg's denoising filters through PyAV's filter graph: ``--graph nlmeans=s=8``, for instance."""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from script import Video, parser, serve

__all__ = ["denoise"]

_TICK = Fraction(1, 25)


def denoise(noisy: Video, *, graph: str, pix_fmt: str = "yuv444p16le") -> Video:
    """Send a clip through a filter.

    Parameters
    ----------
    noisy
        The clip.
    graph
        The filter with its options, as FFmpeg writes it.
    pix_fmt
        What the filter sees. Luma and chroma apart serve all of these filters better than R'G'B'.
    """
    _, height, width, _ = noisy.shape
    chain = Graph()
    source = chain.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=_TICK)
    planes, denoiser = chain.add("format", pix_fmt), _add(chain, graph)
    source.link_to(planes)
    planes.link_to(denoiser)
    back = chain.add("format", "rgb24")
    denoiser.link_to(back)
    back.link_to(chain.add("buffersink"))
    chain.configure()
    pictures = []
    for index, picture in enumerate(noisy):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = index, _TICK
        chain.push(frame)
        pictures += _ready(chain)
    chain.push(None)
    return np.stack(pictures + _ready(chain))


def _add(chain: Graph, text: str) -> FilterContext:
    name, _, options = text.partition("=")
    return chain.add(name, options) if options else chain.add(name)


def _ready(chain: Graph) -> list[Video]:
    pictures: list[Video] = []
    while True:
        try:
            frame = chain.pull()
        except (av.BlockingIOError, av.EOFError):
            return pictures
        assert isinstance(frame, av.VideoFrame)
        pictures.append(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--graph", required=True, help="the filter, as FFmpeg writes it")
    options = arguments.parse_args()
    serve(options, lambda noisy: denoise(noisy, graph=options.graph))
