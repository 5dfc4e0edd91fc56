"""One run of the benchmarks: where things go, what is shortened, and the two ways to start a restoration."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clips import CASES, Case, is_there
from noises import NOISES, Noise

from reelprior.pipeline.job import Job
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.restore import run
from reelprior.pipeline.result import Result

__all__ = ["BATCHES", "SIGMA_8BIT", "TASKS", "Session"]

#: Of the benchmarks that look at one noise level only.
SIGMA_8BIT = 25.0

#: What can be measured of batches, each by itself.
BATCHES = ("overhead", "workers", "cluster", "resume")
#: Tasks that are measured, each by itself.
TASKS = ("set5", "walk", "wires", "half", "regions", "jpeg", "coded")

CLI = (sys.executable, "-m", "reelprior.pipeline.cli")


@dataclass
class Session:
    """What all benchmarks share.

    Attributes
    ----------
    output
        Folder of the results; clips go into ``clips/`` below it and stay there to be looked at.
    data
        Folder of footage that no package ships.
    frames
        At most so many frames of each clip; None for a real run.
    overrides
        ``key=value`` over the preset in every restoration; empty for a real run.
    clips, noises, methods, batches, tasks
        Names of those that are compared, and of the parts of the benchmarks of batches and of tasks; empty for all.
    memo
        What one benchmark measured and another one needs too.
    """

    output: Path
    data: Path
    frames: int | None = None
    overrides: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def is_shortened(self) -> bool:
        """Whether the numbers of this run say nothing about the bounds."""
        return self.frames is not None or bool(self.overrides or self.clips)

    def cases(self) -> list[Case]:
        """The clips that were asked for and are on this machine."""
        return [
            case
            for case in CASES
            if (not self.clips or case.name in self.clips) and is_there(case, data=self.data)
        ]

    def wanted_noises(self) -> list[Noise]:
        """The noises that were asked for."""
        return [noise for name, noise in NOISES.items() if not self.noises or name in self.noises]

    def wants(self, method: str) -> bool:
        """Whether a method takes part."""
        return not self.methods or method in self.methods

    def clip(self, name: str) -> Path:
        """Path of a clip of this run."""
        return self.output / "clips" / f"{name}.mkv"

    def restore(self, source: Path, output: Path, *, overrides: Sequence[str] = ()) -> Result:
        """Restore within this process, as a program that uses the package would."""
        settings = load_settings(
            "denoise", overrides=(*overrides, *self.overrides), options={"denoise": SIGMA_8BIT}
        )
        return run(
            Job(input=str(source), output=str(output), settings=settings, resume=False, overwrite=True)
        )

    def command(
        self,
        source: Path,
        output: Path,
        *options: str,
        overrides: Sequence[str] = (),
        denoise: float | str = SIGMA_8BIT,
    ) -> list[str]:
        """The command line of the same restoration."""
        changes = [part for change in (*overrides, *self.overrides) for part in ("--set", change)]
        noise = denoise if isinstance(denoise, str) else f"{denoise:g}"
        fixed = ["--denoise", noise, "--no-resume", "--overwrite", "--json"]
        return [*CLI, "restore", str(source), str(output), *fixed, *options, *changes]

    def restore_by_command(
        self, source: Path, output: Path, *options: str, overrides: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Restore in a process of its own; the object that ``--json`` prints."""
        command = self.command(source, output, *options, overrides=overrides)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"exit status {done.returncode}: {done.stderr.strip()}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result
