"""Fields as observations of one another: still places keep what was captured, moving ones do not comb."""

import numpy as np
import pytest
import torch

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.observation import Observation
from reelprior.models.settings import ComputeSettings, FusionSettings
from reelprior.models.spatial import fill_holes
from reelprior.models.weaving import Witness, interpolate_field, weigh

SIZE = (64, 80)
CPU = Compute(ComputeSettings(device="cpu"))


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b) ** 2))


def texture(*, seed=1, shift=0):
    """(3, H, W): fine detail in both directions, moved sideways."""
    random = np.random.default_rng(seed)
    wide = random.normal(0.5, 0.15, (3, SIZE[0], SIZE[1] + 64)).astype(np.float32)
    soft = (wide + np.roll(wide, 1, 1) + np.roll(wide, 1, 2) + np.roll(wide, (1, 1), (1, 2))) / 4
    return np.clip(soft[..., shift : shift + SIZE[1]], 0, 1)


def fields_of(pictures):
    """Of progressive pictures every other row, top field first."""
    missing = np.zeros((len(pictures), *SIZE), np.bool_)
    missing[0::2, 1::2] = missing[1::2, 0::2] = True
    return np.where(missing[:, None], np.float32(0), pictures), missing


def woven(frames, missing, t, *, sigma_8bit=0.3):
    """A picture of a clip of fields, from nothing but what they interpolate to."""
    shown = np.stack([fill_holes(*pair) for pair in zip(frames, missing, strict=True)])
    clip = Clip(frames, missing, NoiseModel.from_sigma_8bit(sigma_8bit))
    return Neighbours(clip, shown, FusionSettings(), CPU).fused(t, radius=3)


def combing(picture):
    """Mean energy of what alternates from row to row, beyond the rows above and below."""
    return float(np.square(picture[:, 1:-1] - (picture[:, :-2] + picture[:, 2:]) / 2).mean())


def test_still_places_keep_the_rows_of_the_other_field():
    """What is as fine as rows no interpolation knows: the mean of rows gives 28 dB. Measured: 46 dB."""
    pictures = np.repeat(texture()[None], 6, 0)
    frames, missing = fields_of(pictures)
    found = woven(frames, missing, 3).image[0].numpy()
    assert psnr(found, pictures[3]) > psnr(fill_holes(frames[3], missing[3]), pictures[3]) + 10


def test_still_places_stay_still_from_field_to_field():
    """Interpolated rows bob: pictures made of the two fields differ although nothing moves."""
    pictures = np.repeat(texture()[None], 6, 0)
    frames, missing = fields_of(pictures)
    interpolated = [fill_holes(frames[t], missing[t]) for t in (2, 3)]
    found = [woven(frames, missing, t).image[0].numpy() for t in (2, 3)]
    assert np.square(found[0] - found[1]).mean() < 0.1 * np.square(interpolated[0] - interpolated[1]).mean()


@pytest.mark.parametrize("step", [1, 3, 7])
def test_what_moves_is_not_combed(step):
    """The alternation from row to row stays near that of the truth; fields woven as they stand have far more.

    Measured: less than a millionth of that.
    """
    pictures = np.stack([np.repeat(texture(shift=step * t)[:, :1], SIZE[0], 1) for t in range(6)])
    frames, missing = fields_of(pictures)
    as_they_stand = np.where(missing[3], frames[2], frames[3])
    found = woven(frames, missing, 3).image[0].numpy()
    assert combing(pictures[3]) == 0  # the same in all rows
    assert combing(found) < 0.001 * combing(as_they_stand)


def test_an_object_before_a_still_background_is_not_combed_and_the_background_kept():
    background = texture()
    pictures = np.repeat(background[None], 6, 0)
    for t, picture in enumerate(pictures):
        picture[:, 16:48, 8 + 8 * t : 24 + 8 * t] = texture(seed=2)[:, 16:17, 8:24]
    frames, missing = fields_of(pictures)
    found = woven(frames, missing, 3).image[0].numpy()
    inside = np.s_[:, 20:44, 36:44]
    as_they_stand = np.where(missing[3], frames[2], frames[3])
    assert combing(found[inside]) < 0.01 * combing(as_they_stand[inside])
    away = np.s_[:, :, 64:]
    bobbing = fill_holes(frames[3], missing[3])
    assert psnr(found[away], pictures[3][away]) > psnr(bobbing[away], pictures[3][away]) + 8


def test_the_error_between_rows_is_measured_and_noise_is_none_of_it():
    rows = np.arange(SIZE[0]) % 2 == 1
    known = np.broadcast_to(~rows[:, None], SIZE)
    ramp = np.broadcast_to(np.linspace(0.2, 0.8, SIZE[0], dtype=np.float32)[None, :, None], (3, *SIZE))
    smooth = interpolate_field(ramp, rows, known, 0.0)
    inside = np.s_[4:-4]
    assert smooth.picture[:, inside] == pytest.approx(ramp[:, inside], abs=1e-5)
    assert smooth.error[8:-8].max() < 1e-6
    noise = np.random.default_rng(0).normal(0, 0.05, ramp.shape).astype(np.float32)
    noisy = interpolate_field(ramp + noise, rows, known, 0.05**2)
    assert noisy.error.mean() < 0.1 * 0.05**2
    detailed = interpolate_field(texture(), rows, known, 0.0)
    truth = np.square(detailed.picture - texture())[:, rows].mean()
    assert 0.3 < detailed.error.mean() / truth < 1.5  # of its order is all that weights need


def test_a_witness_that_is_wrong_in_a_place_counts_for_nothing_there():
    frames, missing = fields_of(np.repeat(texture()[None], 2, 0))
    field = interpolate_field(fill_holes(frames[0], missing[0]), missing[0].all(1), ~missing[0], 1e-5)
    flat = torch.full((1, 1, *SIZE), 1e-5)
    own = Observation(
        torch.from_numpy(frames[0])[None], torch.from_numpy(~missing[0])[None, None] / flat, flat
    )
    image = torch.from_numpy(texture())[None].clone()
    image[..., 40:] = 1 - image[..., 40:]
    witness = Witness(image, flat, torch.ones_like(flat), torch.zeros_like(flat))
    around, (weighed,) = weigh(own, field, [witness], holes=torch.zeros_like(flat))
    other = torch.from_numpy(missing[0].all(1))
    share = (weighed.weight / (weighed.weight + around.weight))[0, 0][other]
    assert share[:, :30].mean() > 0.95
    assert share[:, 50:].mean() < 0.5


def test_in_a_hole_of_a_field_the_rows_around_say_nothing():
    pictures = np.repeat(texture()[None], 5, 0)
    frames, missing = fields_of(pictures)
    missing[:, 24:40, 30:50] = True
    fused = woven(frames, missing, 2)
    assert not fused.weight[0, 0, 28:36, 36:44].any()
    missing[:] = fields_of(pictures)[1]
    missing[2, 24:40, 30:50] = True
    frames[2][:, 24:40, 30:50] = 0
    found = woven(frames, missing, 2).image[0].numpy()
    hole = np.s_[:, 26:38, 32:48]
    assert psnr(found[hole], pictures[2][hole]) > 25  # from the fields before and after
