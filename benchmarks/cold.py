"""Cold start: how long a person waits for the first restored frame of a clip."""

import time

import clips
from clips import PACKAGED
from noises import NOISES
from peak import run_measured
from session import Session
from table import Section, at_most

__all__ = ["measure"]

_WANTED_SECONDS = 15


def measure(session: Session) -> Section:
    """Restore one frame of a 320x180 clip, from starting the command to its end."""
    case = next(case for case in PACKAGED if case.name == "bigbuckbunny")
    noisy = NOISES["sigma25"].add(clips.load(case, data=session.data, count=session.frames))
    source = clips.write(session.clip("cold-noisy"), noisy)
    started = time.monotonic()
    run_measured(session.command(source, session.clip("cold-restored"), "--frames", "0:1"))
    seconds = time.monotonic() - started
    notes = [
        f"{case.name}, {case.size[0]}x{case.size[1]}, sigma 25, `--frames 0:1`: Python's start included."
    ]
    return Section(
        "Cold start",
        [at_most("cold start, first frame", seconds, _WANTED_SECONDS, unit="s", digits=1)],
        notes=notes,
    )
