"""Collaborative filtering: patches of a clip denoise each other, and the pilot says how much."""

from dataclasses import replace

import numpy as np
import pytest
from photographs import grainy, noisy, panned, psnr

from reelprior.models import collaborative
from reelprior.models.clip import Clip
from reelprior.models.collaborative import collaborate
from reelprior.models.device import Compute
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping
from reelprior.models.settings import CollaborativeSettings, ComputeSettings
from reelprior.models.spatial import quick_denoise

SIGMA_8BIT = 25


@pytest.fixture(scope="module")
def clean():
    return panned(5, 45, 62)


def filtered(frames, pilots, *, missing=None, done=None, around_pilot=False, **settings):
    noise = detect_clipping(NoiseModel.from_sigma_8bit(SIGMA_8BIT), frames)
    return collaborate(
        Clip(frames, missing, noise),
        pilots,
        noise,
        settings=CollaborativeSettings(**settings),
        compute=Compute(ComputeSettings(device="cpu")),
        on_frame=(lambda count: None) if done is None else done.append,
        around_pilot=around_pilot,
    )


def quick(frames):
    return np.stack([quick_denoise(frame, sigma=SIGMA_8BIT / 255) for frame in frames])


def test_it_takes_away_more_noise_than_the_pilot_it_was_given(clean):
    frames = noisy(clean, SIGMA_8BIT)
    pilots = quick(frames)
    assert psnr(filtered(frames, pilots), clean) > psnr(pilots, clean) + 1


def test_noise_of_a_known_spectrum_is_taken_away_where_it_is(clean):
    """Coarse noise passes a filter that takes it for white."""
    frames = grainy(clean, 12, blur=0.7)
    white = NoiseModel.from_sigma_8bit(12)
    along = np.exp(-np.square(2 * np.pi * np.arange(8) / 16 * 0.7))
    spectrum = np.outer(along, along) / along.mean() ** 2
    of_white, of_grain = (
        collaborate(
            Clip(frames, None, noise),
            np.stack([quick_denoise(frame, sigma=12 / 255) for frame in frames]),
            noise,
            settings=CollaborativeSettings(),
            compute=Compute(ComputeSettings(device="cpu")),
            on_frame=lambda count: None,
        )
        for noise in (white, replace(white, spectrum=(*map(float, spectrum.ravel()),) * 3))
    )
    assert psnr(of_grain, clean) > psnr(of_white, clean) + 0.5


def test_grey_footage_keeps_less_noise_when_it_is_known_to_be_luminance(clean):
    """The same in red, green and blue, it is three times as strong in their sum as noise of their own would be."""
    grey = np.repeat(clean.mean(1, keepdims=True), 3, axis=1)
    frames = np.repeat(noisy(grey[:, :1], SIGMA_8BIT), 3, axis=1)
    of_colours = NoiseModel.from_sigma_8bit(SIGMA_8BIT)
    filtered_as = [
        collaborate(
            Clip(frames, None, noise),
            quick(frames),
            noise,
            settings=CollaborativeSettings(),
            compute=Compute(ComputeSettings(device="cpu")),
            on_frame=lambda count: None,
        )
        for noise in (of_colours, of_colours.of_grey())
    ]
    assert psnr(filtered_as[1], grey) > psnr(filtered_as[0], grey) + 0.5


def test_a_better_pilot_gives_a_better_result(clean):
    frames = noisy(clean, SIGMA_8BIT)
    with_truth = filtered(frames, clean)
    assert psnr(with_truth, clean) > psnr(filtered(frames, quick(frames)), clean) + 2


def test_around_a_pilot_that_is_right_next_to_nothing_is_changed(clean):
    frames = noisy(clean[:1], SIGMA_8BIT)
    # Noise exceeds two standard deviations in few bands: at 40 dB a hundredth of its energy is left (measured 41.6).
    assert psnr(filtered(frames, clean[:1], around_pilot=True), clean[:1]) > 40


def test_around_a_pilot_structure_that_it_lacks_is_found(clean):
    frames = noisy(clean[:1], SIGMA_8BIT)
    pilot = (clean[:1] * np.linspace(0.6, 1, clean.shape[-1], dtype=np.float32)).astype(np.float32)
    assert psnr(filtered(frames, pilot, around_pilot=True), clean[:1]) > psnr(pilot, clean[:1]) + 3


def test_neighbouring_frames_help(clean):
    frames = noisy(clean, SIGMA_8BIT)
    alone = filtered(frames, quick(frames), radius=0)
    assert psnr(filtered(frames, quick(frames)), clean) > psnr(alone, clean) + 0.5


def test_a_clip_without_noise_is_left_as_it_is(clean):
    """Its own quick look is the pilot then, and every coefficient is kept: what remains is rounding in float32."""
    noise = NoiseModel.from_sigma_8bit(0.01)
    result = collaborate(
        Clip(clean, None, noise),
        clean,
        noise,
        settings=CollaborativeSettings(),
        compute=Compute(ComputeSettings(device="cpu")),
        on_frame=lambda count: None,
    )
    assert np.abs(result - clean).max() < 1 / 255


def test_what_is_missing_comes_from_the_pilot(clean):
    """White holes would be seen from afar if they were filtered as if they had been captured."""
    missing = np.zeros((5, 45, 62), bool)
    missing[:, 10:20, 10:20] = True
    frames = np.where(missing[:, None], np.float32(1), noisy(clean, SIGMA_8BIT))
    inside = np.broadcast_to(missing[:, None], clean.shape)
    result = filtered(frames, clean, missing=missing)
    assert psnr(result[inside], clean[inside]) > 30


def test_a_frame_depends_only_on_those_within_reach(clean):
    """The window slides: the first frame of a long clip is that of a clip cut off behind its reach."""
    frames = noisy(clean, SIGMA_8BIT)
    pilots = quick(frames)
    whole = filtered(frames, pilots, radius=1)
    # Groups of frame 1 put patches into frame 0, and reach to frame 2 themselves.
    np.testing.assert_array_equal(whole[0], filtered(frames[:3], pilots[:3], radius=1)[0])


@pytest.mark.parametrize("size", [(8, 8), (9, 17), (3, 5)])
@pytest.mark.parametrize("frames", [1, 2])
def test_every_pixel_of_the_smallest_frames_is_filtered(size, frames):
    """Of one colour, every patch is as good as any other, and none may be left out."""
    flat = np.full((frames, 3, *size), 0.5, np.float32)
    result = filtered(noisy(flat, 5), flat)
    assert psnr(result, flat) > 35


def test_progress_is_told_frame_by_frame(clean):
    done = []
    filtered(clean[:3], clean[:3], done=done)
    assert done == [1, 2, 3]


def test_many_patches_at_a_time_give_what_few_do(clean, monkeypatch):
    """As on a GPU, which waits for launches."""
    frames = noisy(clean, SIGMA_8BIT)
    few = filtered(frames, quick(frames))
    monkeypatch.setitem(collaborative._BATCH, "cpu", 65_536)
    monkeypatch.setitem(collaborative._COMPARED, "cpu", 50 * frames[0].size)
    np.testing.assert_allclose(filtered(frames, quick(frames)), few, atol=1e-5)
