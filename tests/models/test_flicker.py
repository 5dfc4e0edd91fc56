"""Flicker goes, fades stay, and the correction can be undone."""

import numpy as np
import pytest
from blemishes import add_flicker
from photographs import panned

from reelprior.models.flicker import ToneCurve, estimate_flicker, tone_quantiles


def corrected(clip):
    curves = estimate_flicker([tone_quantiles(frame) for frame in clip])
    return np.stack([curve.apply(frame) for curve, frame in zip(curves, clip, strict=True)])


def error(clip, clean):
    return float(np.sqrt(np.mean((clip - clean) ** 2)))


def test_most_of_a_flicker_is_taken_out():
    clean = panned(20, 64, 64, step=(1, 1))
    damaged = add_flicker(clean, np.random.default_rng(1))
    # What is left: the neighbours' mean flickers too, by a third of it over their handful.
    assert error(corrected(damaged), clean) < 0.55 * error(damaged, clean)


def test_a_clean_clip_is_hardly_touched():
    clean = panned(20, 64, 64, step=(1, 1))
    # What comes into so small a picture changes its quantiles by a level or two; a whole frame's change by less.
    assert error(corrected(clean), clean) < 1.5 / 255


def test_a_fade_stays_a_fade():
    clip = (
        panned(1, 64, 64).repeat(20, axis=0) * np.linspace(1, 0.5, 20, dtype=np.float32)[:, None, None, None]
    )
    assert error(corrected(clip), clip) < 1 / 255


def test_two_frames_tell_nothing():
    assert all(curve.is_identity for curve in estimate_flicker([np.linspace(0, k, 16) for k in (0.5, 1)]))


@pytest.mark.parametrize(
    "curve", [ToneCurve(0.02, 0.9, 0.1), ToneCurve(0.0, 1.05, -0.2), ToneCurve(0.05, 0.9, 0.0)]
)
def test_a_correction_can_be_undone(curve):
    levels = np.linspace(0.1, 0.9, 50, dtype=np.float32)
    np.testing.assert_allclose(curve.undo(curve.apply(levels)), levels, atol=1e-5)
