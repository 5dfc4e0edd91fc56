"""What only a GPU can show. Skipped where there is none; all other tests of the models run on one too."""

import numpy as np
import pytest
import torch
from photographs import noisy, panned, psnr

from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.fit import Prior
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.temporal import fit_key_frame, restore_clip

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

CLEAN = panned(5, 72, 96)


def restored(device):
    options = {
        "engine": EngineSettings(),
        "compute": ComputeSettings(device=device),
        "seed": 0,
        "on_step": lambda step: None,
    }
    clip = Clip(noisy(CLEAN, 25), None, NoiseModel.from_sigma_8bit(25))
    return restore_clip(clip, range(5), parameters=fit_key_frame(clip, 2, **options), **options)


def test_a_gpu_repeats_itself_and_restores_as_well_as_a_cpu():
    first = restored("cuda")
    np.testing.assert_array_equal(restored("cuda"), first)
    assert abs(psnr(first, CLEAN) - psnr(restored("cpu"), CLEAN)) < 0.15


def test_a_recorded_network_gives_what_it_gives_unrecorded():
    engine = EngineSettings()
    compute = Compute(ComputeSettings(device="cuda", autocast="off"))
    prior = Prior(engine, compute, size=(72, 96), guide_channels=0, seed=0)
    plain = prior.network(prior.code)[..., :72, :96].detach()
    recorded = prior.generate(None).detach()
    again = prior.generate(None).detach()
    torch.testing.assert_close(recorded, plain)
    assert recorded.data_ptr() != again.data_ptr(), "the next picture must not overwrite the last"
