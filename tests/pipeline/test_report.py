"""The report: one file that fetches nothing, says what it shows, and works in a browser."""

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from reelprior.io.errors import OutputError
from reelprior.pipeline.comparison import Blind, Comparison, FrameNumbers, Scores
from reelprior.pipeline.effort import FrameEffort
from reelprior.pipeline.plots import Line, line_plot
from reelprior.pipeline.report import Finding, write_report
from reelprior.pipeline.showcase import Picture

RESULT = {
    "input": "films/a <b> & c.mkv",
    "output": "out.mkv",
    "frames": 3,
    "seconds": 12.3456789,
    "seconds_per_frame": 4.1,
    "streams": ["audio aac (en)", "subtitle subrip"],
    "colour": "BT.601, limited range (assumed)",
    "noise": {"sigma_8bit": 25.0, "measured": False},
    "report": None,
    "psnr_before": 20.4,
    "settings": {"denoise": 25.0, "fit": {"iterations": 400, "warm": True}},
    "versions": {"torch": "2.13.0"},
}


class Page(HTMLParser):
    """The elements of a page as (tag, attributes), and its visible text."""

    def __init__(self, text):
        super().__init__()
        self.source, self.elements, self.text = text, [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def picture(label, index, change=0.1, shape=(3, 18, 32)):
    before = np.random.default_rng(index).random(shape, dtype=np.float32) * 0.8
    return Picture(label, index, index / 25, before, before + np.float32(change), before * np.float32(0.9))


@pytest.fixture
def comparison():
    """Three frames with a reference and a cheap filter."""
    return Comparison(
        frames=tuple(
            FrameNumbers(i, 25.5, 20.0 + i, 30.0 + i, 28.0 + i, 24.0, 25.0, 1.5, 4.0, missing=0.1 * (i > 0))
            for i in range(3)
        ),
        pictures=(picture("first", 0), picture("middle", 1), picture("worst", 2)),
        before=Scores(20.4321, 0.41234, 26.98),
        after=Scores(31.9876, 0.91234, 3.712),
        baseline=Scores(28.7654, 0.81234, 5.25),
        blind={
            "before": Blind(25.0, 20.0, 25.0, float("nan"), float("nan")),
            "after": Blind(1.5, 2.0, 0.5, 0.1, 0.05),
            "baseline": Blind(4.0, 5.0, 2.0, 0.5, 0.2),
        },
    )


@pytest.fixture
def page(tmp_path, comparison):
    path = tmp_path / "report.html"
    write_report(path, result=RESULT, comparison=comparison)
    return Page(path.read_text(encoding="utf-8"))


def test_nothing_on_the_page_is_fetched(page):
    assert not page.all("link")
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    script_and_style = page.text
    assert "@import" not in script_and_style
    assert "url(http" not in script_and_style


def test_every_picture_has_an_alternative_text_and_its_size(page):
    images = page.all("img")
    assert len(images) == 12  # before, cheap filter, after and difference of three frames
    assert all(image["alt"] and image["width"] == "32" and image["height"] == "18" for image in images)
    assert {image["alt"] for image in images} >= {"Frame 2 before restoration", "Frame 2 after restoration"}


def test_every_control_has_a_label(page):
    labels = {attributes.get("for") for attributes in page.all("label")}
    ranges = [a for a in page.all("input") if a["type"] == "range"]
    assert len(ranges) == 3
    assert all(control["id"] in labels for control in ranges)
    # Radio buttons stand inside their labels.
    assert [a["value"] for a in page.all("input") if a.get("name") == "frame"] == ["0", "1", "2"]
    assert [a["value"] for a in page.all("input") if a.get("name") == "layer"] == ["before", "baseline"]


def test_ids_are_unique_and_every_reference_to_one_exists(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("for", "aria-labelledby", "xlink:href"):
            if name in attributes:
                assert attributes[name].removeprefix("#") in ids


def test_the_title_and_the_facts_are_escaped(page):
    assert "a <b> & c.mkv: before and after restoration" in page.text
    assert not page.all("b")


def test_the_facts_are_those_of_the_json(page):
    rows = re.sub(r"\s+", " ", page.text)
    for fact in (
        "12.3457",
        "sigma_8bit 25, measured no",
        "audio aac (en), subtitle subrip",
        "BT.601, limited range (assumed)",
        "fit.iterations",
        "yes",
    ):
        assert fact in rows
    assert '<th scope="row">Noise</th>' in page.source
    assert '<th scope="row">Report</th>' not in page.source  # None: what is not known is left out
    assert '<th scope="row">Psnr before</th>' not in page.source  # it stands among the scores


def test_the_scores_are_rounded_and_have_units(page):
    assert all(text in page.text for text in ("20.43 dB", "31.99 dB", "0.9123", "3.71 grey levels"))


def test_the_difference_is_amplified_around_mid_grey_and_says_how_much(tmp_path, comparison):
    """A change of 0.1 leaves room for a factor of 4: 0.5 + 0.4 = 230 of 255."""
    path = tmp_path / "report.html"
    write_report(path, result=RESULT, comparison=comparison)
    page = Page(path.read_text(encoding="utf-8"))
    assert "amplified 4 times; mid-grey means no change" in page.text
    difference = next(a for a in page.all("img") if "Difference" in a["alt"])
    kind, _, encoded = difference["src"].partition(";base64,")
    assert kind == "data:image/png"
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    assert np.unique(pixels).tolist() == [230]


@pytest.mark.parametrize(
    ("change", "amplification"),
    [
        (0.0, "amplified 32 times;"),
        (0.01, "amplified 32 times;"),
        (0.02, "amplified 16 times;"),
        (0.3, "not amplified;"),
        (0.9, "not amplified;"),
    ],
)
def test_amplification_is_a_power_of_two_that_fits(tmp_path, change, amplification):
    frames = (FrameNumbers(0, 255 * change),)
    one = Picture("first", 0, 0.0, np.zeros((3, 4, 4), np.float32), np.full((3, 4, 4), np.float32(change)))
    write_report(tmp_path / "r.html", result=RESULT, comparison=Comparison(frames, (one,)))
    assert amplification in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_large_pictures_are_jpeg_and_the_page_says_so(tmp_path):
    frames = (FrameNumbers(0, 1.0),)
    large = picture("first", 0, shape=(3, 720, 1280))
    write_report(tmp_path / "r.html", result=RESULT, comparison=Comparison(frames, (large,)))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 4
    assert "as JPEG of high quality" in text


def test_without_a_reference_no_quality_is_claimed(tmp_path):
    frames = tuple(FrameNumbers(i, 10.0 + i, residual=12.0 + i) for i in range(3))
    write_report(tmp_path / "r.html", result=RESULT, comparison=Comparison(frames, (picture("first", 0),)))
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "nobody can tell which is nearer to the truth" in page.text
    assert "Against the reference" not in page.text
    assert not [a for a in page.all("input") if a.get("name") == "frame"]  # one frame needs no choice
    labels = [a.get("aria-label", "") for a in page.all("svg")]
    assert any(
        "removed 12.00 to 14.00 grey levels; the noise it went by 25.00 to 25.00" in label for label in labels
    )


def test_the_page_begins_with_the_statement_and_has_the_cheap_filter_beside_the_result(page):
    assert page.text.index("dB nearer than a cheap filter") < page.text.index("Before and after")
    cells = re.findall(r'<td role="cell" data-name="cheap filter">([^<]*)</td>', page.source)
    assert cells == [
        "28.77 dB",
        "0.8123",
        "5.25 grey levels",
        "4.00 grey levels",
        "5.00 grey levels",
        "2.00 grey levels",
        "0.50",
        "0.20",
    ]


def test_defects_that_were_found_are_listed_with_what_the_mask_marks(tmp_path, comparison):
    path = tmp_path / "report.html"
    found = [Finding("Scratch", 2, "a line at x = 17")]
    write_report(path, result=RESULT, comparison=comparison, findings=found)
    source = path.read_text(encoding="utf-8")
    assert '<th scope="row">Scratch</th><td>2</td><td>a line at x = 17</td>' in source
    assert (
        "Marked as missing by the mask</th><td>2</td><td>10 % of the pixels there, at most 10 %</td>"
        in source
    )


def test_there_is_a_plot_of_every_quantity_that_is_known(tmp_path, comparison):
    path = tmp_path / "report.html"
    efforts = [FrameEffort(i, 180, 0.1, 2.0 + i) for i in range(3)]
    write_report(path, result=RESULT, comparison=comparison, efforts=efforts)
    page = Page(path.read_text(encoding="utf-8"))
    titles = re.findall("<h3>(.*?)</h3>", page.source)
    assert titles == ["PSNR of each frame", "What was removed", "Noise of each frame", "Time for each frame"]
    assert "180 steps of the engine per frame" in page.text
    labels = [a["aria-label"] for a in page.all("svg")]
    assert "Time for each frame: seconds 2.00 to 4.00 s" in labels
    spans = "before 20.00 to 22.00 dB; cheap filter 28.00 to 30.00 dB; restored 30.00 to 32.00 dB"
    assert f"PSNR of each frame: {spans}" in labels


def test_a_report_replaces_an_older_one_and_leaves_nothing_beside_it(tmp_path, comparison):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(path, result=RESULT, comparison=comparison)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_is_an_output_error(tmp_path, comparison):
    with pytest.raises(OutputError, match=r"report\.html"):
        write_report(tmp_path / "missing" / "report.html", result=RESULT, comparison=comparison)


def test_a_plot_is_well_formed_and_takes_its_colours_from_the_page():
    lines = [
        Line("before", [20.0, float("inf"), 21.0], "before", "--"),
        Line("after", [30.0] * 3, "after"),
    ]
    svg = line_plot(
        [0, 1, 2], lines, name="p", kind="wide", y_label="dB", description='the "plot"', size=(400, 200)
    )
    root = ET.fromstring(svg)
    assert root.attrib["aria-label"] == 'the "plot"'
    assert "width" not in root.attrib
    assert root.attrib["viewBox"] == "0 0 400 200"
    assert "var(--before)" in svg
    assert "var(--after)" in svg
    assert "currentColor" in svg
    assert "#0101" not in svg


def test_a_plot_is_the_same_every_time():
    arguments = {"name": "p", "kind": "wide", "y_label": "dB", "description": "d", "size": (400.0, 200.0)}
    first, second = (line_plot(range(5), [Line("after", range(5), "after")], **arguments) for _ in range(2))
    assert first == second
