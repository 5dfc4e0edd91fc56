"""Run a command; print what it prints, then the most memory, in bytes, that it or one of its children had at a time.

``python peak.py COMMAND ARGUMENT...``. It is a small process of its own, on purpose: Linux counts a forked process's
memory before it becomes another program, so a child of a large process would seem at least as large.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["run_measured"]

#: The unit of ``ru_maxrss``.
_BYTES = 1 if sys.platform == "darwin" else 1024


def run_measured(command: Sequence[str]) -> tuple[dict[str, Any], int]:
    """Run a command that prints a JSON object; the object, and its peak memory in bytes."""
    script = str(Path(__file__).resolve())
    done = subprocess.run([sys.executable, script, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: exit status {done.returncode}: {done.stderr.strip()}")
    printed, _, peak = done.stdout.rstrip().rpartition("\n")
    return json.loads(printed), int(peak)


def main() -> int:
    """Run, wait, print."""
    status = subprocess.run(sys.argv[1:], check=False).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _BYTES)
    return status


if __name__ == "__main__":
    sys.exit(main())
