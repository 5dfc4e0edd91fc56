"""What a person sees while a job runs."""

import io

import pytest
from rich.console import Console

from reelprior.pipeline.progress import LineDisplay, TerminalDisplay, readable_time
from reelprior.pipeline.terminal import make_display, set_up_logging


def test_the_bar_shows_frames_speed_and_loss():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with TerminalDisplay(console) as display:
        display.phase("restoring", frames=24)
        display.update(3.5, loss=0.00125)
        display.update(6, loss=0.00125)
        display._progress.refresh()
    shown = console.file.getvalue()
    assert "restoring" in shown
    assert "6/24 frames" in shown
    assert "frames/s" in shown
    assert "loss 1.25e-03" in shown


@pytest.fixture
def said(monkeypatch, capsys):
    """What a job of a minute and a half says on stderr, which is no terminal here."""

    def show(level, *, quiet=False):
        seconds = iter(range(0, 1000, 30))
        monkeypatch.setattr(LineDisplay.__init__, "__kwdefaults__", {"clock": lambda: next(seconds)})
        with make_display(set_up_logging(level), quiet=quiet) as display:
            display.phase("restoring", frames=24, seconds=100)
            for done in (0, 6, 12):
                display.update(done)
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return show


def test_where_nobody_watches_errors_and_warnings_are_all_that_is_said_unless_more_is_asked_for(said):
    assert said("warning") == ""
    assert said("info", quiet=True) == ""
    lines = said("info").splitlines()
    assert lines[0] == "reelprior: info: restoring: about 100 s"
    assert lines[-1] == "reelprior: info: restoring: 12/24 frames, 5.00 s/frame, 60 s left"


@pytest.fixture
def logged():
    """What a display for logs says of updates at given seconds."""

    def show(updates, **phase):
        now, lines = [0.0], []
        with LineDisplay(lines.append, clock=lambda: now[0]) as display:
            display.phase("restoring", **phase)
            for second, done in updates:
                now[0] = second
                display.update(done)
        return lines

    return show


def test_a_long_job_says_in_a_log_how_far_it_is_how_fast_and_how_long_it_will_take(logged):
    assert logged([(1, 0), (31, 10), (40, 13)], frames=100) == [
        "restoring: 10/100 frames, 3.00 s/frame, 4.5 minutes left"
    ]
    assert logged([(31, 2)], frames=7, unit="files") == ["restoring: 2/7 files"]
    assert logged([], frames=6, unit="tiles", seconds=200) == ["restoring: about 3.3 minutes"]


def test_frames_that_an_earlier_run_restored_do_not_count_as_fast(logged):
    assert logged([(1, 50), (41, 60)], frames=100) == [
        "restoring: 60/100 frames, 4.00 s/frame, 2.7 minutes left"
    ]


def test_a_job_of_days_writes_a_line_every_ten_minutes(logged):
    day = 24 * 3600
    lines = logged([(second, second / 100) for second in range(0, day, 5)], frames=10 * day)
    assert 144 <= len(lines) <= 144 + 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59, "59 s"),
        (119, "119 s"),
        (600, "10.0 minutes"),
        (9000, "2.5 hours"),
        (1e6, "11.6 days"),
    ],
)
def test_a_duration_is_said_in_the_unit_that_people_would_choose(seconds, text):
    assert readable_time(seconds) == text
