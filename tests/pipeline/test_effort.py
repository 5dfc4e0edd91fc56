"""What a frame took: counted from the steps, kept beside the result, and never more than a record."""

import pytest

from reelprior.models.temporal import Step
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.effort import (
    EffortRecorder,
    FrameEffort,
    TaskRecord,
    frame_efforts,
    load_record,
    save_record,
    task_seconds,
)
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.settings import ChunkSettings

CHUNK = Task("chunk", 0)
RECORD = TaskRecord("ab" * 32, 9.5, (FrameEffort(4, 80, 0.25, 1.5), FrameEffort(5, 90, 0.5, 2.0)))


@pytest.fixture
def directory(tmp_path):
    directory = JobDirectory(tmp_path / "job")
    directory.create()
    return directory


def test_steps_seconds_and_the_last_loss_are_counted_for_each_frame_over_all_passes():
    times = iter([0.0, 10.0, 11.0, 13.0, 16.0, 20.0])  # made at 0; then four steps; recorded at 20
    recorder = EffortRecorder(100, clock=lambda: next(times))
    for frame, loss in ((0, 9.0), (0, 8.0), (1, 7.0), (0, 6.0)):
        recorder.on_step(Step(frame, 0.0, loss))
    record = recorder.record("cd" * 32)
    assert record.seconds == 20.0
    assert record.frames == (FrameEffort(100, 3, 6.0, 1.0 + 3.0), FrameEffort(101, 1, 7.0, 2.0))


def test_a_record_is_read_back_for_the_result_it_belongs_to(directory):
    save_record(directory, CHUNK, RECORD)
    assert load_record(directory, CHUNK, result_sha256=RECORD.result_sha256) == RECORD
    assert load_record(directory, CHUNK, result_sha256="00" * 32) is None


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"sha256": 1, "seconds": 2, "frames": [[1]]}'])
def test_a_record_that_is_missing_or_damaged_is_no_record(directory, text):
    if text is not None:
        directory.record_path(CHUNK).write_text(text)
    assert load_record(directory, CHUNK, result_sha256=RECORD.result_sha256) is None


def test_a_record_that_cannot_be_written_stops_nothing(directory):
    directory.record_path(CHUNK).parent.rmdir()
    save_record(directory, CHUNK, RECORD)
    assert not directory.record_path(CHUNK).exists()


def test_a_frame_in_a_fade_costs_what_both_chunks_spent_on_it():
    plan = make_plan(range(8), [0.0] * 8, height=8, width=8, chunk=ChunkSettings(frames=4, fade=1), handle=1)
    assert [chunk.write for chunk in plan.chunks] == [range(5), range(3, 8)]
    records = {
        Task("chunk", chunk.id): TaskRecord(
            "", 5.0, tuple(FrameEffort(t, 10, float(chunk.id), 1.0) for t in chunk.read)
        )
        for chunk in plan.chunks
    }
    efforts = frame_efforts(plan, records)
    assert [effort.index for effort in efforts] == list(range(8))
    assert efforts[3] == FrameEffort(3, 20, 0.0, 2.0)  # of the first chunk's core
    assert efforts[4] == FrameEffort(4, 20, 1.0, 2.0)
    assert efforts[5] == FrameEffort(5, 10, 1.0, 1.0)
    assert task_seconds(records.values()) == 10.0


def test_frames_without_a_record_are_left_out():
    plan = make_plan(range(8), [0.0] * 8, height=8, width=8, chunk=ChunkSettings(frames=4, fade=0), handle=0)
    record = TaskRecord("", 1.0, tuple(FrameEffort(t, 1, 0.0, 0.1) for t in range(4, 8)))
    assert [effort.index for effort in frame_efforts(plan, {Task("chunk", 1): record})] == [4, 5, 6, 7]
