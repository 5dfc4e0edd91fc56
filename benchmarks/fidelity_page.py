"""Measure what is kept of a film and its pictures, and write the tables into ``docs/fidelity.md``.

``python benchmarks/fidelity_page.py --update-page`` takes a minute; nothing is restored in it.
"""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

import containers
import formats
import timing
from machine import describe_machine
from table import embed, render

from reelprior.pipeline.versions import versions

_ROOT = Path(__file__).resolve().parent.parent
_PAGE = _ROOT / "docs" / "fidelity.md"
_PARTS = ("formats", "containers", "sync", "cost")


def main() -> int:
    """Measure; status 1 if a figure is short."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=_ROOT.parent / "shared" / "data", help="where clips may be"
    )
    parser.add_argument("--only", action="append", choices=_PARTS, help="a part; repeatable")
    parser.add_argument("--update-page", action="store_true", help="write the tables into docs/fidelity.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measures = {
            "formats": lambda: formats.measure(folder),
            "containers": lambda: containers.measure(folder),
            "sync": lambda: timing.measure_sync(folder),
            "cost": lambda: timing.measure_cost(folder, data=options.data),
        }
        sections = [measures[part]() for part in options.only or _PARTS]
    text = render(
        sections,
        machine=describe_machine(),
        versions=versions(),
        command=shlex.join(
            ["python", "benchmarks/fidelity_page.py", *(f"--only={part}" for part in options.only or ())]
        ),
        judged=True,
    )
    print(text)
    if options.update_page:
        _PAGE.write_text(embed(_PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0 if all(figure.passed for section in sections for figure in section.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
