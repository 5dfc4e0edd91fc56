"""What a dry run says: plain arithmetic on what a trial has measured."""

from reelprior.pipeline.estimate import Estimate, FileEstimate


def file(**facts):
    usual = {"source": "a.mov", "output": "a.mkv", "kind": "video", "size": "64x48", "frames": 10}
    return FileEstimate(**usual | facts)


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
    assert lines[1] == "a.mov -> a.mkv: video, 64x48, 10 frames, about 3 s"
    assert lines[2].startswith("2 files, 1 of them with a problem; measured on this machine: about 3 s")
