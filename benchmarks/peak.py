"""Run a command and print the most memory, in bytes, that it or one of its children had at a time.

``python peak.py COMMAND ARGUMENT...``. It is a small process of its own, on purpose: Linux counts a forked process's
memory before it becomes another program, so a child of a large process would seem at least as large.
"""

import resource
import subprocess
import sys

#: The unit of ``ru_maxrss``.
_BYTES = 1 if sys.platform == "darwin" else 1024


def main() -> int:
    """Run, wait, print."""
    status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _BYTES)
    return status


if __name__ == "__main__":
    sys.exit(main())
