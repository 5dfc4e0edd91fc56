"""The noise that a job goes by: measured over time where it is correlated, with its spectrum also where it is given."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from photographs import grainy, noisy, panned

from reelprior.io.pictures import encode_png
from reelprior.io.probe import probe
from reelprior.io.scan import scan
from reelprior.models.noise import NoiseModel
from reelprior.pipeline.compression import SourceCoding
from reelprior.pipeline.noise import noise_of, sigma_8bit
from reelprior.pipeline.presets import load_settings


@pytest.fixture(scope="module")
def noise_told(tmp_path_factory):
    """The noise of frames in a folder, as a job with this ``--denoise`` has it."""

    def told(frames, denoise="auto", wanted=None, missing_of=lambda t: None):
        folder = tmp_path_factory.mktemp("frames")
        for number, frame in enumerate(frames):
            (folder / f"{number:04d}.png").write_bytes(encode_png(frame))
        index = scan(folder)
        coding = SourceCoding.of(probe(folder), index.quantisers, frames=len(index))
        settings = load_settings("denoise", options={"denoise": denoise})
        wanted = wanted or range(len(index))
        return noise_of(str(folder), index, wanted, settings, coding, missing_of=missing_of)

    return told


@pytest.fixture(scope="module")
def clean():
    return panned(6, 144, 160)


def test_grain_is_measured_over_time(noise_told, clean):
    noise, facts = noise_told(grainy(clean, 12, blur=1.0))
    assert sigma_8bit(noise) == pytest.approx(12, rel=0.1)
    assert noise.spectrum is not None and facts["spectrum"] == "measured"
    assert facts["sigma_8bit"] == pytest.approx(sigma_8bit(noise), abs=0.01) and facts["correlation"] > 0.3


def test_of_one_wanted_frame_too(noise_told, clean):
    noise, _ = noise_told(grainy(clean, 12, blur=1.0), wanted=range(2, 3))
    assert sigma_8bit(noise) == pytest.approx(12, rel=0.15)


@pytest.mark.parametrize(("given", "is_coloured"), [(10.0, True), (40.0, False)])
def test_noise_that_is_given_has_the_spectrum_of_what_is_there(noise_told, clean, given, is_coloured):
    """Unless what is there is something else: footage has a little noise of its own, which nobody asks about."""
    noise, facts = noise_told(grainy(clean, 12, blur=0.7), denoise=given)
    assert sigma_8bit(noise) == pytest.approx(given) and facts["measured"] is False
    assert (noise.spectrum is not None) == is_coloured


@pytest.mark.parametrize("denoise", ["auto", 12.0])
def test_white_noise_and_single_pictures_have_no_spectrum(noise_told, clean, denoise):
    noise, facts = noise_told(noisy(clean, 12), denoise)
    assert noise.spectrum is None and facts["spectrum"] == "white"
    assert noise_told(grainy(clean[:1], 12, blur=0.7), denoise)[0].spectrum is None


@pytest.mark.parametrize("denoise", ["auto", 12.0])
@pytest.mark.parametrize("frames", [1, 6])
def test_of_grey_footage_all_noise_is_luminance(noise_told, clean, denoise, frames):
    grey = np.repeat(noisy(clean[:frames, :1], 12), 3, axis=1)
    noise, facts = noise_told(grey, denoise)
    assert facts["spectrum"] == "grey"
    assert sigma_8bit(noise) == pytest.approx(12, rel=0.1)
    assert np.reshape(noise.spectrum, (3, 64)).mean(1) == pytest.approx([3, 0, 0])


def test_it_comes_back_from_a_job_directory_as_it_was(noise_told, clean):
    noise, _ = noise_told(grainy(clean, 12, blur=1.0))
    assert NoiseModel(**json.loads(json.dumps(asdict(noise)))) == noise


@pytest.mark.parametrize("frames", [slice(0, 1), slice(0, 6)])
@pytest.mark.parametrize("denoise", ["auto", "none"])
def test_what_a_mask_marks_is_not_measured(noise_told, clean, denoise, frames):
    missing = np.zeros(clean.shape[2:], bool)
    missing[::12], missing[:, ::16] = True, True
    spoilt = np.where(missing, np.float32(0), noisy(clean[frames], 8))
    noise, _ = noise_told(spoilt, denoise, missing_of=lambda t: missing)
    assert sigma_8bit(noise) == pytest.approx(8, rel=0.2)


def test_of_half_of_the_pixels_noise_is_measured_where_it_is_to_be_taken_off(noise_told, clean):
    missing = np.random.default_rng(2).random(clean.shape[2:]) < 0.5
    spoilt = np.where(missing, np.float32(0), noisy(clean[:1], 20))
    noise, _ = noise_told(spoilt, "auto", missing_of=lambda t: missing)
    assert sigma_8bit(noise) == pytest.approx(20, rel=0.2)
    noise, facts = noise_told(spoilt, "none", missing_of=lambda t: missing)
    assert sigma_8bit(noise) < 0.5 and not facts["measured"]
