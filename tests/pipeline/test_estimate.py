"""What a dry run says: plain arithmetic on what a trial has measured."""

import pytest

from reelprior.pipeline.estimate import Estimate, FileEstimate, readable_time


def file(**facts):
    usual = {"source": "a.mov", "output": "a.mkv", "kind": "video", "size": "64x48", "frames": 10}
    return FileEstimate(**usual | facts)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "3.0 seconds"),
        (119, "119.0 seconds"),
        (150, "2.5 minutes"),
        (9000, "2.5 hours"),
        (1e6, "11.6 days"),
    ],
)
def test_a_duration_is_said_in_the_unit_that_people_use(seconds, text):
    assert readable_time(seconds) == text


def test_times_add_up_over_the_workers_and_the_largest_file_says_what_a_worker_needs():
    files = [
        file(seconds=30.0, memory_bytes=5, disk_bytes=7),
        file(seconds=90.0, memory_bytes=9, disk_bytes=3),
    ]
    estimate = Estimate(files, workers=2)
    assert (estimate.seconds, estimate.memory_bytes, estimate.disk_bytes) == (60.0, 9, 7)


def test_a_file_with_a_problem_is_named_and_counted():
    lines = Estimate([file(remark="a.mov: no video"), file(seconds=3.0)], workers=1).lines()
    assert lines[0] == "a.mov -> a.mkv: a.mov: no video"
    assert lines[1] == "a.mov -> a.mkv: video, 64x48, 10 frames, about 3.0 seconds"
    assert lines[2].startswith(
        "2 files, 1 of them with a problem; measured on this machine: about 3.0 seconds"
    )
