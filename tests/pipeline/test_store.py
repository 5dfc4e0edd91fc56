"""The store: whole after anything, and clear about what it cannot be."""

import sqlite3
from dataclasses import replace

import pytest

from reelprior.io.errors import OutputError
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.store import Entry, Store

FIRST = Entry(1, "/in/ü.mov", "/out/ü.mkv", "video", 0, "queued", None, "w")
SECOND = Entry(2, "/in/b.mov", "/out/b.mkv", "video", 5, "done", None, "w", "1:2", "h", "3:4", "i", 12, 1.5)


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / "batch.sqlite")
    store.save([FIRST, SECOND], wishes={"w": '{"a": 1}'}, values={"output": "/out"})
    yield store
    store.close()


def test_entries_come_back_as_they_were_the_most_urgent_first(store):
    assert store.entries() == [SECOND, FIRST]
    assert store.wish("w") == '{"a": 1}'
    assert (store.value("output"), store.value("never set")) == ("/out", None)


def test_an_entry_is_replaced_by_its_number_and_forgotten_by_it(store):
    store.save([replace(FIRST, state="failed", reason="no")], forget=[2])
    assert [(entry.state, entry.reason) for entry in store.entries()] == [("failed", "no")]


def test_all_of_a_change_is_saved_or_nothing(store):
    clash = replace(FIRST, id=3, state="odd")
    with pytest.raises(OutputError):
        store.save([replace(FIRST, state="failed"), clash], values={"output": "/elsewhere"})
    assert store.entries() == [SECOND, FIRST]
    assert store.value("output") == "/out"


def test_others_read_while_one_writes(store, tmp_path):
    reader = Store.open(tmp_path / "batch.sqlite")
    store.save([replace(FIRST, state="running")])
    assert {entry.state for entry in reader.entries()} == {"running", "done"}
    reader.close()


def test_what_is_committed_is_on_the_disk(store, tmp_path):
    connection = sqlite3.connect(tmp_path / "batch.sqlite")
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert connection.execute("SELECT count(*) FROM files").fetchone() == (2,)
    connection.close()


def test_a_store_that_is_missing_damaged_or_of_another_format_is_named(store, tmp_path):
    with pytest.raises(UsageError, match="is not the directory of a batch"):
        Store.open(tmp_path / "nowhere" / "batch.sqlite")
    (tmp_path / "other.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(UsageError, match=r"other.sqlite is damaged"):
        Store.open(tmp_path / "other.sqlite")
    store._db.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="has format 99"):
        Store.open(tmp_path / "batch.sqlite")
