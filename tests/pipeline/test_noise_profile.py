"""Noise profile files: written and read back, interpolated over ISO values, refused in one line, used by commands."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import TINY

from reelprior.io.errors import OutputError
from reelprior.models.noise import NoiseModel
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.noise_profile import load_profile, save_profile

SENSOR = NoiseModel((0.001, 0.002, 0.003), (1e-4, 2e-4, 3e-4), clipped=True)


def written(folder, text):
    path = folder / "sensor.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(folder, text):
    path = written(folder, text)
    with pytest.raises(UsageError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert path in message and "\n" not in message
    return message


variances = st.floats(1e-7, 0.2)


@given(st.tuples(variances, variances, variances), st.tuples(variances, variances, variances), st.booleans())
def test_a_profile_comes_back_as_it_was_written(tmp_path_factory, gain, offset, clipped):
    path = str(tmp_path_factory.mktemp("profile") / "p.toml")
    save_profile(path, NoiseModel(gain, offset, clipped), source="a.mkv", overwrite=False)
    read = load_profile(path).at()
    # six digits are written
    assert read.gain == pytest.approx(gain, rel=1e-5) and read.offset == pytest.approx(offset, rel=1e-5)
    assert read.clipped == clipped


def test_a_written_profile_says_what_its_numbers_mean(tmp_path):
    path = tmp_path / "p.toml"
    noise = NoiseModel.from_sigma_8bit(5)
    save_profile(str(path), noise, source="tape.mov", remarks=("Grain.",), overwrite=False)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Noise measured on tape.mov\n# Grain.\n") and "squared 8-bit grey levels" in text
    assert tomllib.loads(text) == {"gain": [0.0] * 3, "offset": [25.0] * 3, "clipped": False}


def test_an_existing_profile_is_replaced_on_request_only(tmp_path):
    path = written(tmp_path, "old")
    with pytest.raises(OutputError, match="--overwrite"):
        save_profile(path, SENSOR, source="a.mkv", overwrite=False)
    save_profile(path, SENSOR, source="a.mkv", overwrite=True)
    assert load_profile(path).plain is not None


def test_one_number_stands_for_all_channels(tmp_path):
    assert load_profile(written(tmp_path, "offset = 65.025")).at() == NoiseModel(0.0, 65.025 / 255**2)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("gain = [1, 2", "not valid TOML"),
        ("gain = 3", "offset is missing"),
        ("offset = [1, 2]", "offset: must be a number, or one each for red, green and blue, and is [1, 2]"),
        ('offset = "loud"', "and is 'loud'"),
        ("offset = -3", "offset = -3: the variance at black"),
        ("offset = 4\ngain = -9", "give a gain of -4 or more"),
        ("offset = nan", "offset"),
        ("sigma = 3", "unknown key sigma; the keys are gain, offset, clipped"),
        ('offset = 3\nclipped = "maybe"', "clipped: must be true or false, and is 'maybe'"),
        ("[iso.fast]\noffset = 3", "iso.fast: an ISO value is a number above 0"),
        ("[iso.100]\ngain = 3", "iso.100.offset is missing"),
        ("[iso.100]\noffset = 3\nloud = 1", "unknown key iso.100.loud"),
        ("[iso.100]\noffset = -1", "iso.100.offset = -1"),
        ("iso = 100\noffset = 3", "write [iso.800]"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_in_one_line(tmp_path, text, hint):
    assert hint in refusal(tmp_path, text)


def test_a_profile_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        load_profile(str(tmp_path / "none.toml"))


ISO = "[iso.100]\ngain = 10\noffset = 2\n[iso.400]\ngain = 40\noffset = 20\nclipped = true\n"


def test_between_two_iso_values_the_noise_is_interpolated(tmp_path):
    at = load_profile(written(tmp_path, ISO)).at(200)
    assert [gain * 255**2 for gain in at.gain] == pytest.approx([20.0] * 3)
    assert [offset * 255**2 for offset in at.offset] == pytest.approx([8.0] * 3)


def test_beyond_the_iso_values_of_a_file_the_nearest_counts(tmp_path):
    profile = load_profile(written(tmp_path, ISO))
    assert profile.at(25) == profile.at(100) and profile.at(6400) == profile.at(400)


def test_without_an_iso_value_the_numbers_above_the_tables_count(tmp_path):
    assert load_profile(written(tmp_path, "offset = 3\n" + ISO)).at().offset == pytest.approx(3 / 255**2)
    with pytest.raises(UsageError, match="tables for ISO 100, 400"):
        load_profile(written(tmp_path, ISO)).at()


def test_the_only_table_needs_no_iso_value(tmp_path):
    assert load_profile(written(tmp_path, "[iso.800]\noffset = 9")).at().offset == pytest.approx(9 / 255**2)


# --- commands


def test_probe_tells_the_noise_of_each_channel_and_writes_the_profile(run, clip, tmp_path):
    path = tmp_path / "tape.toml"
    noise = run("probe", clip, "--json", "--noise-profile", path).json["noise"]
    assert noise["kind"] in {"constant", "poisson-gaussian"} and noise["measured"] is True
    assert len(noise["sigma_8bit_red_green_blue"]) == 3
    assert [255 * sigma for sigma in load_profile(str(path)).at().sigmas()] == pytest.approx(
        noise["sigma_8bit_red_green_blue"], abs=0.01
    )
    assert "--overwrite" in (again := run("probe", clip, "--noise-profile", path)).error and again.status == 5


def test_restore_takes_a_profile_and_says_so(run, clip, tmp_path):
    profile = written(tmp_path, "gain = 40\noffset = [80, 100, 120]\nclipped = true\n")
    facts = run(
        "restore", clip, tmp_path / "r.mkv", *TINY, "--frames", "0:2", "--denoise", profile, "--json"
    ).json
    assert facts["noise"]["measured"] is False and facts["noise"]["clipped"] is True
    # variances at mid-grey 100, 120, 140
    assert facts["noise"]["sigma_8bit"] == pytest.approx(120**0.5, abs=0.01)


def test_restore_refuses_a_bad_profile_in_one_line(run, clip, tmp_path):
    outcome = run("restore", clip, tmp_path / "r.mkv", "--denoise", written(tmp_path, "offset = -1"))
    assert outcome.status == 2 and "offset = -1" in outcome.error
