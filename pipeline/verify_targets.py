"""What ``verify`` is pointed at: one output, or the outputs of a job directory or a batch."""

from collections.abc import Sequence
from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.pipeline.batchdir import BatchDirectory
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.findings import Finding
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.sidecar import sidecar_path
from reelprior.pipeline.stamp import content_hash_of
from reelprior.pipeline.store import Entry, Store
from reelprior.pipeline.verify import Verification, verify_output

__all__ = ["verify_target"]


def verify_target(path: str, *, source: str | None = None) -> list[Verification]:
    """Verify what a path stands for.

    Parameters
    ----------
    path
        An output or a bag; a job directory, for the output of the job; the directory or the folder of outputs of a
        batch, for all outputs that it has finished.
    source
        As for `verify_output`; of one output only.

    Raises
    ------
    UsageError
        As `verify_output` does; if a batch has finished nothing, or a source is given for all of its outputs.
    reelprior.io.errors.InputError
        As `verify_output` does for one output; what cannot be read of a batch is a difference.
    """
    batch = None if sidecar_path(path).exists() else BatchDirectory.find(Path(path))
    if batch is None:
        return [verify_output(_output_of(path), source=source)]
    if source is not None:
        raise UsageError(f"--source {source}: {path} is a batch, which knows its sources: verify one output")
    store = Store.open(batch.store_path)
    try:
        done = [entry for entry in store.entries() if entry.state == "done"]
    finally:
        store.close()
    if not done:
        raise UsageError(f"{path}: the batch has not finished any file yet: see reelprior status")
    return [_verify(entry) for entry in done]


def _verify(entry: Entry) -> Verification:
    """An output of a batch, with its record where it has one, else with what the store knows."""
    try:
        if sidecar_path(entry.output).exists():
            return verify_output(entry.output)
        hashes = (
            _check_hash("output hash", [entry.output], entry.output_hash),
            _check_hash("source hash", entry.sources, entry.source_hash),
        )
        # A pair has no one source that its picture could be laid beside.
        compared = () if entry.kind == "pair" else verify_output(entry.output, source=entry.source).findings
        return Verification(entry.output, entry.source, None, (*hashes, *compared))
    except InputError as error:
        return Verification(entry.output, entry.source, None, (Finding("output", "differs", str(error)),))


def _check_hash(name: str, paths: Sequence[str], known: str | None) -> Finding:
    """Whether files are those that the batch knows; a source that was moved away is no difference."""
    called = " and ".join(Path(path).name for path in paths)
    if name == "source hash" and not all(Path(path).exists() for path in paths):
        return Finding(name, "skipped", f"{called}: not there any more")
    differs = (
        []
        if content_hash_of(paths) == known
        else [f"{called}: not as the batch left it (its SHA-256 is another)"]
    )
    return Finding.of(name, differs, f"{called}: as the batch knows it")


def _output_of(path: str) -> str:
    """The output of a job directory; anything else as it is."""
    if not (Path(path) / "job.json").is_file():
        return path
    try:
        return JobDirectory(path).load_order()[0].job.output
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read as a job directory ({error})") from error
