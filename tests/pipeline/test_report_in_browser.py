"""The report in a real browser, at the width of a phone and of a desktop, by mouse and by keyboard."""

import cv2
import numpy as np
import pytest
from browser import DESKTOP, PHONE, browser_page, needs_chromium, open_browser, violations

from reelprior.pipeline.comparison import Blind, Comparison, FrameNumbers, Scores
from reelprior.pipeline.effort import FrameEffort
from reelprior.pipeline.report import write_report
from reelprior.pipeline.showcase import Picture

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Three frames of flat colours: dark before, bright after, so that a pixel tells which is on top."""
    shape = (3, 72, 128)

    def picture(label, index):
        dark, middle, bright = (np.full(shape, np.float32(level)) for level in (0.1, 0.5, 0.9))
        return Picture(label, index, index / 25, dark, bright, middle)

    comparison = Comparison(
        frames=tuple(
            FrameNumbers(i, 25.5, 20.0 + i, 30.0 + i, 28.0 + i, 24.0, 25.0, 1.5, 4.0, 20.0, 2.0, 5.0)
            for i in range(3)
        ),
        pictures=(picture("first", 0), picture("middle", 1), picture("worst", 2)),
        before=Scores(20.4, 0.4, 27.0),
        after=Scores(32.0, 0.9, 3.7),
        baseline=Scores(28.8, 0.8, 5.3),
        blind={name: Blind(1.0, 1.0, 1.0, 1.0, 1.0) for name in ("before", "after", "baseline")},
    )
    result = {
        "input": "films/a_very_long_name_without_any_space_in_it_" * 3 + ".mkv",
        "noise": {"sigma_8bit": 25.0},
        "settings": {"fit": {"iterations": 400}},
        "versions": {"torch": "2.13.0"},
    }
    path = tmp_path_factory.mktemp("report") / "report.html"
    efforts = [FrameEffort(i, 180, 0.1, 2.0) for i in range(3)]
    write_report(path, result=result, comparison=comparison, efforts=efforts)
    return path


def brightness(page, share):
    """Of the picture at a share of its width, 0 to 1, a quarter from the top."""
    shot = page.locator(".panel:not([hidden]) .stack").screenshot()
    pixels = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    height, width = pixels.shape[:2]
    return float(pixels[height // 4, int(share * width)].mean()) / 255


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_fits_and_everything_has_a_name(browser, report, size):
    with browser_page(browser, report, size) as page:
        assert violations(page) == []
        plots = page.locator("svg:visible")
        assert plots.count() == 5
        expected = "narrow" if size == PHONE else "wide"
        assert {plot.get_attribute("class") for plot in plots.all()} == {expected}


def test_dragging_moves_the_border_between_before_and_after(browser, report):
    with browser_page(browser, report, DESKTOP) as page:
        assert brightness(page, 0.25) == pytest.approx(0.1, abs=0.02)
        assert brightness(page, 0.75) == pytest.approx(0.9, abs=0.02)
        stack = page.locator(".panel:not([hidden]) .stack")
        stack.scroll_into_view_if_needed()
        box = stack.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 30, steps=4)
        page.mouse.up()
        assert brightness(page, 0.25) == pytest.approx(0.9, abs=0.02)
        slider = page.locator(".panel:not([hidden]) input[type=range]")
        assert slider.input_value() == "10"
        assert slider.get_attribute("aria-valuetext") == "10 % before"


def test_the_arrow_keys_move_the_border(browser, report):
    with browser_page(browser, report, PHONE) as page:
        slider = page.locator(".panel:not([hidden]) input[type=range]")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert slider.input_value() == "53"
        page.keyboard.press("End")
        assert slider.get_attribute("aria-valuetext") == "100 % before"
        assert brightness(page, 0.75) == pytest.approx(0.1, abs=0.02)


def test_the_whole_page_can_be_walked_with_the_tab_key(browser, report):
    with browser_page(browser, report, DESKTOP) as page:
        reached = []
        for _ in range(6):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
        assert reached[:5] == ["frame", "layer", "INPUT", "SUMMARY", "SUMMARY"]
        outline = page.evaluate(
            "getComputedStyle(document.querySelector('summary:focus') || document.body).outlineStyle"
        )
        assert outline in {"solid", "none"}


def test_another_frame_is_chosen_with_the_keyboard(browser, report):
    with browser_page(browser, report, DESKTOP) as page:
        page.locator("input[name=frame]").first.focus()
        page.keyboard.press("ArrowDown")
        assert (
            page.locator(".panel:not([hidden]) figcaption").first.inner_text().startswith("Frame 1, middle")
        )
        assert page.locator(".panel:not([hidden])").count() == 1


def test_the_cheap_filter_can_be_laid_over_the_result(browser, report):
    with browser_page(browser, report, DESKTOP) as page:
        page.get_by_role("radio", name="cheap filter").check()
        assert brightness(page, 0.25) == pytest.approx(0.5, abs=0.02)
        slider = page.locator(".panel:not([hidden]) input[type=range]")
        assert slider.get_attribute("aria-valuetext") == "50 % cheap filter"
        assert (
            page.locator(".panel:not([hidden]) .slider label")
            .inner_text()
            .startswith("cheap filter on the left")
        )
