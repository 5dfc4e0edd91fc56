"""One decoding pass: the truth about the frames of a source, which headers get wrong.

The scan counts what can be decoded and what cannot, notes the times, and lets FFmpeg's ``scdet`` filter compare each
frame with the one before and ``idet`` tell fields from frames. The same source always gives the same index.
"""

import json
import zlib
from bisect import insort
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
from av.filter import Graph

from reelprior.io.container import Damage, check_size, decode, no_frame, open_container, video_stream
from reelprior.io.errors import InputError
from reelprior.io.fields import FieldDetector, FieldFacts, FieldOrder
from reelprior.io.images import SEQUENCE_RATE, is_images
from reelprior.io.limits import Limits
from reelprior.io.quantisers import QuantiserLog, Quantisers
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.sequence import SequenceReader

__all__ = ["FrameIndex", "frame_digest", "presentation_times", "scan", "scene_scores", "with_lost_frames"]

# Decoders reorder within 16 pictures; times further out of order do not belong to one time line.
_REORDER = 16


@dataclass(frozen=True)
class FrameIndex:
    """All decodable frames of a source, in presentation order.

    Attributes
    ----------
    pts
        Presentation times in units of ``time_base``, strictly increasing.
    durations
        In the same units; 0 where the source does not say.
    time_base
        Seconds per unit.
    scene_scores
        How much more each frame differs from the one before than its neighbours do, 0 to 100; see
        `scene_scores`. Cuts score above 10 or so. 0 for the first.
    digests
        `frame_digest` of each frame, by which readers know that a seek went where it should. Empty where no
        frame can be found by its time, because the stream has none, or wrong ones. 0 for lost frames.
    lost
        Positions of frames whose packets do not decode, though their times are known: readers show the frame before.
    damaged
        Positions of frames that decode, but are called corrupt by the decoder, the container or a checksum.
    undecodable
        How many packets gave no frame and have no place between the others.
    breaks_off
        The error at which the reading ended before the end of the file; "" if none.
    fields
        What flags and content say about interlacing.
    quantisers
        How coarsely its decoder says that the frames were quantised.
    field_order
        Where this is the index of fields instead of frames (`reelprior.io.field_rate`): which one comes first.
    """

    pts: tuple[int, ...]
    durations: tuple[int, ...]
    time_base: Fraction
    scene_scores: tuple[float, ...]
    digests: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()
    undecodable: int = 0
    breaks_off: str = ""
    fields: FieldFacts = field(default_factory=FieldFacts)
    quantisers: Quantisers = field(default_factory=Quantisers)
    field_order: FieldOrder | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` when the lists differ in length."""
        if not len(self.pts) == len(self.durations) == len(self.scene_scores):
            raise ValueError("a frame index needs one pts, one duration and one scene score per frame")
        if len(self.digests) not in (0, len(self.pts)):
            raise ValueError("a frame index needs one digest per frame, or none at all")
        if len(self.quantisers.steps) not in (0, len(self.pts)):
            raise ValueError("a frame index needs one quantisation step per frame, or none at all")

    def __len__(self) -> int:
        """Count of frames."""
        return len(self.pts)

    @property
    def unreadable(self) -> frozenset[int]:
        """Positions of the frames to repair: lost ones, and damaged ones between frames that are whole.

        Where most frames are called corrupt the word means nothing, and they are taken as they are.
        """
        damaged = set(self.damaged)
        if 2 * len(damaged) > len(self):
            return frozenset(self.lost)
        whole = [t for t in range(len(self)) if t not in damaged]
        return frozenset(self.lost) | {t for t in damaged if whole[0] < t < whole[-1]}

    def to_json(self) -> str:
        """The index as one JSON object."""
        return json.dumps(asdict(self) | {"time_base": str(self.time_base)})

    @classmethod
    def from_json(cls, text: str) -> "FrameIndex":
        """The inverse of `to_json`. Raises `ValueError` for anything else."""
        try:
            fields = json.loads(text)
            return cls(
                pts=tuple(int(pts) for pts in fields["pts"]),
                durations=tuple(int(duration) for duration in fields["durations"]),
                time_base=Fraction(fields["time_base"]),
                scene_scores=tuple(float(score) for score in fields["scene_scores"]),
                digests=tuple(int(digest) for digest in fields["digests"]),
                lost=tuple(int(t) for t in fields["lost"]),
                damaged=tuple(int(t) for t in fields["damaged"]),
                undecodable=int(fields["undecodable"]),
                breaks_off=str(fields["breaks_off"]),
                fields=FieldFacts(**fields["fields"]),
                quantisers=Quantisers.from_json(fields["quantisers"]),
                field_order=fields["field_order"],
            )
        except (KeyError, TypeError, ZeroDivisionError, OverflowError) as error:
            raise ValueError(f"not a frame index: {error}") from error


def scan(path: str | Path, *, reading: Reading = AS_TAGGED) -> FrameIndex:
    """Decode a source once, and return what its frames are.

    Parameters
    ----------
    reading
        What overrules the file.

    Raises
    ------
    InputError
        When the source cannot be opened (see `reelprior.io.probe`), has no decodable frame, or changes its
        frame size on the way.
    """
    path = Path(path)
    return _scan_images(path, reading) if is_images(path) else _scan_video(path)


def _scan_video(path: Path) -> FrameIndex:
    raw: list[int | None] = []
    durations: list[int] = []
    differences: list[float] = []
    digests: list[int] = []
    difference = _FrameDifference()
    damage = Damage()
    quantisers = QuantiserLog()
    size: tuple[int, int] | None = None
    most = Limits.from_environment().max_frames
    with open_container(path) as container:
        stream = video_stream(container, path, tells_quantisers=True)
        time_base = stream.time_base or Fraction(1, av.time_base)
        rate = stream.average_rate or stream.guessed_rate or SEQUENCE_RATE
        fields = FieldDetector(stream.codec_context.field_order)
        for position, frame in enumerate(decode(container, stream, path, damage=damage)):
            if position == most:
                raise InputError(
                    f"{path}: more than {most} frames: set REELPRIOR_MAX_FRAMES higher if that is right"
                )
            size = size or (frame.height, frame.width)
            check_size(frame, position, size=size, path=path)
            raw.append(frame.pts)
            durations.append(frame.duration or 0)
            digests.append(frame_digest(frame))
            differences.append(difference(frame))
            fields(frame)
            quantisers(frame)
    if not raw:
        raise no_frame(path)
    pts = presentation_times(raw, durations, step=max(round(1 / (rate * time_base)), 1))
    times_are_true = pts == raw
    index = FrameIndex(
        pts=tuple(pts),
        durations=tuple(durations),
        time_base=time_base,
        scene_scores=scene_scores(differences),
        digests=tuple(digests) if times_are_true else (),
        damaged=tuple(t for t, time in enumerate(raw) if time in damage.corrupt),
        breaks_off=damage.breaks_off,
        fields=fields.facts,
        quantisers=quantisers.quantisers,
    )
    return with_lost_frames(index, damage.failed)


def with_lost_frames(index: FrameIndex, failed: Sequence[int | None]) -> FrameIndex:
    """Give packets that gave no frame their places among the others.

    Only times between the first and the last decoded frame are places: before and after, there is nothing to repair a
    frame from. Where the index has no digests its times are not those of the packets.
    """
    pts = list(index.pts)
    known = set(pts)
    places = {time for time in failed if time is not None and pts[0] < time < pts[-1] and time not in known}
    if not index.digests:
        places = set()
    unplaced = len(failed) - len(places)
    if not places:
        return replace(index, undecodable=unplaced)
    for time in places:
        insort(pts, time)
    lost = {t for t, time in enumerate(pts) if time in places}
    whole = iter(range(len(index)))
    origin = [None if t in lost else next(whole) for t in range(len(pts))]
    return replace(
        index,
        pts=tuple(pts),
        durations=tuple(
            pts[t + 1] - pts[t] if was is None else index.durations[was] for t, was in enumerate(origin)
        ),
        scene_scores=tuple(0.0 if was is None else index.scene_scores[was] for was in origin),
        digests=tuple(0 if was is None else index.digests[was] for was in origin),
        lost=tuple(sorted(lost)),
        damaged=tuple(t for t, was in enumerate(origin) if was in set(index.damaged)),
        undecodable=unplaced,
        quantisers=index.quantisers.of(origin),
    )


def _scan_images(path: Path, reading: Reading) -> FrameIndex:
    difference = _FrameDifference()
    differences, pts, durations = [], [], []
    with SequenceReader(path, reading=reading) as reader:
        for frame in reader.read(0):
            pts.append(frame.pts)
            durations.append(frame.duration)
            codes = np.rint(frame.pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
            differences.append(
                difference(av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), format="rgb24"))
            )
    return FrameIndex(tuple(pts), tuple(durations), 1 / SEQUENCE_RATE, scene_scores(differences))


def frame_digest(frame: av.VideoFrame) -> int:
    """CRC-32 of the samples of the first plane (luma, or all of a packed format)."""
    pixel_format, plane = frame.format, frame.planes[0]
    if pixel_format.is_planar:
        bits = -(-pixel_format.components[0].bits // 8) * 8
    else:
        bits = pixel_format.padded_bits_per_pixel
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
    used = -(-plane.width * bits // 8)  # what follows in a row is padding, and undefined
    return zlib.crc32(rows[:, :used].tobytes())


def presentation_times(raw: Sequence[int | None], durations: Sequence[int], *, step: int) -> list[int]:
    """Make one strictly increasing time line of what a decoder says. Increasing times stay as they are.

    Parameters
    ----------
    raw
        The pts of each frame in presentation order, where known.
    durations
        Of each frame, 0 where unknown.
    step
        The usual distance of two frames, for where nothing else tells.

    Notes
    -----
    A missing time is the previous one plus its duration; those before the first known one are counted back from it
    (Matroska does not give out times of H.264 before zero). Times out of order by no more than decoders reorder
    are decoding times (AVI has no others): sorted, they are the presentation times. Of other disorder, a time
    that runs back by more than a few frames starts a new recording, which is moved behind the old one, and a
    time that stumbles is put one unit after the one before.
    """
    times: list[int] = []
    known = next((at for at, pts in enumerate(raw) if pts is not None), len(raw))
    if 0 < known < len(raw):
        steps = [duration or step for duration in durations[:known]]
        begin = (raw[known] or 0) - sum(steps)
        times = [begin + before for before in accumulate([0, *steps[:-1]])]
    for at, pts in enumerate(raw[len(times) :], start=len(times)):
        follows = times[-1] + (durations[at - 1] or step) if times else 0
        times.append(follows if pts is None else pts)
    runs_back = max(
        (latest - time for latest, time in zip(accumulate(times, max), times, strict=True)), default=0
    )
    if runs_back <= _REORDER * step and len(set(times)) == len(times):
        return sorted(times)
    moved, shift = times[:1], 0
    for time in times[1:]:
        if moved[-1] - (time + shift) > _REORDER * step:
            shift = moved[-1] + step - time
        moved.append(max(time + shift, moved[-1] + 1))
    return moved


def scene_scores(differences: Sequence[float]) -> tuple[float, ...]:
    """What frame differences say about cuts.

    A frame's score is its difference minus the smaller of the differences of the frames before and after it. Noise
    and steady motion, which all frames share, cancel; ``scdet``'s own score compares with the frame before only, which
    calls heavy noise a cut at the second frame of a clip and after every cut.

    Parameters
    ----------
    differences
        Mean absolute difference of each frame to the one before, 0 to 100; that of the first frame means nothing.
    """
    last = len(differences) - 1
    scores = [0.0] if differences else []
    for t in range(1, len(differences)):
        around = [differences[k] for k in (t - 1, t + 1) if 1 <= k <= last]
        scores.append(max(0.0, differences[t] - min(around, default=0.0)))
    return tuple(scores)


class _FrameDifference:
    """Mean absolute difference to the frame before, 0 to 100, as FFmpeg's ``scdet`` filter measures it."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._pix_fmt = ""
        self._count = 0

    def __call__(self, frame: av.VideoFrame) -> float:
        is_splice = self._graph is not None and frame.format.name != self._pix_fmt
        if self._graph is None or is_splice:
            self._graph, self._pix_fmt = _scdet(frame), frame.format.name
        # The filter wants increasing times, which not every source has.
        frame.pts, frame.time_base = self._count, 1 / SEQUENCE_RATE
        self._count += 1
        self._graph.push(frame)
        scored = self._graph.pull()
        # Another pixel format in mid-stream: two recordings were joined there.
        return 100.0 if is_splice else float(scored.metadata.get("lavfi.scd.mafd", 0))


def _scdet(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=1 / SEQUENCE_RATE
    )
    graph.link_nodes(source, graph.add("scdet"), graph.add("buffersink")).configure()
    return graph
