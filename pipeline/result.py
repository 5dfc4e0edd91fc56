"""The result of a job: what ``--json`` prints and the report shows. Plain values, nothing to compute."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reelprior.pipeline.job import Job
from reelprior.pipeline.versions import versions

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """One finished restoration.

    Attributes
    ----------
    job
        As it was asked for.
    fingerprint
        Of the job.
    frames
        How many were restored, and ``first_frame`` is the index of the first.
    seconds
        Wall clock, from the first look at the source to the finished output.
    noise
        ``sigma_8bit`` at mid-grey, whether it was ``measured``, and more: see `reelprior.pipeline.noise.noise_facts`.
    scenes
        How many.
    chunks, chunks_reused
        How many, and how many of them an earlier run had finished.
    streams
        Kind and codec of every stream that was copied.
    colour
        How the source's colours were read, and what of that is assumed.
    dropped
        What the output cannot hold and was left out, in words.
    worker_seconds
        Of all tasks together, those of earlier runs too.
    report
        Path of the report, if one was written.
    peak_memory_bytes
        The most memory that a worker's process has had at the end of one of the tasks; None if none was left to do.
    peak_disk_bytes
        What the job directory took when all chunks were there.
    defects
        What the detectors found; empty where none was asked for.
    tone_curves
        Offset, gain and bend of the tone correction by frame, see `reelprior.models.flicker.ToneCurve`.
    scores
        PSNR, SSIM and frame-to-frame error before, after and of the cheap filter; empty without a reference.
    verdict
        Of the report, in a word or two: see `reelprior.pipeline.verdict.Verdict`; None without a report.
    """

    job: Job
    fingerprint: str
    frames: int
    first_frame: int
    seconds: float
    noise: Mapping[str, Any]
    scenes: int
    chunks: int
    chunks_reused: int
    streams: tuple[str, ...]
    colour: str
    dropped: tuple[str, ...] = ()
    worker_seconds: float = 0.0
    report: str | None = None
    peak_memory_bytes: int | None = None
    peak_disk_bytes: int | None = None
    defects: Mapping[str, float | bool] = field(default_factory=dict)
    tone_curves: Mapping[str, list[float]] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    verdict: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; numbers that JSON cannot hold (an infinite PSNR) become null."""
        settings = self.job.settings.model_dump(mode="json")
        return {
            "input": self.job.input,
            "output": self.job.output,
            "frames": self.frames,
            "first_frame": self.first_frame,
            "seconds": round(self.seconds, 3),
            "seconds_per_frame": round(self.seconds / self.frames, 4),
            "worker_seconds": round(self.worker_seconds, 3),
            **{
                name: value if value is None or math.isfinite(value) else None
                for name, value in self.scores.items()
            },
            "noise": dict(self.noise),
            "defects": dict(self.defects),
            "seed": settings["seed"],
            "device": settings["compute"]["device"],
            "colour": self.colour,
            "streams": list(self.streams),
            "dropped": list(self.dropped),
            "scenes": self.scenes,
            "chunks": self.chunks,
            "chunks_reused": self.chunks_reused,
            "report": self.report,
            "verdict": self.verdict,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_disk_bytes": self.peak_disk_bytes,
            "access": list(self.job.access),
            "fingerprint": self.fingerprint,
            "settings": settings,
            "tone_curves": dict(self.tone_curves),
            "versions": versions(),
        }
