"""What a person sees while a job runs."""

import io

from rich.console import Console

from reelprior.pipeline.progress import TerminalDisplay
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


def test_nothing_is_shown_where_nobody_watches(capsys):
    console = set_up_logging("warning")
    with make_display(console, quiet=False) as display:
        display.phase("restoring", frames=24)
        display.update(3)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
