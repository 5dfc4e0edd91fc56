"""Odd, broken and lying files from the wild: a result or one clear line, never a crash or a hang."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reelprior.io.errors import InputError
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan

HOSTILE = Path(os.environ.get("REELPRIOR_DATA", Path(__file__).parents[3] / "shared" / "data")) / "hostile"
FILES = sorted(p for p in HOSTILE.rglob("*") if p.is_file()) if HOSTILE.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason=f"no hostile files in {HOSTILE}: set REELPRIOR_DATA")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOSTILE)))
def test_a_hostile_file_is_read_or_refused_in_one_line(path):
    try:
        probe(path)
        index = scan(path)
        with open_reader(path, index) as reader:
            first = list(reader.read(0, min(len(index), 3)))
            last = list(reader.read(len(index) - 1))
    except InputError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return
    assert all(a < b for a, b in pairwise(index.pts))
    assert last[0].index == len(index) - 1
    for frame in [*first, *last]:
        assert np.isfinite(frame.pixels).all()
        assert frame.pixels.min() >= 0 and frame.pixels.max() <= 1
