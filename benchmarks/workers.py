"""Workers: one worker process and two give the same result, to the byte where arithmetic allows."""

import clips
from clips import CASES
from measuring import psnr_of
from noises import NOISES
from session import Session
from table import Section, Table, at_most, identical

from reelprior.io.files import sha256

__all__ = ["measure"]

#: Several chunks, and one thread for each worker, so that both runs compute in the same order.
_SETTINGS = ("chunk.frames=12", "compute.threads=1")


def measure(session: Session) -> Section:
    """Restore carphone with one worker and with two."""
    case = CASES[0]
    clean = clips.load(case, data=session.data, count=session.frames)
    source = clips.write(session.clip("workers-noisy"), NOISES["sigma25"].add(clean))
    quality, hashes, rows = [], [], []
    for workers in (1, 2):
        output = session.clip(f"workers-{workers}")
        facts = session.restore_by_command(source, output, "--workers", str(workers), overrides=_SETTINGS)
        quality.append(psnr_of(clips.decode(output), clean))
        hashes.append(sha256(output))
        rows.append(
            (
                str(workers),
                f"{quality[-1]:.4f}",
                str(facts["chunks"]),
                f"{facts['seconds_per_frame']:.2f}",
                f"`{hashes[-1][:16]}`",
            )
        )
    figures = [
        at_most("PSNR, one worker against two", abs(quality[0] - quality[1]), 0.05, unit="dB", digits=4),
        identical("output file, one worker against two", hashes[0] == hashes[1], what="SHA-256"),
    ]
    header = ("workers", "PSNR, dB", "chunks", "s per frame", "SHA-256 of the output")
    notes = [f"{case.name}, {len(clean)} frames; `{'`, `'.join(_SETTINGS)}`, all else by default."]
    return Section("Workers", figures, [Table(header, rows)], notes)
