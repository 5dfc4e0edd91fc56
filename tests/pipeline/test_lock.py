"""The lock: one client at a time, the second is told who is there, and a dead one holds nobody up."""

import os
import signal
import subprocess
import sys

import pytest

from reelprior.io.errors import OutputError
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.lock import held, holder, is_held


def test_a_second_client_is_refused_with_the_name_of_the_first(tmp_path):
    with (
        held(tmp_path / "job"),
        pytest.raises(UsageError, match=f"is in use by process {os.getpid()} on .*wait until"),
        held(tmp_path / "job"),
    ):
        pass


def test_the_lock_is_free_again_afterwards_and_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), held(tmp_path):
            raise ZeroDivisionError
    assert not is_held(tmp_path)
    assert holder(tmp_path) is None


def test_whether_it_is_held_can_be_asked_without_disturbing_the_holder(tmp_path):
    assert not is_held(tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)
        assert is_held(tmp_path)
        assert str(os.getpid()) in holder(tmp_path)


HOLD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from reelprior.pipeline.lock import held
with held(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_client_holds_nobody_up(tmp_path):
    done = subprocess.run([sys.executable, "-c", HOLD_AND_DIE, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert holder(tmp_path), "it could not clean up"
    assert not is_held(tmp_path)
    with held(tmp_path):
        pass


def test_a_place_where_nothing_can_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), held(tmp_path / "file" / "job"):
        pass
