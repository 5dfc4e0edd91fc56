"""Findings of `reelprior.pipeline.verify`: one statement about an output, and whether it holds."""

from dataclasses import dataclass
from typing import Literal

from reelprior.io.probe import MediaInfo
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.scan import FrameIndex
from reelprior.pipeline.sidecar import Sidecar

__all__ = ["Finding", "Pair"]


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes
    ----------
    check
        What was looked at: "frames", "times", "audio stream 1".
    status
        "ok", "differs", or "skipped" where there was nothing to compare with.
    detail
        What was found, in one line.
    """

    check: str
    status: Literal["ok", "differs", "skipped"]
    detail: str

    @classmethod
    def of(cls, check: str, differences: list[str], otherwise: str) -> "Finding":
        """The first differences, or ``otherwise`` where there are none."""
        if not differences:
            return cls(check, "ok", otherwise)
        more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
        return cls(check, "differs", "; ".join(differences[:3]) + more)


@dataclass(frozen=True)
class Pair:
    """An output and what it was made from.

    Attributes
    ----------
    source
        What is in the source file.
    index
        Of the pictures the output was made from: frames, fields or film frames.
    frames
        Those of them that the output holds.
    output, output_index
        What is in the output.
    sidecar
        Its record, if there is one.
    is_whole
        Whether the output holds the whole source, so that everything beside the video must be there too.
    reading
        How the source was read.
    """

    source: MediaInfo
    index: FrameIndex
    frames: range
    output: MediaInfo
    output_index: FrameIndex
    sidecar: Sidecar | None
    is_whole: bool
    reading: Reading = AS_TAGGED

    def was_dropped(self, what: str) -> bool:
        """Whether the record says that ``what`` was left out on request."""
        return self.sidecar is not None and any(what in words for words in self.sidecar.dropped)
