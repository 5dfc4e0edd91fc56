import numpy as np
import pytest
import torch
from pairs import SHADOW, flash_pair
from photographs import psnr

from reelprior.models.device import Compute
from reelprior.models.errors import FitError
from reelprior.models.flash import Pair, RelativePrior, restore_pair, seconds_for
from reelprior.models.flash_visibility import flash_visibility
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import (
    ComputeSettings,
    EngineSettings,
    FitSettings,
    NetworkSettings,
    PhotoSettings,
    StoppingSettings,
)
from reelprior.models.tiles import plan_tiles

CPU = ComputeSettings(device="cpu", autocast="off")
SMALL = NetworkSettings(channels=(16, 16), skip_channels=(8, 8))


def engine(iterations=60, *, learning_rate=0.01, tile=512, overlap=16, seeds=1):
    return EngineSettings(
        network=SMALL,
        fit=FitSettings(iterations=iterations, learning_rate=learning_rate, starts=seeds),
        stopping=StoppingSettings(floor=30, patience=30),
        photo=PhotoSettings(tile=tile, overlap=overlap),
    )


def pair_of(flash, ambient, sigma=0.08, **more):
    noise = NoiseModel(0.0, sigma**2)
    return Pair(ambient, flash, flash_visibility(flash, ambient, noise), noise, **more)


def restore(pair, settings=None, *, seed=0, on_step=lambda _: None):
    return restore_pair(pair, engine=settings or engine(), compute=CPU, seed=seed, on_step=on_step)


def test_the_generator_begins_at_the_first_estimate():
    first = torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    prior = RelativePrior(first, engine(), Compute(CPU), guide_channels=0, seed=0)
    # The logit and back in float32.
    torch.testing.assert_close(prior.generate(None), first, atol=1e-5, rtol=0)


def test_a_pair_gains_several_decibels():
    flash, ambient, clean = flash_pair(shadow=False)
    restored = restore(pair_of(flash, ambient))
    # Measured: 22 dB before, 31 dB after; the margin is for other versions of torch.
    assert psnr(restored, clean) > psnr(ambient, clean) + 5


@pytest.mark.parametrize("seed", range(10))
def test_no_seed_gets_stuck_at_a_wrong_colour_even_at_the_notebooks_learning_rate(seed):
    flash, ambient, clean = flash_pair(32, 40, shadow=False)
    restored = restore(pair_of(flash, ambient), engine(40, learning_rate=0.1), seed=seed)
    # The failure is a picture of one hue, off by 0.2 and more; the mean of the noise here is 0.002.
    np.testing.assert_allclose(restored.mean((1, 2)), clean.mean((1, 2)), atol=0.03)
    assert psnr(restored, clean) > psnr(ambient, clean) + 2


def test_the_shadow_of_the_flash_does_not_leak():
    flash, ambient, clean = flash_pair(sigma=0.04)
    error = np.abs(restore(pair_of(flash, ambient, 0.04)) - clean).mean(0)
    inside = np.zeros(error.shape, bool)
    inside[SHADOW] = True
    # A third of so small a shadow is its border, where the flash shot is not believed: measured 1.6, and 2.5 for a
    # guide whose shadow was left as dark as it is. What whole photographs reach is in the benchmark.
    assert error[inside].mean() < 2 * error[~inside].mean()


def test_tiles_start_from_their_neighbours_and_leave_no_seam():
    flash, ambient, clean = flash_pair(48, 120, shadow=False)
    steps = []
    restored = restore(pair_of(flash, ambient), engine(tile=64), on_step=steps.append)
    assert {step.frame for step in steps} == {0, 1, 2}
    assert steps[-1].frames_done <= 3
    assert psnr(restored, clean) > psnr(ambient, clean) + 4


def test_several_seeds_are_averaged():
    flash, ambient, _ = flash_pair(32, 40, shadow=False)
    count = []
    restore(pair_of(flash, ambient), engine(5, seeds=3), on_step=count.append)
    assert len(count) == 15


def test_grain_is_judged_inside_hidden_blocks():
    flash, ambient, clean = flash_pair(64, 64, shadow=False)
    coarse = ambient.repeat(2, axis=1).repeat(2, axis=2)[:, :64, :64]
    fine = flash.repeat(2, axis=1).repeat(2, axis=2)[:, :64, :64]
    truth = clean.repeat(2, axis=1).repeat(2, axis=2)[:, :64, :64]
    restored = restore(pair_of(fine, coarse, grain_px=2))
    assert psnr(restored, truth) > psnr(coarse, truth) + 3


def test_a_step_may_end_the_work():
    flash, ambient, _ = flash_pair(32, 40)

    def stop(_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(pair_of(flash, ambient), on_step=stop)


def test_the_estimate_grows_with_the_photograph():
    small, large = plan_tiles(60, 60, 64, 16), plan_tiles(600, 600, 64, 16)
    times = [seconds_for(tiles, engine=engine(), compute=Compute(CPU)) for tiles in (small, large)]
    assert 0 < times[0] < times[1]


def test_a_missing_device_is_one_error():
    flash, ambient, _ = flash_pair(32, 40)
    with pytest.raises(FitError, match="cuda:99"):
        restore_pair(
            pair_of(flash, ambient),
            engine=engine(),
            compute=ComputeSettings(device="cuda:99"),
            seed=0,
            on_step=lambda _: None,
        )
