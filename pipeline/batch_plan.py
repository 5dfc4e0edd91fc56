"""The plan of a batch: which file becomes which, what is wanted of it, and what a run has to do again.

Nothing is written here and no file is decoded; what can be refused is refused before any work: sources and outputs
whose names clash, names that cannot be stored, unknown keys and presets.
"""

import functools
import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reelprior.io.images import list_images
from reelprior.pipeline.discovery import Found, find_sources, is_pattern
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.pairs import output_name
from reelprior.pipeline.store import Entry, State
from reelprior.pipeline.wishes import FileEntry, Wishes, load_job_file, with_absolute_paths

__all__ = ["Item", "judge", "plan_items", "wish_covers", "wish_hash"]

_PICTURES_KEPT = frozenset({".png", ".tif", ".tiff"})
"""Outputs of pictures keep these endings, and are PNG otherwise."""


@dataclass(frozen=True)
class Item:
    """One file of a batch as it was asked for.

    Attributes
    ----------
    source, output
        Absolute paths.
    kind
        Of the source.
    priority
        Higher ones come first.
    wish
        Hash of ``job``, see `wish_hash`.
    job
        As JSON, without source and output, with what is wanted ``beside`` the output.
    partner
        A second source: the shot with flash, of a pair.
    """

    source: str
    output: str
    kind: str
    priority: int
    wish: str
    job: str
    partner: str | None = None


def plan_items(source: str, output: Path, wishes: Wishes, *, leave_out: Iterable[Path] = ()) -> list[Item]:
    """The files of a folder, a pattern or a job file.

    Parameters
    ----------
    source
        A folder, a pattern, a file, or a job file (``.toml``).
    output
        The folder of the outputs, in which the folders of the source are kept.
    wishes
        For every file; a job file's own win.
    leave_out
        Folders that are not searched.

    Raises
    ------
    UsageError
        If names clash, or a wish cannot be.
    reelprior.io.errors.InputError
        If there is nothing to restore, or a folder cannot be read.
    """
    leave_out = [output, *leave_out]
    wishes = with_absolute_paths(wishes, Path.cwd())
    if source.endswith(".toml"):
        wanted = load_job_file(Path(source))
        general = wishes.refined(wanted)
        entries = [(entry, general.refined(entry)) for entry in wanted.files]
    else:
        entries = [(FileEntry(path=source), wishes)]
    wanted_of = functools.cache(_wanted)  # of this plan only: the mask of the next one may be another
    items = [
        item
        for entry, each in entries
        for item in _items(entry, each, output.absolute(), leave_out, wanted_of)
    ]
    _refuse_clashes(items)
    return items


def _items(
    entry: FileEntry,
    wishes: Wishes,
    output: Path,
    leave_out: list[Path],
    wanted_of: Callable[[str, str], tuple[str, str]],
) -> Iterable[Item]:
    said = wishes.model_dump_json(exclude_unset=True)
    found = _found(entry, wishes, leave_out)
    if entry.output is not None and len(found) != 1:
        raise UsageError(
            f"{entry.path}: {len(found)} files cannot all become {entry.output}; leave output out"
        )
    for each in found:
        name = Path(entry.output) if entry.output is not None else _output_name(each, wishes.suffix)
        job, wish = wanted_of(said, each.kind)
        yield Item(
            source=_storable(each.path.absolute()),
            output=_storable(output / name),
            kind=each.kind,
            priority=wishes.priority,
            wish=wish,
            job=job,
            partner=None if each.partner is None else _storable(each.partner.absolute()),
        )


def _found(entry: FileEntry, wishes: Wishes, leave_out: list[Path]) -> list[Found]:
    path = Path(entry.path)
    if entry.flash is not None:
        return [Found(path, "pair", Path(path.name), partner=Path(entry.flash))]
    if entry.kind == "sequence":
        return [Found(path, "sequence", Path(path.name))]
    if entry.kind == "images":
        pictures = list_images(path)
        return [Found(picture, "image", picture.relative_to(path)) for picture in pictures]
    if "%" in path.name and not is_pattern(entry.path) and not path.exists():
        return [Found(path, "sequence", Path(path.parent.name))]
    return find_sources(entry.path, leave_out=leave_out, pairs=wishes.pairs)


def _output_name(found: Found, suffix: str | None) -> Path:
    if found.kind == "sequence":
        return found.relative if found.relative.parts else Path(found.path.absolute().name)
    if found.kind == "pair":
        return found.relative.with_name(output_name(found.path))
    if found.kind == "video":
        return found.relative.with_suffix(suffix or ".mkv")
    kept = found.relative.suffix.lower() in _PICTURES_KEPT
    return found.relative if kept else found.relative.with_suffix(".png")


def _wanted(wishes: str, kind: str) -> tuple[str, str]:
    """The job as JSON and its hash; thousands of files share a few."""
    text = Wishes.model_validate_json(wishes).wish(kind)
    return text, wish_hash(text, kind)


