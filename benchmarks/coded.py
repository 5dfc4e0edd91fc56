"""Coded video restored, beside what was decoded and FFmpeg's deblocking filter; a part of the section of tasks."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.stream import VideoStream
from clips import PACKAGED, decode, load
from measuring import psnr_of
from numpy.typing import NDArray
from session import Session
from table import Figure, Table, at_least

from reelprior.pipeline.job import Job
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.restore import run

__all__ = ["measure_coded"]

Video = NDArray[np.uint8]
_FRAMES = 12
_H264: tuple[str, dict[str, str]] = ("libx264", {"crf": "36"})
_MPEG4: tuple[str, dict[str, str]] = ("mpeg4", {"qmin": "8", "qmax": "8"})
#: By the names of clips: how they are coded, in words, and for the encoder.
_CODINGS = {
    "bikes": ("H.264, crf 36", *_H264),
    "bigbuckbunny": ("H.264, crf 36", *_H264),
    "carphone": ("MPEG-4, quantiser 8", *_MPEG4),
}


def measure_coded(session: Session, _: Path) -> tuple[list[Figure], Table]:
    """Three clips, each in one coding."""
    rows, gains = [], []
    for case in PACKAGED:
        if case not in session.cases():
            continue
        words, codec, options = _CODINGS[case.name]
        clean = load(case, data=session.data, count=session.frames or _FRAMES)
        clean = clean[:, : clean.shape[1] // 2 * 2, : clean.shape[2] // 2 * 2]
        source = _encode(session.clip(f"{case.name}-coded"), clean, codec, options)
        output = session.clip(f"{case.name}-coded-restored")
        settings = load_settings("web-video", overrides=session.overrides)
        run(Job(input=str(source), output=str(output), settings=settings, resume=False, overwrite=True))
        before, after = psnr_of(decode(source), clean), psnr_of(decode(output), clean)
        gains.append(after - before)
        rows.append(
            (
                f"{case.name}, {words}",
                *(f"{score:.2f}" for score in (before, psnr_of(_deblocked(source), clean), after)),
            )
        )
    figures = (
        [at_least("coded video: over what is decoded, least", min(gains), 0.0, unit="dB")] if gains else []
    )
    return figures, Table(("coded video, dB", "decoded", "FFmpeg deblock", "reelprior"), rows)


def _encode(path: Path, clip: Video, codec: str, options: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _deblocked(path: Path) -> Video:
    """FFmpeg's ``deblock`` at its own settings; ``spp`` and its kind are not in PyAV's wheel."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream), graph.add("deblock"), graph.add("buffersink")
        ).configure()
        for frame in container.decode(stream):
            graph.push(frame)
            deblocked = graph.pull()
            assert isinstance(deblocked, av.VideoFrame)
            pictures.append(deblocked.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
    return np.stack(pictures)
