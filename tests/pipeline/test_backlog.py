"""The order of tasks, tested without a cluster."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.settings import ChunkSettings

#: Two scenes of 8 frames, two chunks each.
PLAN, WITHOUT_KEYS = (
    make_plan(
        range(16),
        [0.0] * 8 + [50.0] + [0.0] * 7,
        height=48,
        width=64,
        chunk=ChunkSettings(frames=4),
        handle=1,
        warm_starts=warm_starts,
    )
    for warm_starts in (True, False)
)


def key(number):
    return Task("key", number)


def chunk(number):
    return Task("chunk", number)


def take(backlog, *, at_most):
    """What a worker would be given, keys first."""
    taken = []
    while len(backlog.running) < at_most and (task := backlog.take_key() or backlog.take_chunk()):
        taken.append(task)
    return taken


def test_a_chunk_waits_for_the_key_frame_of_its_scene():
    backlog = Backlog(PLAN)
    assert take(backlog, at_most=10) == [key(0), key(1)]
    backlog.finish(key(1))
    assert take(backlog, at_most=10) == [chunk(2), chunk(3)]


def test_no_more_tasks_run_than_there_is_room_for():
    backlog = Backlog(PLAN, done=[key(0), key(1)])
    assert len(take(backlog, at_most=3)) == 3
    assert take(backlog, at_most=3) == []
    backlog.finish(chunk(1))
    assert take(backlog, at_most=3) == [chunk(3)]


def test_finished_chunks_are_not_done_again_nor_the_key_frames_only_they_needed():
    backlog = Backlog(PLAN, done=[chunk(0), chunk(1), chunk(2)])
    assert take(backlog, at_most=10) == [key(1)]


def test_without_warm_starts_there_are_no_key_frames():
    backlog = Backlog(WITHOUT_KEYS)
    assert take(backlog, at_most=10) == [chunk(number) for number in range(4)]


def test_a_task_that_was_put_back_is_the_next_to_be_taken():
    backlog = Backlog(PLAN, done=[key(0)])
    assert take(backlog, at_most=3) == [key(1), chunk(0), chunk(1)]
    backlog.put_back(chunk(0))
    backlog.put_back(key(1))
    assert take(backlog, at_most=3) == [key(1), chunk(0)]


def test_what_was_dropped_does_not_come_back_with_its_key():
    backlog = Backlog(PLAN)
    assert take(backlog, at_most=1) == [key(0)]
    backlog.drop()
    backlog.finish(key(0))
    assert backlog.empty


def test_with_everything_done_there_is_nothing_to_do():
    assert Backlog(PLAN, done=[chunk(number) for number in range(4)]).empty


@settings(deadline=None)  # how long it takes is not what is tested
@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_task_runs_once_in_any_order_of_completion(room, random):
    backlog = Backlog(PLAN)
    ran = []
    while not backlog.empty:
        ran += take(backlog, at_most=room)
        assert backlog.running, "tasks wait and nothing runs"
        backlog.finish(random.choice(sorted(backlog.running, key=lambda task: task.name)))
    assert sorted(task.name for task in ran) == [
        "chunk-00000",
        "chunk-00001",
        "chunk-00002",
        "chunk-00003",
        "key-00000",
        "key-00001",
    ]
