"""Motion: what a flow means, how well it is found, and where a warped picture is believed."""

import numpy as np
import pytest
import torch
from photographs import photograph
from skimage.transform import AffineTransform
from skimage.transform import warp as skimage_warp

from reelprior.models.warp import bicubic_noise_gain, estimate_flow, visibility, warp

#: A border in which content comes and goes: left out where a flow is judged.
INNER = (slice(12, -12), slice(12, -12))
TINY = [(1, 1), (5, 7), (1, 40), (40, 1)]


def tensor(picture):
    return torch.from_numpy(picture)[None]


def constant_flow(dx, dy, size):
    return torch.tensor([dx, dy], dtype=torch.float32).reshape(1, 2, 1, 1).repeat(1, 1, *size)


def median_flow(flow):
    return np.median(flow[(slice(None), *INNER)], axis=(1, 2))


def shifted_by(dx, dy):
    """The photograph, and as it looks when its content has moved by (dx, dy) pixels: cubic spline, scikit-image."""
    picture = photograph(96, 128)
    moved = [
        skimage_warp(channel, AffineTransform(translation=(-dx, -dy)), order=3, mode="edge")
        for channel in picture
    ]
    return picture, np.stack(moved).astype(np.float32)


# --- warping


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("size", [(33, 47), *TINY])
def test_the_identity_map_changes_nothing(mode, size):
    """Kornia's default, align_corners=False, resamples even here."""
    picture = tensor(photograph(*size))
    still = warp(picture, torch.zeros(1, 2, *size), mode=mode)
    # coordinates are scaled to [-1, 1] and back in float32: some 1e-6 pixels
    torch.testing.assert_close(still, picture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_warping_fetches_from_where_the_flow_points(mode):
    """Pixel (x, y) of the result is pixel (x + dx, y + dy) of the picture."""
    picture = tensor(photograph(40, 50))
    fetched = warp(picture, constant_flow(3, -2, (40, 50)), mode=mode)
    torch.testing.assert_close(fetched[..., 5:, :40], picture[..., 3:-2, 3:43], atol=1e-5, rtol=0)


def test_the_border_is_repeated_or_zero_as_asked():
    picture = torch.full((1, 1, 8, 8), 0.5)
    outside = constant_flow(20, 0, (8, 8))
    assert warp(picture, outside).eq(0.5).all()
    assert not warp(picture, outside, padding="zeros").any()


# --- flow


def test_a_flow_points_from_the_first_picture_to_the_second():
    """Content that moves right and down by (4, 2) is found there: the flow is (+4, +2), x first."""
    before, after = shifted_by(4, 2)
    dx, dy = median_flow(estimate_flow(before, after))
    assert dx == pytest.approx(4, abs=0.1)
    assert dy == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (-3, 2), (6, -5)])
def test_whole_pixel_shifts_are_found_almost_exactly(dx, dy):
    before, after = photograph(96, 128), photograph(96, 128, top=20 - dy, left=80 - dx)
    flow = estimate_flow(before, after)[(slice(None), *INNER)]
    error = np.hypot(flow[0] - dx, flow[1] - dy)
    # DIS refines to sub-pixels and stays some hundredths off
    assert np.median(error) < 0.05


@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.25), (2.3, -1.6), (-4.75, 3.5)])
def test_shifts_by_parts_of_a_pixel_are_found(dx, dy):
    """Within 0.3 pixels for three quarters of the pixels: beyond that, fused neighbours would blur."""
    before, after = shifted_by(dx, dy)
    flow = estimate_flow(before, after)[(slice(None), *INNER)]
    assert np.quantile(np.hypot(flow[0] - dx, flow[1] - dy), 0.75) < 0.3


def test_warping_the_second_picture_along_the_flow_gives_the_first():
    before, after = shifted_by(2.3, -1.6)
    fetched = warp(tensor(after), tensor(estimate_flow(before, after)), mode="bicubic")[0].numpy()
    inner = (slice(None), *INNER)
    unaligned = np.abs(after - before)[inner].mean()
    assert np.abs(fetched - before)[inner].mean() < 0.2 * unaligned


@pytest.mark.parametrize("size", TINY)
def test_frames_of_a_few_pixels_have_a_flow(size):
    picture = photograph(*size)
    flow = estimate_flow(picture, picture)
    assert flow.shape == (2, *size)
    assert np.abs(flow).max() < 0.1


# --- visibility


def test_equal_frames_see_each_other_everywhere():
    picture, still = tensor(photograph(33, 47)), torch.zeros(1, 2, 33, 47)
    seen = visibility(picture, picture, still, still, colour_scale=0.08)
    torch.testing.assert_close(seen, torch.ones(1, 1, 33, 47), atol=1e-4, rtol=0)


def test_what_lies_outside_the_other_frame_is_not_seen():
    picture = tensor(photograph(32, 48))
    flow = constant_flow(10, 0, (32, 48))
    seen = visibility(picture, picture, flow, -flow, colour_scale=0.08)
    assert not seen[..., 39:].any()  # columns 38 to 47 are at 48 to 57 there
    assert seen[..., :38].min() > 0.99


def test_what_something_covers_in_the_other_frame_is_hardly_seen():
    """A square of 12 pixels moves 14 to the right: where it arrives it hides the background."""
    background = tensor(photograph(48, 64))
    before, after = background.clone(), background.clone()
    before[..., 18:30, 10:22] = after[..., 18:30, 24:36] = torch.tensor([0.1, 0.9, 0.2]).reshape(3, 1, 1)
    there, back = torch.zeros(1, 2, 48, 64), torch.zeros(1, 2, 48, 64)
    there[:, 0, 18:30, 10:22] = 14
    back[:, 0, 18:30, 24:36] = -14
    seen = visibility(before, warp(after, there), there, back, colour_scale=0.08)
    assert seen[..., 18:30, 24:36].max() < 0.05
    assert seen[..., 20:28, 12:20].min() > 0.95  # the square itself, followed by its flow
    assert seen[..., :14, :].min() > 0.95  # the background elsewhere


def test_another_colour_counts_half_at_the_colour_scale():
    grey, still = torch.full((1, 3, 16, 16), 0.5), torch.zeros(1, 2, 16, 16)
    seen = visibility(grey, grey + 0.08, still, still, colour_scale=0.08)
    torch.testing.assert_close(seen, torch.full_like(seen, 0.5), atol=1e-4, rtol=0)


def test_flows_that_disagree_by_two_pixels_count_half():
    grey, still = torch.full((1, 3, 32, 32), 0.5), torch.zeros(1, 2, 32, 32)
    seen = visibility(grey, grey, still, constant_flow(2, 0, (32, 32)), colour_scale=0.08)
    # the tolerance grows with the motion: by 4 % here
    torch.testing.assert_close(seen, torch.full_like(seen, 0.5), atol=0.03, rtol=0)


# --- noise


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.5, 0.0), (0.3, 0.7), (-1.25, 2.5), (0.5, 0.5)])
def test_the_bicubic_noise_gain_is_the_variance_that_white_noise_keeps(dx, dy):
    size = (200, 200)
    noise = torch.randn(1, 8, *size, generator=torch.Generator().manual_seed(0))
    flow = constant_flow(dx, dy, size)
    left = warp(noise, flow, mode="bicubic")[..., 4:-4, 4:-4].var().item()
    # 3 x 10^5 samples, a few of them correlated: a relative standard error of about 0.4 %
    assert bicubic_noise_gain(flow).mean().item() == pytest.approx(left, rel=0.02)
