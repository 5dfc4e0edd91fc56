"""FFmpeg's denoising filters through PyAV's filter graph: ``--graph nlmeans=s=8``, for instance."""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from script import Video, parser, serve

__all__ = ["denoise"]


def denoise(noisy: Video, *, graph: str, pix_fmt: str = "gbrp") -> Video:
    """Send a clip through a filter or a chain of them; the filters see planes of R'G'B' unless told otherwise."""
    _, height, width, _ = noisy.shape
    chain = Graph()
    source = chain.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, 25))
    last = _append(chain, source, f"format={pix_fmt},{graph},format=rgb24")
    last.link_to(chain.add("buffersink"))
    chain.configure()
    pictures = []
    for index, picture in enumerate([*noisy, None]):
        frame = None
        if picture is not None:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
        chain.push(frame)
        pictures += _ready(chain)
    return np.stack(pictures)


def _append(chain: Graph, last: "av.filter.context.FilterContext", filters: str) -> "av.filter.context.FilterContext":
    for text in filters.split(","):
        name, _, options = text.partition("=")
        following = chain.add(name, options) if options else chain.add(name)
        last.link_to(following)
        last = following
    return last


def _ready(chain: Graph) -> list[Video]:
    pictures = []
    while True:
        try:
            pictures.append(chain.pull().to_ndarray(format="rgb24"))
        except (av.BlockingIOError, av.EOFError):
            return pictures


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--graph", required=True, help="filters as FFmpeg writes them, joined by commas")
    options = arguments.parse_args()
    serve(options, lambda noisy: denoise(noisy, graph=options.graph))
