"""Memory: the peak of the command does not grow with the length of the clip."""

from pathlib import Path

import clips
from clips import CASES
from noises import NOISES
from peak import run_measured
from session import Session
from table import Section, Table, at_most

__all__ = ["measure"]

#: A part of a chunk, three chunks and eight.
_LENGTHS = (24, 96, 240)
#: Memory does not depend on how often the same buffers are used.
_SETTINGS = ("fit.iterations=20",)
#: In percent, of the longest clip over the one before: a clip that is shorter than a chunk takes less.
_GROWTH = 10.0


def measure(session: Session) -> Section:
    """Restore clips of one size and several lengths."""
    case = CASES[0]
    clean = clips.load(case, data=session.data)
    lengths = (
        _LENGTHS if session.frames is None else (session.frames, 4 * session.frames, 10 * session.frames)
    )
    peaks = []
    for length in lengths:
        noisy = NOISES["sigma25"].add(clips.there_and_back(clean, count=length))
        source = clips.write(session.clip(f"memory-{length}"), noisy)
        peaks.append(_peak_bytes(session, source))
    growth = 100 * (peaks[-1] / peaks[-2] - 1)
    name = f"peak memory, {lengths[-1]} frames over {lengths[-2]}"
    rows = [(str(length), f"{peak / 2**20:.0f}") for length, peak in zip(lengths, peaks, strict=True)]
    notes = [
        f"Resident memory of the command at its peak (`ru_maxrss`, the largest process); {case.name}'s frames "
        f"forwards and backwards, {clean.shape[2]}x{clean.shape[1]}; `{'`, `'.join(_SETTINGS)}`, because memory does "
        "not depend on it, all else by default."
    ]
    figure = at_most(name, growth, _GROWTH, unit="%", digits=1)
    return Section("Memory", [figure], [Table(("frames", "peak, MiB"), rows)], notes)


def _peak_bytes(session: Session, source: Path) -> int:
    command = session.command(source, session.clip(f"{source.stem}-restored"), overrides=_SETTINGS)
    return run_measured(command)[1]
