"""The order of steps over many files, tested without a cluster."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.batch_backlog import BatchBacklog, Step
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.settings import ChunkSettings

#: One scene with a key, two chunks.
PLAN = make_plan(range(8), [0.0] * 8, height=48, width=64, chunk=ChunkSettings(frames=4), handle=1)
KEY, FIRST, SECOND = Task("key", 0), Task("chunk", 0), Task("chunk", 1)


def opened(*files, disk_bytes=None, size=10):
    """A backlog of files that are all open."""
    backlog = BatchBacklog([], disk_bytes=disk_bytes)
    for file in files:
        backlog.opened(file, Backlog(PLAN), disk_bytes=size)
    return backlog


def test_files_are_opened_in_order_and_only_as_many_as_there_are_threads_for():
    backlog = BatchBacklog([5, 3, 4])
    assert backlog.take(tasks=4, chores=2) == [Step(5, "open"), Step(3, "open")]
    assert backlog.take(tasks=4, chores=2) == []


def test_no_more_files_are_opened_than_fill_the_room():
    backlog = BatchBacklog([0, 1, 2])
    [step] = backlog.take(tasks=1, chores=3)
    backlog.opened(step.file, Backlog(PLAN), disk_bytes=10)
    assert backlog.take(tasks=1, chores=3) == [Step(0, KEY), Step(1, "open")], "nothing is left to be ready"
    backlog.opened(1, Backlog(PLAN), disk_bytes=10)
    assert backlog.take(tasks=1, chores=3) == []


def test_the_keys_of_all_open_files_come_before_their_chunks():
    backlog = opened(0, 1)
    assert backlog.take(tasks=4, chores=0) == [Step(0, KEY), Step(1, KEY)]
    backlog.done(Step(1, KEY))
    assert backlog.take(tasks=4, chores=0) == [Step(1, FIRST), Step(1, SECOND)]


def test_chunks_of_many_files_are_interleaved_so_that_no_worker_idles_at_the_end_of_a_file():
    backlog = opened(0, 1)
    for step in backlog.take(tasks=2, chores=0):
        backlog.done(step)
    assert backlog.take(tasks=3, chores=0) == [Step(0, FIRST), Step(0, SECOND), Step(1, FIRST)]


def test_a_file_is_finished_when_all_its_tasks_are_and_before_others_are_opened():
    backlog = BatchBacklog([7])
    backlog.opened(0, Backlog(PLAN, done=[FIRST]), disk_bytes=1)
    for step in (Step(0, KEY), Step(0, SECOND)):
        assert step in backlog.take(tasks=1, chores=0)
        backlog.done(step)
    assert backlog.take(tasks=1, chores=1) == [Step(0, "finish")]
    backlog.done(Step(0, "finish"))
    assert backlog.take(tasks=1, chores=1) == [Step(7, "open")]


def test_the_tasks_of_a_file_wait_until_the_disk_has_room_for_them():
    backlog = opened(0, 1, disk_bytes=15, size=10)
    assert backlog.take(tasks=9, chores=0) == [Step(0, KEY)]
    for step in (Step(0, KEY), Step(0, FIRST), Step(0, SECOND)):
        backlog.take(tasks=9, chores=0)
        backlog.done(step)
    assert backlog.take(tasks=9, chores=1) == [Step(0, "finish")]
    backlog.done(Step(0, "finish"))
    assert backlog.take(tasks=9, chores=1) == [Step(1, KEY)]


def test_a_file_larger_than_the_disk_s_share_is_worked_on_alone():
    assert opened(0, disk_bytes=5, size=10).take(tasks=9, chores=0) == [Step(0, KEY)]


def test_no_file_is_opened_while_one_waits_for_the_disk():
    backlog = BatchBacklog([2], disk_bytes=10)
    for file in (0, 1):
        backlog.opened(file, Backlog(PLAN), disk_bytes=10)
    assert Step(2, "open") not in backlog.take(tasks=9, chores=9)


def test_a_failed_file_starts_nothing_more_and_the_others_go_on():
    backlog = opened(0, 1)
    backlog.take(tasks=9, chores=0)
    assert backlog.fail(Step(0, KEY))
    backlog.done(Step(1, KEY))
    assert {step.file for step in backlog.take(tasks=9, chores=9)} == {1}


def test_a_file_fails_once_and_stays_until_its_running_tasks_have_ended():
    backlog = BatchBacklog([])
    backlog.opened(0, Backlog(PLAN, done=[KEY]), disk_bytes=1)
    first, second = backlog.take(tasks=9, chores=0)
    assert backlog.fail(first)
    assert not backlog.empty
    assert not backlog.fail(second), "stopped because of the first"
    assert backlog.empty


def test_a_file_that_cannot_be_opened_or_has_nothing_to_do_is_closed():
    backlog = BatchBacklog([0, 1])
    failing, unchanged = backlog.take(tasks=9, chores=9)
    assert backlog.fail(failing)
    backlog.done(unchanged)
    assert backlog.empty


def test_a_task_that_was_put_back_is_taken_again():
    backlog = opened(0)
    [step] = backlog.take(tasks=9, chores=0)
    backlog.put_back(step)
    assert backlog.take(tasks=9, chores=0) == [step]


@settings(deadline=None)  # how long it takes is not what is tested
@given(st.integers(1, 5), st.integers(1, 3), st.randoms(use_true_random=False))
def test_every_step_is_taken_once_in_any_order_of_completion(room, chores, random):
    backlog = BatchBacklog(range(5), disk_bytes=25)
    taken, running = [], []
    while not backlog.empty:
        steps = backlog.take(tasks=room, chores=chores)
        taken += steps
        running += steps
        assert running, "something waits and nothing runs"
        assert sum(step.task is not None for step in running) <= room
        assert sum(step.task is None for step in running) <= chores
        step = running.pop(random.randrange(len(running)))
        if step.what == "open":
            backlog.opened(step.file, Backlog(PLAN), disk_bytes=10)
        else:
            backlog.done(step)
    wanted = {Step(file, what) for file in range(5) for what in ("open", KEY, FIRST, SECOND, "finish")}
    assert len(taken) == len(wanted)
    assert set(taken) == wanted
