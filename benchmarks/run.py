"""Measure what the project promises, in one run: quality, time, memory, fidelity and more, each a part of its own.

``python benchmarks/run.py`` writes ``results.md``, ``results.json`` and pictures into the output folder and prints the
first. README.md says what each figure means.
"""

import argparse
import importlib
import json
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clips import CASES, DATA
from machine import describe_machine
from methods import ENGINES, PEERS
from noises import NOISES
from session import BATCHES, TASKS, Session
from table import Section, embed, render, to_json

from reelprior.pipeline.versions import versions

_HERE = Path(__file__).resolve().parent
#: Name on the command line, module; in the order of the run. The slow ones run only when they are asked for.
BENCHMARKS = {
    "quality": "quality",
    "time": "reference",
    "curve": "curve",
    "cold": "cold",
    "workers": "workers",
    "memory": "memory",
    "fidelity": "fidelity",
    "noise": "noise",
    "grain": "grain",
    "film": "film",
    "defects": "defects",
    "deinterlace": "deinterlace",
    "batch": "batch",
    "flash": "flash",
    "gpu": "gpu",
    "tasks": "tasks",
    "ablation": "ablation",
    "still": "still",
    "stopping": "stopping",
}
_SLOW = ("defects", "gpu", "tasks", "ablation", "still", "stopping")
PROMISED = tuple(name for name in BENCHMARKS if name not in _SLOW)


def main() -> int:
    """Run what was asked for; status 1 if a promised figure is short or a part fails, which costs no other part."""
    options = _parse(sys.argv[1:])
    session = Session(
        output=options.output,
        data=options.data,
        frames=options.frames,
        overrides=tuple(options.changes),
        clips=options.clips,
        noises=options.noises,
        methods=options.methods,
        batches=options.batches,
        tasks=options.tasks,
    )
    session.output.mkdir(parents=True, exist_ok=True)
    judged = not session.is_shortened
    facts: dict[str, Any] = {
        "machine": describe_machine(),
        "versions": versions(),
        "command": _command(),
        "judged": judged,
    }
    sections: list[Section] = []
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for name in options.only or PROMISED:
        print(f"{name} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            sections.append(importlib.import_module(BENCHMARKS[name]).measure(session))
        except (Exception, SystemExit) as error:  # whatever it is, it is said, and the other parts go on
            traceback.print_exception(error)
            failed.append(name)
            sections.append(Section(name.capitalize(), [], notes=[f"**Did not run: {error!r}.**"]))
        seconds[name] = time.monotonic() - started
        print(f"{name}: {seconds[name]:.0f} s", file=sys.stderr, flush=True)
        # After every part: what was measured in an hour is not lost by what happens in the next.
        text = _write(session.output, sections, seconds, facts)
    print(text)
    if options.update_readme:
        page = _HERE / "README.md"
        alone = options.only[0] if options.only and len(options.only) == 1 else None
        page.write_text(embed(page.read_text(encoding="utf-8"), text, part=alone), encoding="utf-8")
        for section in sections:
            _write_pictures(_HERE, section)
    passed = all(figure.passed for section in sections for figure in section.figures)
    return 0 if not failed and (passed or not judged) else 1


def _write(
    folder: Path, sections: Sequence[Section], seconds: Mapping[str, float], facts: Mapping[str, Any]
) -> str:
    """Write everything that is measured so far; the page as text."""
    text = render(sections, **facts, seconds=seconds)
    (folder / "results.md").write_text(text, encoding="utf-8")
    as_json = json.dumps(to_json(sections, **facts), indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(as_json + "\n", encoding="utf-8")
    for section in sections:
        _write_pictures(folder, section)
    return text


def _write_pictures(folder: Path, section: Section) -> None:
    for name, svg in section.pictures.items():
        (folder / name).write_text(svg, encoding="utf-8")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=BENCHMARKS,
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; repeatable; all but {' and '.join(_SLOW)} by default",
    )
    for option, known in (
        ("--clips", [case.name for case in CASES]),
        ("--noises", list(NOISES)),
        ("--methods", [method.name for method in (*PEERS, *ENGINES)]),
        ("--batches", list(BATCHES)),
        ("--tasks", list(TASKS)),
    ):
        parser.add_argument(
            option,
            type=_names(known),
            default=(),
            metavar="A,B",
            help=f"only these of {', '.join(known)}; with fewer clips the numbers are not judged",
        )
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        help="the folder of footage that no package ships (default: $REELPRIOR_DATA)",
    )
    parser.add_argument("--output", type=Path, default=_HERE / "results", help="where results and clips go")
    parser.add_argument("--frames", type=int, help="shorten every clip: a trial, its numbers are not judged")
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting everywhere: a trial, its numbers are not judged",
    )
    parser.add_argument(
        "--update-readme",
        action="store_true",
        help="put the results into README.md, where the command says which parts, noises and methods took part",
    )
    options = parser.parse_args(arguments)
    narrowed = (options.frames, options.changes, options.clips)
    if options.update_readme and any(narrowed):
        parser.error("--update-readme needs all clips, whole: --only, --noises and --methods may go with it")
    if options.frames is not None and options.frames < 2:
        parser.error(f"--frames {options.frames}: frame-to-frame error needs two frames at least")
    return options


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse


def _command() -> str:
    return shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
