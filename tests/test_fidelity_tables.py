"""What the page of fidelity promises: the tables' own measurements, on the parts that take seconds."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """A module of the benchmarks, which are scripts of one folder and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_every_pixel_format_comes_through_within_one_code_and_unchanged_is_bit_exact(module, tmp_path):
    section = module("formats").measure(tmp_path)
    assert all(figure.passed for figure in section.figures), section.tables[0].markdown()


@pytest.mark.parametrize(
    "case", ["23.976 (24000/1001)", "variable frame rate", "begins before zero", "one frame"]
)
@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_times_and_sound_are_those_of_the_source(module, tmp_path, case, target):
    timing, sources = module("timing"), module("sources")
    suffix, arguments = timing.CASES[case]
    source = sources.make_film(tmp_path / f"a{suffix}", audio="aac", **arguments)
    module("containers").copy_film(source, tmp_path / target)
    same, words = timing.compare(source, tmp_path / target)
    assert same, words


@pytest.mark.slow
def test_every_stream_is_kept_or_refused_before_the_work_in_every_container(module, tmp_path):
    section = module("containers").measure(tmp_path)
    assert section.figures[0].passed, "\n".join(table.markdown() for table in section.tables)
    assert len(section.tables[0].rows) > 90  # encoders of the wheel that all of this was made with


@pytest.mark.parametrize("codec", ["alac", "flac", "pcm_s16le"])
def test_the_last_packet_of_sound_without_durations_arrives_in_mp4(module, tmp_path, codec):
    sources, containers = module("sources"), module("containers")
    source = sources.make_film(tmp_path / "a.mkv", audio=codec)
    assert containers.verdict(source, tmp_path / "b.mp4") in ("kept", "refused")
    assert (containers.verdict(source, tmp_path / "b.mp4") == "refused") == codec.startswith("pcm")
