"""What goes with an output on request: access copies, frame hashes, PREMIS events. One restoration makes them all.

Everything is checked before the work and made after it, from the finished output. None of it decides the pixels, so
none of it is in the fingerprint: a second run of the same job may ask for other companions.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reelprior.io.access_copy import check_access_copy, write_access_copy
from reelprior.io.coding import target_kind
from reelprior.io.framemd5 import write_framemd5
from reelprior.io.probe import probe
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job, content_hash
from reelprior.pipeline.premis import PremisAgent, PremisEvent, PremisFile, event_identifier, write_premis
from reelprior.pipeline.versions import versions

__all__ = ["Companions", "check_companions", "companion_path"]

#: What a companion's name ends with, after the whole name of the output.
_ENDINGS = {"framemd5": ".framemd5", "source framemd5": ".source.framemd5", "premis": ".premis.xml"}


def companion_path(output: str | Path, kind: str) -> Path:
    """Where a companion of an output is: "framemd5", "source framemd5" or "premis"."""
    return Path(f"{str(output).rstrip('/')}{_ENDINGS[kind]}")


def check_companions(job: Job) -> None:
    """Refuse before the work what a job asks for beside its output and cannot have.

    Raises
    ------
    UsageError
        For an access copy of a single picture, or two files of one name.
    reelprior.io.errors.OutputError
        For an access copy that could not be written.
    """
    if job.access and target_kind(job.output) == "image":
        raise UsageError(f"--access {job.access[0]}: the output is one picture, which needs no access copy")
    taken = {Path(job.output).absolute(), Path(job.input).absolute()}
    for path in job.access:
        check_access_copy(path, overwrite=job.overwrite)
        if Path(path).absolute() in taken:
            raise UsageError(f"--access {path}: is the source, the output or another copy: name another file")
        taken.add(Path(path).absolute())


class Companions:
    """Makes the companions of one output, and remembers what was done for the PREMIS document.

    Parameters
    ----------
    job
        What was asked for.
    fingerprint
        Of the job.
    source_sha256
        Of the source as it was read, `content_hash`.
    now
        The time, with its zone.
    """

    def __init__(
        self,
        job: Job,
        *,
        fingerprint: str,
        source_sha256: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._job, self._fingerprint, self._now = job, fingerprint, now
        self._files = [_file("source", job.input, source_sha256)] if job.premis else []
        self._events: list[PremisEvent] = []
        self._note("message digest calculation", "SHA-256 of the source as it was read.", outcomes=["source"])

    def make(self, frames: range | None, facts: Mapping[str, Any]) -> None:
        """Make what the job asks for, now that its output is there.

        Parameters
        ----------
        frames
            The frames of the source that were restored, counted as they are decoded; None for all.
        facts
            The object that ``--json`` prints.

        Raises
        ------
        reelprior.io.errors.MediaError
            If one cannot be written, or the output cannot be read back.
        """
        job = self._job
        made = self._note(
            "modification", _how(facts), sources=["source"], outcomes=["output"], note=_what_came_out(facts)
        )
        if job.premis:
            self._add("output", job.output, derived_from="source", derived_by=made)
        self._note("message digest calculation", "SHA-256 of the output.", outcomes=["output"])
        if job.framemd5:
            self._hash_frames(frames)
        for number, path in enumerate(job.access, start=1):
            write_access_copy(path, job.output)
            identifier = f"access-{number}"
            made = self._note(
                "migration",
                f"Access copy {Path(path).name}, made from the output without restoring anything again.",
                sources=["output"],
                outcomes=[identifier],
            )
            if job.premis:
                self._add(identifier, path, derived_from="output", derived_by=made)
        if job.premis:
            write_premis(
                companion_path(job.output, "premis"), files=self._files, events=self._events, agent=_agent()
            )

    def _hash_frames(self, frames: range | None) -> None:
        job = self._job
        parts = {"source": (job.input, "source framemd5", frames), "output": (job.output, "framemd5", None)}
        for identifier, (path, kind, part) in parts.items():
            target = companion_path(job.output, kind)
            count = write_framemd5(target, path, frames=part)
            self._note(
                "message digest calculation",
                f"MD5 of each of {count} decoded frames, in FFmpeg's framemd5 format: {target.name}.",
                outcomes=[identifier],
            )

    def _add(self, identifier: str, path: str, *, derived_from: str, derived_by: str) -> None:
        file = _file(identifier, path, content_hash(path), derived_from=derived_from, derived_by=derived_by)
        self._files.append(file)

    def _note(self, kind: Any, detail: str, **more: Any) -> str:
        """Remember an event that has just happened; its identifier."""
        at = self._now()
        identifier = event_identifier(f"{self._fingerprint}:{len(self._events)}", kind, at)
        self._events.append(PremisEvent(identifier, kind, at, detail, **more))
        return identifier


def _file(
    identifier: str, path: str, sha256: str, *, derived_from: str | None = None, derived_by: str | None = None
) -> PremisFile:
    info = probe(path)
    return PremisFile(
        identifier=identifier,
        name=Path(path).name,
        sha256=sha256,
        size_bytes=Path(path).stat().st_size if Path(path).is_file() else None,
        format_name=f"{info.container}, {info.video.codec} ({info.video.pix_fmt})",
        derived_from=derived_from,
        derived_by=derived_by,
    )


def _how(facts: Mapping[str, Any]) -> str:
    settings = json.dumps(facts["settings"], sort_keys=True)
    return (
        f"Restored {facts['frames']} frames from frame {facts['first_frame']} on by fitting an untrained network "
        f"to the footage itself; no other footage took part. Seed {facts['seed']}. Settings: {settings}"
    )


def _what_came_out(facts: Mapping[str, Any]) -> str:
    noise = facts["noise"]
    origin = "measured" if noise["measured"] else "given"
    return (
        f"Noise of sigma {noise['sigma_8bit']} grey levels ({origin}); scenes: {facts['scenes']}; "
        f"job {facts['fingerprint']}."
    )


def _agent() -> PremisAgent:
    stack = ", ".join(f"{name} {version}" for name, version in versions().items() if name != "reelprior")
    return PremisAgent("reelprior", "reelprior", versions()["reelprior"], stack)
