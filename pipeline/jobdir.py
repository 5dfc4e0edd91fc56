"""The job directory: the one place where the client and its workers meet.

::

    OUTPUT.reelprior/
        job.json        the order: what every task needs to know
        index.json      the exact frame index of the source
        manifest.jsonl  which results are whole, by hash (`manifest`)
        masks/          defects that were found (`detection`), where any are looked for
        keys/           parameters of each scene's key frame
        chunks/         restored frames of each chunk, lossless
        progress/       one small file per running task
        records/        what each finished task took (`effort`)
        .film-*.mkv     the film that was found again in a telecined source
        cancel          exists when running tasks have to stop
        lock            held by the client (`lock`)

Workers read the order and write results and progress; only the client writes the manifest and the cancel
flag.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reelprior.io.files import atomic_path, unwritable
from reelprior.io.scan import FrameIndex
from reelprior.models.noise import NoiseModel
from reelprior.models.tiles import Tile, plan_tiles
from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job
from reelprior.pipeline.lock import LOCK_NAMES
from reelprior.pipeline.plan import Plan, make_plan
from reelprior.pipeline.versions import versions

__all__ = ["JobDirectory", "Order"]

_SUFFIXES = {"key": ("keys", ".npz"), "chunk": ("chunks", ".mkv")}
_OWN_NAMES = {"job.json", "index.json", "manifest.jsonl", "keys", "chunks", "progress", "records", "cancel"}
_OWN_NAMES |= {"masks", "pair.json", "result.json", *LOCK_NAMES}


@dataclass(frozen=True)
class Order:
    """What every task needs to know, and nothing that it could work out.

    Attributes
    ----------
    fingerprint
        Of the job, see `reelprior.pipeline.job.fingerprint`.
    job
        With absolute paths.
    frames
        The frames to restore.
    height, width
        Of a frame, in pixels.
    noise
        Given or measured.
    film
        Path of the film that was found again in a telecined source: what is read instead of the source.
    version
        Of reelprior, as the client has it.
    """

    fingerprint: str
    job: Job
    frames: range
    height: int
    width: int
    noise: NoiseModel
    film: str | None = None
    version: str = field(default_factory=lambda: versions()["reelprior"])

    @property
    def read_path(self) -> str:
        """What tasks read."""
        return self.film or self.job.input

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What a frame of the source is divided into; one tile where it is small enough."""
        tile, scale = self.job.settings.tile, self.job.settings.scale
        return plan_tiles(self.height, self.width, tile.size // scale, tile.overlap // scale)

    def plan(self, index: FrameIndex) -> Plan:
        """The plan; pure, so everyone makes the same one and nobody stores it."""
        return self._plan(self.frames, index)

    def wider_plan(self, index: FrameIndex) -> Plan:
        """The same of all frames that restoring these looks at: what detectors have to look through."""
        return self._plan(self.plan(index).read, index)

    def _plan(self, frames: range, index: FrameIndex) -> Plan:
        settings = self.job.settings
        return make_plan(
            frames,
            index.scene_scores,
            around=range(len(index.scene_scores)),
            height=self.tiles[0].read.height * settings.scale,
            width=self.tiles[0].read.width * settings.scale,
            chunk=settings.chunk,
            handle=settings.handle_frames,
            warm_starts=settings.temporal.enabled,
        )


class JobDirectory:
    """Paths and small files of one job. Holds no state: the files are the state."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def manifest_path(self) -> Path:
        """Of the list of finished results."""
        return self.path / "manifest.jsonl"

    @property
    def found_path(self) -> Path:
        """Of what was found beside the masks."""
        return self.path / "masks" / "found.json"

    @property
    def overlay_path(self) -> Path:
        """Of a logo that the scene is seen through."""
        return self.path / "masks" / "overlay.npz"

    def mask_path(self, frame: int) -> Path:
        """Of the mask of the defects found in a frame."""
        return self.path / "masks" / f"{frame:06d}.png"

    def result_path(self, task: Task) -> Path:
        """Of a task's result."""
        folder, suffix = _SUFFIXES[task.kind]
        return self.path / folder / f"{task.name}{suffix}"

    def record_path(self, task: Task) -> Path:
        """Of what a task took."""
        return self.path / "records" / f"{task.name}.json"

    def film_path(self, source_hash: str) -> Path:
        """Of the frames found again in a telecined source. Hidden: it belongs to the source, not to one job."""
        return self.path / f".film-{source_hash[:16]}.mkv"

    def is_foreign(self) -> bool:
        """Whether it holds files that are not ours, which must neither be mixed with ours nor deleted."""
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            return True
        # Hidden files are what a killed run leaves of its temporary files.
        names = {entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")}
        return not names <= _OWN_NAMES and not self._has_order()

    def refuse_foreign(self) -> None:
        """Raise `UsageError` if it holds other people's files."""
        if self.is_foreign():
            raise UsageError(
                f"{self.path} is not a job directory, it holds other files; choose another --job-dir"
            )

    def _has_order(self) -> bool:
        try:
            return "fingerprint" in json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return False

    def create(self) -> None:
        """Make the directory and its folders."""
        with _disk_errors(self.path):
            for folder in ("keys", "chunks", "progress", "records"):
                (self.path / folder).mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove everything of an earlier run but the lock; foreign files stay."""
        self._remove(_OWN_NAMES - set(LOCK_NAMES))

    def _remove(self, names: Collection[str]) -> None:
        with _disk_errors(self.path):
            for name in sorted(names):
                entry = self.path / name
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory after success; a foreign file in it keeps it alive."""
        self._remove(_OWN_NAMES)
        with suppress(OSError):
            for film in self.path.glob(".film-*.mkv"):
                film.unlink()
            self.path.rmdir()

    def size_bytes(self) -> int:
        """What it takes on the disk now."""
        with _disk_errors(self.path):
            return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    def save_order(self, order: Order, index: FrameIndex) -> None:
        """Write ``job.json`` and ``index.json``."""
        text = json.dumps(
            {
                "fingerprint": order.fingerprint,
                "frames": [order.frames.start, order.frames.stop],
                "height": order.height,
                "width": order.width,
                "noise": asdict(order.noise),
                "film": order.film,
                "version": order.version,
                "job": order.job.model_dump(mode="json"),
            },
            indent=1,
        )
        self.write_text(self.path / "job.json", text)
        self.write_text(self.path / "index.json", index.to_json())

    def load_order(self) -> tuple[Order, FrameIndex]:
        """Read back what `save_order` wrote."""
        fields = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
        order = Order(
            fingerprint=fields["fingerprint"],
            job=Job.model_validate(fields["job"]),
            frames=range(*fields["frames"]),
            height=fields["height"],
            width=fields["width"],
            noise=NoiseModel(**fields["noise"]),
            film=fields["film"],
            version=fields["version"],
        )
        return order, FrameIndex.from_json((self.path / "index.json").read_text(encoding="utf-8"))

    def write_text(self, path: Path, text: str) -> None:
        """Write a small file so that a reader sees the old one or the new one, never a part."""
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def cancel(self) -> None:
        """Ask running tasks to stop."""
        with suppress(OSError):
            (self.path / "cancel").touch()

    def uncancel(self) -> None:
        """Take the request of an earlier run back."""
        (self.path / "cancel").unlink(missing_ok=True)

    @property
    def cancelled(self) -> bool:
        """Whether running tasks have been asked to stop."""
        return (self.path / "cancel").exists()

    def save_progress(self, task: Task, progress: TaskProgress) -> None:
        """Note where a task is. Only a display reads it, so it is not worth failing or syncing for."""
        final = self.path / "progress" / f"{task.name}.json"
        temporary = final.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            temporary.write_text(json.dumps([progress.frames_done, progress.loss]), encoding="utf-8")
            temporary.replace(final)

    def load_progress(self, task: Task) -> TaskProgress | None:
        """Where a task is; None if it has not begun to say."""
        try:
            return TaskProgress(
                *json.loads((self.path / "progress" / f"{task.name}.json").read_text("utf-8"))
            )
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """A full or unwritable disk is the output's fault, not the restoration's."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
