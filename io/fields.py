"""Fields: whether a clip is progressive, interlaced or telecined, and a frame's two fields as pictures of their own.

An interlaced frame is two pictures of different moments, woven row by row. FFmpeg's ``idet`` filter looks at the
content, because flags are often missing (captures from tape) or wrong (progressive film in interlaced streams).
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from reelprior.io.colour import ToRgb

__all__ = ["FieldDetector", "FieldFacts", "FieldOrder", "ScanType", "field_of", "field_picture"]

FieldOrder: TypeAlias = Literal["top", "bottom"]
ScanType: TypeAlias = Literal["progressive", "interlaced", "telecined"]

# FFmpeg's numbers of orders in which the bottom field is shown first (AV_FIELD_BB, AV_FIELD_TB).
_BOTTOM_FIRST = (3, 4)
# No interlaced video has fewer rows: pictures that small have been scaled, and moving patterns in them look like combs.
_FEWEST_ROWS = 240
# Combs of real fields all begin with the same one; where both are found they are something else.
_OTHER_ORDER = 0.15
# Combed among the frames with a verdict. Motion in part of the film only makes combs rare, so a flag halves it.
_COMBED, _COMBED_AND_FLAGGED = 0.5, 0.25
# One of so many frames is looked at for combs: samples beyond both neighbours by so many of 255 levels, in their mean.
# A pattern, or a texture in motion, has as many of them from column to column; fields have more from row to row.
_COMBS_EVERY, _COMB_DEPTH, _MORE = 8, 15, 1.03
# 3:2 pulldown repeats the top field of one frame in five and the bottom field of another.
_REPEATED = 0.1


@dataclass(frozen=True)
class FieldFacts:
    """What flags and content say about the fields of a clip.

    Attributes
    ----------
    frames
        How many were looked at.
    rows
        Height of a frame.
    flagged
        How many are flagged as interlaced.
    flagged_order
        What the stream says about which field comes first; top where it says nothing.
    top, bottom
        How many frames, each by itself, look interlaced with the top or the bottom field first.
    progressive
        How many, with the frames before them, look progressive; the rest shows too little motion to tell.
    repeated_top, repeated_bottom
        How many frames repeat that field of the one before, as pulldown makes them.
    combs_by_rows
        Whether samples that stick out from the rows above and below are more frequent than from the columns beside.
    """

    frames: int = 0
    rows: int = 0
    flagged: int = 0
    flagged_order: FieldOrder = "top"
    top: int = 0
    bottom: int = 0
    progressive: int = 0
    repeated_top: int = 0
    repeated_bottom: int = 0
    combs_by_rows: bool = True

    @property
    def type(self) -> ScanType:
        """The verdict: by content where there is enough motion to tell, else by the flags."""
        is_flagged = 2 * self.flagged > self.frames
        most, least = max(self.top, self.bottom), min(self.top, self.bottom)
        has_one_order = least <= _OTHER_ORDER * most
        if most and min(self.repeated_top, self.repeated_bottom) >= _REPEATED * self.frames:
            return "telecined"
        is_plausible = self.rows >= _FEWEST_ROWS and self.combs_by_rows
        if most + self.progressive == 0 or not has_one_order or not (is_plausible or is_flagged):
            return "interlaced" if is_flagged else "progressive"
        combed = most / (most + self.progressive)
        return "interlaced" if combed > (_COMBED_AND_FLAGGED if is_flagged else _COMBED) else "progressive"

    @property
    def order(self) -> FieldOrder:
        """Which field comes first, by content, else by what the stream says."""
        if self.top == self.bottom:
            return self.flagged_order
        return "top" if self.top > self.bottom else "bottom"


class FieldDetector:
    """Looks at one frame after the other; `facts` are what it has found.

    Parameters
    ----------
    field_order
        What the stream says, by FFmpeg's number.
    """

    def __init__(self, field_order: int = 0) -> None:
        self._order: FieldOrder = "bottom" if field_order in _BOTTOM_FIRST else "top"
        self._graph: Graph | None = None
        self._pix_fmt = ""
        self._frames = self._flagged = self._rows = 0
        self._verdicts: Counter[str] = Counter()
        self._combs = np.zeros(2)

    def __call__(self, frame: av.VideoFrame) -> None:
        """Look at the next frame, whose time counts for nothing."""
        self._frames += 1
        self._rows = frame.height
        self._flagged += frame.interlaced_frame
        # A picture's fields cannot be told apart without several rows of each.
        if frame.height < 8:
            return
        with suppress(av.FFmpegError):  # a format the filter does not take: nothing is known then
            if self._graph is None or frame.format.name != self._pix_fmt:
                self._finish()
                self._graph, self._pix_fmt = _idet(frame), frame.format.name
            if self._frames % _COMBS_EVERY == 1:
                self._combs += _combs(frame)
            frame.pts, frame.time_base = self._frames, Fraction(1, 25)
            self._graph.push(frame)
            self._collect()

    @property
    def facts(self) -> FieldFacts:
        """What all frames so far say; call it once, at the end."""
        self._finish()
        return FieldFacts(
            frames=self._frames,
            rows=self._rows,
            flagged=self._flagged,
            flagged_order=self._order,
            top=self._verdicts["single tff"],
            bottom=self._verdicts["single bff"],
            progressive=self._verdicts["multiple progressive"],
            repeated_top=self._verdicts["repeated top"],
            repeated_bottom=self._verdicts["repeated bottom"],
            combs_by_rows=bool(self._combs[0] > _MORE * self._combs[1]),
        )

    def _finish(self) -> None:
        """Get the last verdict out of the filter, which is one frame late."""
        graph, self._graph = self._graph, None
        if graph is None:
            return
        with suppress(av.FFmpegError, EOFError, OSError):
            graph.push(None)
            while True:
                self._note(graph.pull())

    def _collect(self) -> None:
        assert self._graph is not None
        with suppress(av.FFmpegError, OSError):  # the filter wants another frame first
            while True:
                self._note(self._graph.pull())

    def _note(self, frame: av.VideoFrame | av.AudioFrame) -> None:
        for kind in ("single", "multiple", "repeated"):
            self._verdicts[f"{kind} {frame.metadata.get(f'lavfi.idet.{kind}.current_frame', '')}"] += 1


def _combs(frame: av.VideoFrame) -> NDArray[np.float64]:
    """Shares of samples that stick out from the rows above and below, and from the columns beside."""
    luma = frame.to_ndarray(format="gray").astype(np.int32)
    deep = [
        (lines[1:-1] - lines[:-2]) * (lines[1:-1] - lines[2:]) > _COMB_DEPTH**2 for lines in (luma, luma.T)
    ]
    return np.array([each.mean() for each in deep])


def _idet(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    graph.link_nodes(source, graph.add("idet"), graph.add("buffersink")).configure()
    return graph


def field_of(frame: av.VideoFrame, *, bottom: bool) -> av.VideoFrame:
    """Every other row of a frame as a frame of its own, of (H + 1) // 2 rows at the top and H // 2 at the bottom.

    Chroma rows belong to fields too: an interlaced 4:2:0 frame has to be split before its chroma is interpolated, or
    the colours of two moments mix.
    """
    first = 1 if bottom else 0
    field = av.VideoFrame(frame.width, (frame.height + 1 - first) // 2, frame.format.name)
    for source, target in zip(frame.planes, field.planes, strict=True):
        rows = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)[: source.height]
        place = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        used = min(source.line_size, target.line_size)
        # An odd count of chroma rows leaves one field a row short: its last one is repeated.
        wanted = np.minimum(np.arange(target.height) * 2 + first, source.height - 1)
        place[: target.height, :used] = rows[wanted, :used]
    return field


def field_picture(frame: av.VideoFrame, to_rgb: ToRgb, *, bottom: bool) -> NDArray[np.float32]:
    """One field on the grid of the frame: (3, H, W) float32 R'G'B' in [0, 1].

    The rows of the other field hold the mean of the rows above and below, for whoever looks at the picture as a whole;
    `reelprior.io.masks.unknown_samples` says that they are not known.
    """
    field = to_rgb(field_of(frame, bottom=bottom))
    first = 1 if bottom else 0
    picture = np.empty((3, frame.height, frame.width), np.float32)
    picture[:, first::2] = field
    above = field if first == 0 else np.concatenate([field[:, :1], field], 1)
    between = picture[:, 1 - first :: 2]
    count = between.shape[1]
    below = np.concatenate([above[:, 1:], above[:, -1:]], 1)
    between[:] = (above[:, :count] + below[:, :count]) / 2
    return picture
