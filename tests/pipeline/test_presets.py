"""Presets: those that ship are complete and commented; those of users are refused in one line."""

import tomllib

import pytest

from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.presets import load_settings, preset_names, preset_summary, preset_text
from reelprior.pipeline.settings import Settings, setting_keys


def refusal(preset="denoise", **changes):
    with pytest.raises(UsageError) as caught:
        load_settings(preset, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_presets_of_this_version_are_there():
    assert {"denoise", "inpaint", "reference"} <= set(preset_names())
    assert "batch" not in preset_names(), "an example of a job file is no preset"


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_valid_and_says_what_it_is_for(preset):
    load_settings(preset)
    assert len(preset_summary(preset)) > 20


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_comments_every_key_it_sets(preset):
    lines = preset_text(preset).splitlines()
    keys = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    assert keys
    for number in keys:
        assert lines[number - 1].startswith("# "), f"{preset}: {lines[number]} has no comment above it"


def test_the_default_preset_spells_out_every_default():
    tree = tomllib.loads(preset_text("denoise"))
    spelt_out = {
        f"{group}.{key}" if isinstance(value, dict) else group
        for group, value in tree.items()
        for key in (value if isinstance(value, dict) else [group])
    }
    assert spelt_out == set(setting_keys())
    assert load_settings("denoise") == Settings()


def test_an_unknown_preset_names_the_nearest_and_lists_all():
    message = refusal("denois")
    assert message.startswith("unknown preset denois, did you mean denoise? there are ")
    assert "inpaint" in message


def test_a_preset_file_of_the_user_is_read(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("# Mine.\nseed = 5\n")
    assert load_settings(str(mine)).seed == 5


def test_a_missing_preset_file_is_named(tmp_path):
    assert "mine.toml cannot be read: No such file" in refusal(str(tmp_path / "mine.toml"))


def test_a_preset_file_that_is_not_toml_is_refused(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("seed: 5\n")
    assert "mine.toml is not valid TOML" in refusal(str(mine))


def test_a_preset_file_with_an_unknown_key_is_named(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("sede = 5\n")
    assert "mine.toml: unknown key sede, did you mean seed?" in refusal(str(mine))


def test_set_takes_toml_values_and_bare_words():
    settings = load_settings("denoise", overrides=["chunk.frames=12", "compute.device=cpu", 'denoise="none"'])
    assert (settings.chunk.frames, settings.compute.device, settings.denoise) == (12, "cpu", "none")


def test_a_later_set_wins_and_an_option_wins_over_all():
    settings = load_settings("denoise", overrides=["seed=1", "seed=2", "chunk.fade=1"], options={"seed": 3})
    assert (settings.seed, settings.chunk.fade) == (3, 1)


def test_the_message_names_the_set_that_is_wrong():
    message = refusal(overrides=["seed=1", "chunk.frame=3"])
    assert message.startswith("--set chunk.frame=3: unknown key chunk.frame, did you mean chunk.frames?")


def test_two_sets_may_be_wrong_one_by_one_and_right_together():
    sets = ["network.channels=[8,8]", "network.skip_channels=[4,4]"]
    assert load_settings("denoise", overrides=sets).network.channels == (8, 8)
    message = refusal(overrides=sets[:1])
    assert message.startswith("--set network.channels=[8,8]: network: skip_channels has 3 entries")


@pytest.mark.parametrize("wrong", ["seed", "=3", "seed="])
def test_set_without_key_or_value_is_refused(wrong):
    assert "write key=value" in refusal(overrides=[wrong])


def test_set_below_a_single_value_is_refused():
    assert "unknown key seed.x" in refusal(overrides=["seed.x=3"])


def test_the_message_names_the_option_that_is_wrong():
    assert refusal(options={"denoise": "loud"}).startswith("--denoise loud: denoise = 'loud': must be")
