"""The plan of a job: scenes, their key frames, and chunks. Pure: no files, no clock, no workers, no pixels.

::

    scene      [--------------------------------------)        a cut on both sides
    core       [-----------)[-----------)[------------)        every frame is in exactly one core
    write      [--------------)                                core +- fade: what a chunk restores and stores
                         [-----------------)
                                      [---------------)
    read       [------------------)                            write +- handle: what it looks at

Everything is cut off at the scene's ends, so nothing is shared over a cut. Where a part of a scene is restored, what it
looks at may lie beyond that part: its ends have neighbours on both sides, too. The plan depends on the clip and
the settings alone; who does the work, and how many, never enters, which is why the result does not depend on
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reelprior.pipeline.settings import ChunkSettings

__all__ = ["Chunk", "Plan", "Scene", "cut_scenes", "fade_weights", "make_plan"]


@dataclass(frozen=True)
class Chunk:
    """A piece of a scene that one task restores. Ranges hold frame indices of the source.

    Attributes
    ----------
    id
        Position among the chunks of the job, from 0, in order of time.
    scene
        The scene's id.
    core
        The frames that belong to this chunk and to no other.
    write
        The frames it restores: its core and the fades into its neighbours.
    read
        The frames it looks at.
    """

    id: int
    scene: int
    core: range
    write: range
    read: range


@dataclass(frozen=True)
class Scene:
    """Frames between two cuts, which share one key-frame fit.

    Attributes
    ----------
    id
        Position among the scenes of the job, from 0.
    frames
        The scene's frames.
    key
        The frame that is fitted from nothing and whose parameters every chunk of the scene starts from: the
        middle of the scene's first chunk. The middle, because it has neighbours on both sides and lies away
        from a dissolve at the cut; of the first chunk, because then the key frame does not move when the
        scene turns out longer. None where nothing is handed on: every frame is fitted by itself, or is the
        only one that may be looked at.
    read
        The frames that the key-frame fit looks at: the key frame and its handles.
    """

    id: int
    frames: range
    key: int | None
    read: range


@dataclass(frozen=True)
class Plan:
    """All scenes and chunks of a job, in order of time.

    Attributes
    ----------
    frames
        The frames to restore.
    """

    frames: range
    scenes: tuple[Scene, ...]
    chunks: tuple[Chunk, ...]

    @property
    def read(self) -> range:
        """All frames that are looked at."""
        read = [scene.read for scene in self.scenes] + [chunk.read for chunk in self.chunks]
        return range(min(frames.start for frames in read), max(frames.stop for frames in read))


def make_plan(
    frames: range,
    scores: Sequence[float],
    *,
    height: int,
    width: int,
    chunk: ChunkSettings,
    handle: int,
    around: range | None = None,
    warm_starts: bool = True,
) -> Plan:
    """Cut the frames into scenes and the scenes into chunks.

    Parameters
    ----------
    frames
        Half-open range of the frames to restore, step 1, not empty.
    scores
        Scene score of every frame of the source against the one before, 0 to 100.
    height, width
        Of a tile, in pixels: what a chunk holds of every frame at a time.
    chunk
        Lengths, fade and scene threshold.
    handle
        How many frames the engine looks beside a frame.
    around
        The frames that may be looked at; those to restore by default.
    warm_starts
        Whether a frame starts from its neighbour's parameters, so that a scene needs a key frame.

    Raises
    ------
    ValueError
        If there is no frame, a frame has no score, or one to restore may not be looked at.
    """
    around = frames if around is None else around
    starts_within = 0 <= around.start <= frames.start
    stops_within = frames.stop <= around.stop <= len(scores)
    if not frames or frames.step != 1 or not (starts_within and stops_within):
        raise ValueError(f"cannot plan frames {frames}, looking at {around} of a clip with {len(scores)}")
    longest = _frames_per_chunk(height, width, chunk)
    scenes: list[Scene] = []
    chunks: list[Chunk] = []
    for span in cut_scenes(frames, scores, threshold=chunk.scene_threshold):
        shown = _shown(span, scores, by=handle, within=around, threshold=chunk.scene_threshold)
        cores = _divide(span, longest)
        # Fades of one chunk must not meet, or a frame would have three results to blend.
        fade = min(chunk.fade, min(len(core) for core in cores) // 2)
        first = len(chunks)
        for core in cores:
            write = _widen(core, fade, within=span)
            chunks.append(Chunk(len(chunks), len(scenes), core, write, _widen(write, handle, within=shown)))
        key = (cores[0].start + cores[0].stop) // 2 if warm_starts and len(shown) > 1 else None
        read = range(key, key + 1) if key is not None else chunks[first].write
        scenes.append(Scene(len(scenes), span, key, _widen(read, handle, within=shown)))
    return Plan(frames, tuple(scenes), tuple(chunks))


def cut_scenes(frames: range, scores: Sequence[float], *, threshold: float) -> list[range]:
    """Divide the frames before every frame whose score reaches the threshold.

    A short scene, down to a single frame, stays a scene of its own: joined to a neighbour it would share a
    warm start and motion-compensated frames with pictures that have nothing to do with it.
    """
    borders = [frames.start, *(t for t in frames[1:] if scores[t] >= threshold), frames.stop]
    return [range(start, stop) for start, stop in pairwise(borders)]


def _shown(span: range, scores: Sequence[float], *, by: int, within: range, threshold: float) -> range:
    """The frames to restore with those of their scene before and after them, ``by`` on each side at most."""
    start, stop = span.start, span.stop
    while start > max(within.start, span.start - by) and scores[start] < threshold:
        start -= 1
    while stop < min(within.stop, span.stop + by) and scores[stop] < threshold:
        stop += 1
    return range(start, stop)


def fade_weights(plan: Plan, chunk: Chunk) -> list[float]:
    """The weight of every frame in ``chunk.write`` when neighbouring chunks are cross-faded.

    1 inside; a straight line across the border to a neighbour. The weights of a frame over all chunks sum to
    one.
    """
    before, after = _neighbours(plan, chunk)
    rising = range(chunk.write.start, before.write.stop) if before else range(0)
    falling = range(after.write.start, chunk.write.stop) if after else range(0)
    return [_ramp(t, rising) * (1 - _ramp(t, falling) if t in falling else 1.0) for t in chunk.write]


def _ramp(t: int, over: range) -> float:
    """From just above 0 to just below 1 over the range, 1 outside."""
    return (t - over.start + 1) / (len(over) + 1) if t in over else 1.0


def _neighbours(plan: Plan, chunk: Chunk) -> tuple[Chunk | None, Chunk | None]:
    """The chunks before and after in the same scene."""
    around = (chunk.id - 1, chunk.id + 1)
    before, after = (plan.chunks[i] if 0 <= i < len(plan.chunks) else None for i in around)
    return (
        before if before and before.scene == chunk.scene else None,
        after if after and after.scene == chunk.scene else None,
    )


def _frames_per_chunk(height: int, width: int, chunk: ChunkSettings) -> int:
    return max(1, min(chunk.frames, int(chunk.megapixels * 1e6 / (height * width))))


def _divide(span: range, longest: int) -> list[range]:
    """Nearly equal parts: a remainder of a few frames would pay handles and warm-up for next to nothing."""
    count = -(-len(span) // longest)
    borders = [span.start + len(span) * i // count for i in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(borders)]


def _widen(frames: range, by: int, *, within: range) -> range:
    return range(max(within.start, frames.start - by), min(within.stop, frames.stop + by))
