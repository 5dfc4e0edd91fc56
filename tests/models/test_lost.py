"""What stands in for lost frames and missing rows."""

import numpy as np
import pytest
from media import pattern

from reelprior.models import temporal
from reelprior.models.clip import Clip
from reelprior.models.lost import fill_lost, fill_rows, holes_of, lost_frames, missing_rows, nearest_whole
from reelprior.models.neighbours import Neighbours
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import (
    ComputeSettings,
    EngineSettings,
    FitSettings,
    FusionSettings,
    NetworkSettings,
    TemporalSettings,
)
from reelprior.models.spatial import fill_holes


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b) ** 2))


@pytest.fixture
def film():
    return np.stack([pattern(t) for t in range(7)])


def test_a_lost_frame_is_interpolated_along_the_motion(film):
    lost = np.array([False, False, False, True, False, False, False])
    broken = film.copy()
    broken[3] = 0
    filled = fill_lost(broken, lost)
    assert psnr(filled[3], film[3]) > 50  # measured: 60; the frame before has 39
    assert psnr(filled[3], film[3]) > psnr(film[2], film[3]) + 3
    assert np.array_equal(np.delete(filled, 3, 0), np.delete(film, 3, 0))


def test_lost_frames_at_the_ends_repeat_the_nearest_whole_one(film):
    lost = np.array([True, False, False, False, False, True, True])
    filled = fill_lost(film, lost)
    assert np.array_equal(filled[0], film[1])
    assert np.array_equal(filled[5], film[4])
    assert np.array_equal(filled[6], film[4])


def test_a_clip_without_a_whole_frame_stays_as_it_is(film):
    assert fill_lost(film, np.ones(7, np.bool_)) is film


def test_a_key_frame_is_one_that_is_there():
    lost = np.array([False, True, True, True, False])
    assert [nearest_whole(lost, t) for t in range(5)] == [0, 0, 0, 4, 4]
    assert nearest_whole(np.ones(3, np.bool_), 1) == 1
    assert not lost_frames(None, 3).any()


def test_missing_rows_are_interpolated_between_the_known_ones():
    ramp = np.linspace(0, 1, 9, dtype=np.float32)[None, :, None] * np.ones((3, 1, 4), np.float32)
    rows = np.array([False, True] * 4 + [False])
    broken = np.where(rows[:, None], np.float32(9), ramp)
    assert fill_rows(broken, rows) == pytest.approx(ramp, abs=1e-6)
    upper = fill_rows(broken, ~rows)  # rows 0 and 8 have a neighbour on one side only
    assert upper[:, 0] == pytest.approx(9)
    missing = np.broadcast_to(rows[:, None], (9, 4))
    assert np.array_equal(missing_rows(missing), rows)
    assert missing_rows(np.ones((9, 4), np.bool_)) is None
    holes = np.zeros((9, 4), np.bool_)
    holes[3:5, 1] = True
    assert np.array_equal(missing_rows(missing | holes), rows)
    assert np.array_equal(holes_of(missing | holes), holes & ~missing)


def test_a_band_across_the_frame_is_a_hole_and_no_field():
    band = np.zeros((9, 4), np.bool_)
    band[5] = band[7] = True
    assert missing_rows(band) is None
    assert np.array_equal(holes_of(band), band)


def test_holes_between_missing_rows_are_filled_too(film):
    missing = np.zeros((48, 64), np.bool_)
    missing[1::2] = True
    missing[20:30, 20:30] = True
    filled = fill_holes(np.where(missing, np.float32(0), film[0]), missing)
    assert np.abs(filled - film[0]).max() < 0.1  # a smooth picture, continued over ten pixels


def test_a_field_of_the_other_parity_fills_the_rows_of_a_still_clip(film):
    still = np.repeat(film[:1], 2, 0)
    missing = np.zeros((2, 48, 64), np.bool_)
    missing[0, 1::2] = missing[1, 0::2] = True
    clip = Clip(np.where(missing[:, None], np.float32(0), still), missing, NoiseModel.from_sigma_8bit(1))
    around = Neighbours(clip, still, FusionSettings(), temporal.Compute(ComputeSettings(device="cpu")))
    fused = around.fused(0, radius=1)
    inside = np.s_[:, 1:-1]
    assert fused.image[0].numpy()[inside] == pytest.approx(still[0][inside], abs=0.01)


def test_a_lost_frame_is_restored_from_its_neighbours():
    film = np.stack([pattern(t, size=(32, 48)) for t in range(5)])
    missing = np.zeros((5, 32, 48), np.bool_)
    missing[2] = True
    broken = film.copy()
    broken[2] = 0
    engine = EngineSettings(
        network=NetworkSettings(channels=(16, 16), skip_channels=(4, 4)),
        fit=FitSettings(iterations=100),
        temporal=TemporalSettings(warm_iterations=20, second_iterations=20),
    )
    compute = ComputeSettings(device="cpu", threads=1)
    clip = Clip(broken, missing, NoiseModel.from_sigma_8bit(2))

    def on_step(_):
        pass

    key = temporal.fit_key_frame(clip, 2, engine=engine, compute=compute, seed=0, on_step=on_step)
    restored = temporal.restore_clip(
        clip, range(1, 4), parameters=key, engine=engine, compute=compute, seed=0, on_step=on_step
    )
    assert psnr(restored[1], film[2]) > 40  # measured: 49; its neighbour, which was there, has 48
