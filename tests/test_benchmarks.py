"""The parts of the benchmarks that are arithmetic and text; what they measure takes minutes and is not tested here."""

import importlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import make_video

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """A module of the benchmarks, which are scripts of one folder and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def _render(table, figures, *, judged=True):
    sections = [
        table.Section("Things", figures, [table.Table(("clip", "dB"), [("one", "3.0")])], ["A note."])
    ]
    return table.render(sections, machine={"cores": "2"}, versions={"av": "1"}, command="c", judged=judged)


def test_a_figure_is_short_beyond_its_bound_and_passes_on_it(module):
    table = module("table")
    assert table.at_least("a", 33.0, 33.0).passed and not table.at_least("a", 32.99, 33.0).passed
    assert table.at_most("a", 0.05, 0.05).passed and not table.at_most("a", 0.06, 0.05).passed
    assert table.identical("a", True, what="2").passed and not table.identical("a", False, what="2").passed


def test_the_page_names_machine_versions_command_and_a_verdict_for_each_figure(module):
    table = module("table")
    figures = [
        table.at_least("PSNR", 33.456, 33.0, unit="dB"),
        table.at_most("growth", 12.0, 10, unit="%", digits=1),
    ]
    page = _render(table, figures)
    assert "`c`" in page and "cores 2" in page and "av 1" in page
    assert "| PSNR | 33.46 dB | at least 33 dB | PASS |" in page
    assert "| growth | 12.0 % | at most 10 % | short |" in page
    assert "### Things\n\n| clip | dB |\n| --- | ---: |\n| one | 3.0 |\n\nA note." in page


def test_a_shortened_run_is_not_judged(module):
    table = module("table")
    page = _render(table, [table.at_least("PSNR", 33.4, 33.0)], judged=False)
    assert "not judged" in page and "PASS" not in page


def test_a_table_with_a_row_of_another_length_is_refused(module):
    with pytest.raises(ValueError, match="3 cells under 2"):
        module("table").Table(("a", "b"), [("1", "2", "3")]).markdown()


def test_results_replace_what_stood_between_the_markers_of_a_page(module):
    table = module("table")
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.embed(page, "new\n")
    assert once == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"
    assert table.embed(once, "new\n") == once
    with pytest.raises(ValueError, match="once each"):
        table.embed("no markers", "new")


def test_the_page_of_the_benchmarks_has_its_markers(module):
    table = module("table")
    assert "new" in table.embed((BENCHMARKS / "README.md").read_text(encoding="utf-8"), "new")


def test_the_ratio_compares_the_reference_s_iterations_with_a_frame(module):
    # 200 ms x 1800 = 360 s against 2 s.
    assert module("reference").speed_ratio(200.0, 2.0) == pytest.approx(180.0)


def test_an_uneven_reference_says_that_something_else_was_running(module):
    times = module("reference").IterationTime
    assert (
        times(median=150.0, fastest=100.0).is_disturbed
        and not times(median=105.0, fastest=100.0).is_disturbed
    )


def test_a_written_clip_is_read_back_exactly(module, tmp_path):
    clips = module("clips")
    clip = np.random.default_rng(0).integers(0, 256, (3, 18, 22, 3), np.uint8)
    assert np.array_equal(clips.decode(clips.write(tmp_path / "clip.mkv", clip)), clip)


def test_a_clip_goes_there_and_back_without_a_jump(module):
    clip = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    longer = module("clips").there_and_back(clip, count=8)
    assert longer.ravel().tolist() == [0, 1, 2, 1, 0, 1, 2, 1]


def test_facts_of_a_file_tell_a_changed_chapter_tag_sound_or_time(module, tmp_path):
    facts_of = module("fidelity").facts_of
    usual = {"chapters": True, "subtitles": True, "metadata": {"title": "a"}, "time_base": Fraction(1, 25)}
    facts = facts_of(make_video(tmp_path / "a.mkv", frames=4, **usual))
    assert facts == facts_of(make_video(tmp_path / "b.mkv", frames=4, **usual))
    assert facts.audio and facts.subtitles and len(facts.times) == 4 and len(facts.chapters) == 2
    other = facts_of(
        make_video(
            tmp_path / "c.mkv",
            frames=4,
            **usual | {"chapters": False, "metadata": {"title": "b"}, "audio": "flac", "pts": (0, 1, 2, 4)},
        )
    )
    assert facts.chapters != other.chapters and facts.metadata != other.metadata
    assert facts.audio != other.audio and facts.times != other.times


def test_the_noise_that_is_added_is_the_noise_that_is_compared_with(module):
    noise = module("noise")
    clean = np.full((1, 3, 64, 64), 0.5, np.float32)
    added = noise.Added("sensor", (4.0, 8.0, 16.0), 0.002)
    measured = added.to(clean).std((0, 2, 3))
    # 4096 draws: a standard error of 1.1 %
    assert measured == pytest.approx(added.model().sigmas(0.5), rel=0.06)


def test_noise_is_measured_on_the_packaged_clips_where_there_is_no_other_footage(module, tmp_path):
    material = dict(module("noise")._material(tmp_path))
    assert {name: clip.shape for name, clip in material.items()} == {
        "carphone": (5, 3, 144, 176),
        "bikes": (5, 3, 136, 320),
        "bigbuckbunny": (5, 3, 180, 320),
    }


def test_a_part_that_fails_costs_no_other_part(module, tmp_path, monkeypatch, capsys):
    run, table = module("run"), module("table")
    whole = table.Section("Things", [table.at_least("a thing", 1, 0)])

    class Whole:
        measure = staticmethod(lambda session: whole)

    class Broken:
        @staticmethod
        def measure(session):
            raise KeyError("gone")

    monkeypatch.setattr(
        run.sys, "argv", ["run.py", "--output", str(tmp_path), "--only", "noise", "--only", "film"]
    )
    monkeypatch.setattr(run, "BENCHMARKS", {"film": "whole", "noise": "broken"})
    monkeypatch.setattr(run.importlib, "import_module", {"whole": Whole, "broken": Broken}.get)
    assert run.main() == 1
    page = (tmp_path / "results.md").read_text()
    assert "Did not run: KeyError('gone')" in page
    assert "a thing" in page
    assert "gone" in capsys.readouterr().err