def wish_hash(job: str, kind: str) -> str:
    """Hash of what is wanted, in hex: what decides the output and what lies beside it, not where the work is done."""
    fields = json.loads(job)
    return _hashed([_decides(fields, kind), sorted(_extras(fields))])


def wish_covers(done: str, wanted: str, kind: str) -> bool:
    """Whether an output of one wish is what another asks for: the same, and nothing less beside it."""
    before, now = json.loads(done), json.loads(wanted)
    return _hashed(_decides(before, kind)) == _hashed(_decides(now, kind)) and _extras(now) <= _extras(before)


def _decides(fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What decides an output."""
    compute = {key: value for key, value in fields["settings"]["compute"].items() if key not in _WHERE}
    names = ("mask", "frames", "coding", "align", "bits", "read_too")
    wanted = {name: fields[name] for name in names if name in fields}
    return wanted | {"kind": kind, "settings": fields["settings"] | {"compute": compute}}


def _extras(fields: Mapping[str, Any]) -> frozenset[str]:
    """What is asked for beyond the output."""
    asked = {name for name in ("framemd5", "premis", "strict", "sidecar") if fields.get(name)}
    return frozenset(asked | set(fields.get("beside", ())))


def _hashed(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


_WHERE = frozenset({"device", "threads"})


def _storable(path: Path) -> str:
    """A path as text; names of other bytes than UTF-8 can neither be stored nor given to every library."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!a}: its name is not valid UTF-8: rename it") from None
    return str(path)


def _refuse_clashes(items: Iterable[Item]) -> None:
    """Refuse outputs of one name, also where only some file systems take two names for one."""
    taken: dict[str, Item] = {}
    for item in items:
        key = unicodedata.normalize("NFC", item.output).casefold()
        if (other := taken.get(key)) is not None:
            raise UsageError(
                f"{other.source} and {item.source} would both become {item.output}: rename one of them, "
                "or name the outputs in a job file"
            )
        taken[key] = item
    sequences = [item for item in taken.values() if item.kind == "sequence"]
    for sequence in sequences:
        inside = f"{sequence.output}/"
        for item in taken.values():
            if item.output.startswith(inside):
                raise UsageError(
                    f"{item.source} would be written into {sequence.output}, the folder of another output: "
                    "move it, or name the outputs in a job file"
                )


def judge(
    entry: Entry,
    *,
    before: Entry | None,
    source_stamp: str | None,
    output_stamp: str | None,
    same_source: Callable[[], bool],
    same_output: Callable[[], bool],
    same_wish: Callable[[], bool],
    overwrite: bool,
    retry_failed: bool,
) -> Entry:
    """What a run has to do with a file: the entry with its state, and the reason where there is one. Pure.

    Parameters
    ----------
    entry
        As it is wanted now; its state is decided here.
    before
        The same output's entry of an earlier run.
    source_stamp, output_stamp
        Of the files as they are now; None where there is none.
    same_source, same_output
        Whether the content is that of the earlier run; asked only where a stamp differs, for it takes reading.
    same_wish
        Whether what the earlier run made is what is wanted now; asked only where the wishes differ.
    overwrite
        Whether outputs that this batch has not made, or that were altered since, may be replaced.
    retry_failed
        Whether failures are tried again.
    """

    def become(state: State, reason: str | None = None) -> Entry:
        return replace(entry, state=state, reason=reason)

    if before is None or before.state == "skipped":
        if output_stamp is not None and not overwrite:
            return become("skipped", "an output is there that this batch has not made: see --overwrite")
        return become("queued")
    is_same_wish = before.sources == entry.sources and (before.wish == entry.wish or same_wish())
    if before.state == "done":
        return _judge_done(
            become,
            before,
            is_same_wish=is_same_wish,
            source_stamp=source_stamp,
            output_stamp=output_stamp,
            same_source=same_source,
            same_output=same_output,
            overwrite=overwrite,
        )
    if source_stamp is None:
        return become("failed", f"{entry.source}: is not there any more")
    if before.state == "failed" and is_same_wish and not retry_failed:
        return become("failed", before.reason)
    return become("queued")


def _judge_done(
    become: Callable[..., Entry],
    before: Entry,
    *,
    is_same_wish: bool,
    source_stamp: str | None,
    output_stamp: str | None,
    same_source: Callable[[], bool],
    same_output: Callable[[], bool],
    overwrite: bool,
) -> Entry:
    is_kept = output_stamp is not None and (output_stamp == before.output_stamp or same_output())
    if output_stamp is not None and not is_kept and not overwrite:
        return become("skipped", "its output was altered since it was written: see --overwrite")
    # A source that was moved away after its restoration is no reason to do anything.
    is_same_source = source_stamp in {None, before.source_stamp} or same_source()
    if not is_same_source or (not is_same_wish and source_stamp is not None):
        return become(
            "queued", "the source has changed" if not is_same_source else "the settings have changed"
        )
    if not is_kept:
        return become("queued", "its output is gone" if output_stamp is None else "its output was altered")
    return replace(
        before,
        priority=become("done").priority,
        source_stamp=source_stamp or before.source_stamp,
        output_stamp=output_stamp,
    )
