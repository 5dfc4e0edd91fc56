"""The command line: what it prints, where, and with which exit status."""

import json
import tomllib

import numpy as np
import pytest

from reelprior.io.chunks import write_frames
from reelprior.pipeline import doctor


def test_help_lists_the_commands_of_this_version(run):
    outcome = run("--help")
    assert outcome.status == 0
    for command in ("restore", "demo", "probe", "presets", "doctor"):
        assert command in outcome.stdout


def test_version_is_one_line(run):
    outcome = run("--version")
    assert outcome.status == 0
    assert outcome.stdout.startswith("reelprior ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["restore"], "INPUT"),
        (["restore", "a.mkv", "b.mkv", "--wokers", "2"], "--wokers"),
        (["restore", "a.mkv", "b.mkv", "--workers", "0"], "--workers"),
        (["restore", "a.mkv", "b.mkv", "--workers", "two"], "--workers"),
        (["restore", "a.mkv", "b.mkv", "--log-level", "loud"], "--log-level"),
        (["restore", "a.mkv", "b.mkv", "--preset", "denois"], "unknown preset denois, did you mean denoise?"),
        (["restore", "a.mkv", "b.mkv", "--set", "fit.iteration=3"], "did you mean fit.iterations?"),
        (["restore", "a.mkv", "b.mkv", "--set", "seed"], "write key=value"),
        (["restore", "a.mkv", "b.mkv", "--denoise", "loud"], '"auto", "none" or a sigma'),
        (["restore", "a.mkv", "b.mkv", "--device", "tpu"], "--device tpu"),
        (["restore", "a.mkv", "b.mkv", "--frames", "3"], "write A:B"),
        (["restore", "a.mkv", "b.mkv", "--encoder-option", "crf"], "write key=value"),
        (["restored"], "restored"),
        (["presets", "denois"], "did you mean denoise?"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run, arguments, hint):
    outcome = run(*arguments)
    assert outcome.status == 2
    assert hint in outcome.error
    assert outcome.stdout == ""


def test_presets_are_listed_with_what_they_are_for(run):
    outcome = run("presets")
    assert outcome.status == 0
    assert any(line.startswith("denoise ") and len(line) > 30 for line in outcome.stdout.splitlines())


def test_a_preset_is_printed_as_toml_with_its_comments(run):
    outcome = run("presets", "denoise")
    assert "[fit]" in outcome.stdout
    assert "# " in outcome.stdout
    assert tomllib.loads(outcome.stdout)["denoise"] == "auto"


def test_a_preset_as_json_has_all_values(run):
    assert run("presets", "inpaint", "--json").json["chunk"]["frames"] == 32


def test_probe_tells_the_truth_about_a_clip(run, clip):
    facts = run("probe", clip, "--json").json
    assert (facts["frames"], facts["width"], facts["height"]) == (12, 64, 48)
    assert [stream["kind"] for stream in facts["streams"]] == ["audio"]
    assert facts["colour"]["matrix_is_assumed"] is True
    assert any("not tagged" in remark for remark in facts["remarks"])


def test_probe_recommends_denoising_for_noise_and_says_why(run, clip):
    facts = run("probe", clip, "--json").json
    assert facts["preset"] == "denoise"
    assert "noise of sigma" in facts["why"]


def test_probe_finds_the_scenes(run, tmp_path):
    dark, bright = (np.full((3, 48, 64), level, np.float32) for level in (0.2, 0.8))
    clip = tmp_path / "clip.mkv"
    write_frames(clip, [dark] * 4 + [bright] * 3)
    facts = run("probe", clip, "--json").json
    assert facts["scenes"] == [[0, 4], [4, 7]]
    assert facts["preset"] == "inpaint"
    assert "hardly any noise" in facts["why"]


def test_probe_prints_a_table_for_people(run, clip):
    outcome = run("probe", clip)
    assert outcome.status == 0
    rows = dict(line.split(maxsplit=1) for line in outcome.stdout.splitlines() if len(line.split()) > 1)
    assert rows["frames"] == "12"
    assert rows["codec"] == "ffv1"


def test_doctor_is_content_where_the_tests_run(run):
    outcome = run("doctor", "--json")
    facts = outcome.json
    assert outcome.status == 0
    assert facts["ok"]
    assert facts["codecs"]["ffv1"]
    assert any(device.startswith("cpu") for device in facts["devices"])


def test_doctor_names_what_is_missing(run, monkeypatch):
    monkeypatch.setattr(doctor, "_MODULES", (*doctor._MODULES, "no_such_module"))
    outcome = run("doctor")
    assert outcome.status == 4
    assert "no_such_module cannot be imported" in outcome.stdout


def test_a_traceback_is_for_debugging_only(run, tmp_path):
    arguments = ["restore", tmp_path / "missing.mkv", tmp_path / "out.mkv"]
    assert "Traceback" not in run(*arguments).stderr
    outcome = run(*arguments, "--log-level", "debug")
    assert outcome.status == 3
    assert "Traceback" in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("reelprior: ")


def test_a_defect_of_the_program_is_one_line_too(run, monkeypatch):
    monkeypatch.setattr(doctor, "versions", lambda: 1 / 0)
    outcome = run("doctor")
    assert outcome.status == 4
    assert "ZeroDivisionError" in outcome.error


def test_json_is_one_object(run):
    assert isinstance(json.loads(run("doctor", "--json").stdout), dict)
