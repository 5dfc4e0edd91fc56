"""What the tests of the writing half share: a clip read and written unchanged, packets to compare, a full disk."""

import resource
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from reelprior.io.coding import Coding
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import check_output, open_writer

__all__ = ["CopiedPacket", "leftovers", "packets_of", "rewrite", "small_disk", "video_times"]


def rewrite(source, target, *, coding=None, frames=None, overwrite=False):
    """Write the frames of ``source`` to ``target`` as they are, through every check."""
    coding = coding or Coding()
    info, index = probe(source), scan(source)
    frames = frames or range(len(index.pts))
    check_output(target, source=info, coding=coding, overwrite=overwrite, frames=frames)
    with (
        open_reader(source, index) as reader,
        open_writer(
            target, source=info, coding=coding, overwrite=overwrite, index=index, frames=frames
        ) as writer,
    ):
        for frame in reader.read(frames.start, frames.stop):
            writer.write(frame)
    return target


@contextmanager
def small_disk(limit):
    """Let no file grow beyond ``limit`` bytes, as on a full disk.

    Not a fixture: the test runner's own output may be a file, and must not be written under the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True)
class CopiedPacket:
    """What a copy must keep; times in seconds."""

    pts: Fraction | None
    dts: Fraction | None
    duration: Fraction
    data: bytes


def packets_of(path, index):
    """All packets of one stream."""
    with av.open(str(path)) as container:
        return [
            CopiedPacket(_seconds(p.pts, p), _seconds(p.dts, p), _seconds(p.duration or 0, p), bytes(p))
            for p in container.demux(container.streams[index])
            if p.size
        ]


def video_times(path):
    """Presentation time of every frame, in seconds, as decoded."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * frame.time_base for frame in container.decode(stream)]


def leftovers(folder: Path):
    """Hidden files and folders, which a writer must not leave behind."""
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]


def _seconds(ticks, packet):
    return None if ticks is None else ticks * packet.time_base
