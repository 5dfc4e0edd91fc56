"""Work begun ahead of time: the same results, and in threads only where there are some."""

import threading
from functools import partial

import numpy as np
import pytest
from photographs import noisy, panned

from reelprior.models.ahead import Ahead
from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.noise import NoiseModel
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.models.temporal import fit_key_frame, restore_clip


def test_without_threads_nothing_is_done_before_it_is_asked_for():
    done = []
    result = Ahead(0).begin(lambda: done.append(threading.current_thread()))
    assert not done
    result()
    assert done == [threading.current_thread()]


def test_with_threads_it_is_done_by_one_of_them():
    assert Ahead(2).begin(threading.current_thread)() is not threading.current_thread()


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_is_raised_where_the_result_is_asked_for(threads):
    result = Ahead(threads).begin(partial(int, "none"))
    with pytest.raises(ValueError, match="none"):
        result()


def test_a_clip_restored_with_threads_is_the_same(monkeypatch):
    """As on a GPU: flows and first looks are made in threads meanwhile."""
    clean = panned(5, 40, 56)
    clip = Clip(noisy(clean, 25), None, NoiseModel.from_sigma_8bit(25))
    engine = EngineSettings.model_validate(
        {"temporal": {"key_coarse_iterations": 4, "key_iterations": 4, "warm_iterations": 2}}
    )

    def restored():
        options = {
            "engine": engine,
            "compute": ComputeSettings(device="cpu"),
            "seed": 0,
            "on_step": lambda step: None,
        }
        return restore_clip(clip, range(5), parameters=fit_key_frame(clip, 2, **options), **options)

    alone = restored()
    monkeypatch.setattr("reelprior.models.device.Ahead", lambda threads: Ahead(3))
    assert Compute(ComputeSettings(device="cpu")).ahead.begin(threading.current_thread)() is not (
        threading.current_thread()
    )
    np.testing.assert_array_equal(restored(), alone)
