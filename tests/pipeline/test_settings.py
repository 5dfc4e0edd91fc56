"""Settings: what is refused, and in which words."""

import pytest
from pydantic import BaseModel

from reelprior.models.settings import EngineSettings
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.settings import Settings, setting_keys, validate_settings


def refusal(tree):
    with pytest.raises(UsageError) as caught:
        validate_settings(tree, where=lambda _key: "here")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_key_names_the_nearest_and_lists_its_group():
    message = refusal({"fit": {"iteration": 5}})
    assert message.startswith("here: unknown key fit.iteration, did you mean fit.iterations?")
    assert "the keys of [fit] are iterations" in message


def test_a_key_without_its_group_is_recognised():
    assert "unknown key iterations, did you mean fit.iterations?" in refusal({"iterations": 5})


def test_an_unknown_group_names_the_nearest():
    assert "unknown key chunks, did you mean chunk?" in refusal({"chunks": {"frames": 3}})


def test_a_wrong_value_names_key_value_and_what_is_allowed():
    assert refusal({"chunk": {"frames": 0}}) == (
        "here: chunk.frames = 0: should be greater than or equal to 1"
    )


def test_a_wrong_word_names_the_words_that_are_allowed():
    message = refusal({"compute": {"device": "tpu"}})
    assert "compute.device = 'tpu'" in message
    assert "cuda" in message


def test_a_group_given_a_value_lists_its_keys():
    assert "fit is a group of settings; its keys are iterations" in refusal({"fit": 3})


@pytest.mark.parametrize("wrong", ["loud", 0, -3, 300, True])
def test_a_noise_that_is_none_is_refused(wrong):
    assert f'denoise = {wrong!r}: must be "auto", "none" or a sigma above 0' in refusal({"denoise": wrong})


@pytest.mark.parametrize(
    ("given", "understood"),
    [("auto", "auto"), ("none", "none"), ("25", 25.0), (7, 7.0), ("x/sensor.toml", "x/sensor.toml")],
)
def test_a_noise_is_a_word_a_sigma_or_a_profile(given, understood):
    assert validate_settings({"denoise": given}, where=lambda _key: "here").denoise == understood


def test_settings_are_the_engine_settings_and_more():
    assert issubclass(Settings, EngineSettings)
    assert set(EngineSettings.model_fields) < set(Settings.model_fields)


def test_settings_survive_json():
    settings = Settings(seed=3, denoise=12.5)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 1


def test_every_key_has_a_dotted_name():
    values = Settings()
    for key in setting_keys():
        group, _, name = key.rpartition(".")
        holder = getattr(values, group) if group else values
        assert not isinstance(getattr(holder, name), BaseModel), f"{key} has keys of its own"


def test_the_handle_is_the_widest_fusion_of_the_passes_that_are_made():
    fusion = {"radius": 2, "second_radius": 6}
    for passes, handle in [(1, 2), (2, 6)]:
        settings = Settings.model_validate({"fusion": fusion, "temporal": {"passes": passes}})
        assert settings.handle_frames == handle


def test_the_handle_reaches_for_holes_as_far_as_the_rounds_carry():
    for rounds, handle in [(1, 4), (2, 8), (3, 10)]:
        fusion = {"radius": 4, "hole_rounds": rounds, "hole_reach": 10}
        assert Settings.model_validate({"fusion": fusion}).handle_frames == handle
