"""The index page of a batch: what it lists, and that it filters in a real browser without a network."""

import pytest
from browser import DESKTOP, PHONE, browser_page, needs_chromium, open_browser, violations

from reelprior.io.errors import OutputError
from reelprior.pipeline.index_page import BatchRow, write_index

ROWS = (
    BatchRow("reel 1/a & b.mkv", "done", 812.34, "better", "reports/a & b #1.html", {"PSNR after": 31.2345}),
    BatchRow(
        "reel 1/" + "long_name_" * 12 + ".mkv", "done", 9.0, "", None, {"gain": 1.5, "PSNR after": None}
    ),
    BatchRow("reel 2/c.mkv", "failed", 3.0, "c.mkv: the file is empty: check that it is complete"),
    BatchRow("reel 2/<script>.mkv", "queued"),
    BatchRow("reel 2/d.mkv", "skipped", None, "unchanged since the last run"),
)


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "index.html"
    write_index(path, ROWS, title="tapes", note="Written at noon.")
    return path


def test_every_file_is_there_with_its_state_and_the_counts_are_on_top(index):
    text = index.read_text(encoding="utf-8")
    assert text.count("data-state=") == len(ROWS)
    assert "1 failed, 1 queued, 2 done, 1 skipped. Written at noon." in text
    assert "unchanged since the last run" in text


def test_names_are_escaped_and_links_are_quoted(index):
    text = index.read_text(encoding="utf-8")
    assert "reel 2/&lt;script&gt;.mkv" in text
    assert '<a href="reports/a%20%26%20b%20%231.html">reel 1/a &amp; b.mkv</a>' in text


def test_every_score_that_a_file_has_is_a_column(index):
    text = index.read_text(encoding="utf-8")
    assert '>PSNR after</th><th scope="col" role="columnheader">gain</th>' in text
    assert '<td role="cell" class="number" data-name="PSNR after">31.23</td>' in text


def test_an_empty_batch_is_a_page_too(tmp_path):
    write_index(tmp_path / "index.html", [], title="nothing")
    assert "nothing: 0 files" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_an_index_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"index\.html"):
        write_index(tmp_path / "missing" / "index.html", ROWS, title="tapes")


@needs_chromium
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_fits_and_everything_has_a_name(browser, index, size):
    with browser_page(browser, index, size) as page:
        assert violations(page) == []


@needs_chromium
def test_states_and_words_filter_the_files_by_keyboard(browser, index):
    with browser_page(browser, index, DESKTOP) as page:
        status = page.get_by_role("status")
        assert status.inner_text() == "5 of 5 shown"
        page.keyboard.press("Tab")  # the first box: failed
        page.keyboard.press("Space")
        assert status.inner_text() == "4 of 5 shown"
        assert not page.get_by_text("the file is empty").is_visible()
        page.get_by_label("Name or message contains").focus()
        page.keyboard.type("REEL 2")
        assert status.inner_text() == "2 of 5 shown"
        assert page.locator("tbody tr:visible").count() == 2
