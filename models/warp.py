"""Motion: optical flow, warping along it, and where the warped picture may be believed.

A flow from A to B says where each pixel of A is found in B: (dx, dy) in pixels, so that warping B along it lays B's
content on A's grid.
"""

import cv2
import kornia
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["bicubic_noise_gain", "estimate_flow", "visibility", "warp"]

#: DIS asks for pictures at least this large (its coarsest patches); smaller ones are enlarged by their edges.
_SMALLEST = 32
#: Disagreement of forward and backward flow, in pixels, at which a pixel without motion counts half.
_FLOW_TOLERANCE = 2.0
#: Of the cubic convolution kernel that warping uses (Keys 1981; OpenCV and torch agree on it).
_CUBIC = -0.75


def estimate_flow(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dense flow by DIS (Kroeger et al., ECCV 2016; OpenCV's preset "medium").

    Parameters
    ----------
    source, target
        (3, H, W) float32 in [0, 1]; noise should have been reduced before.

    Returns
    -------
    NDArray[np.float32]
        (2, H, W), (dx, dy) in pixels, from source to target.
    """
    height, width = source.shape[1:]
    bottom, right = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    grey = [
        cv2.copyMakeBorder(_grey(picture), 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        for picture in (source, target)
    ]
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # OpenCV's stubs do not know that None allocates the result.
    flow = estimator.calc(grey[0], grey[1], None)  # type: ignore[call-overload]
    return np.ascontiguousarray(flow[:height, :width].transpose(2, 0, 1))  # (H, W, 2) -> (2, H, W)


def _grey(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels: NDArray[np.float32] = np.rint(picture.mean(axis=0, dtype=np.float32) * 255)
    return np.clip(levels, 0, 255).astype(np.uint8)


def warp(picture: Tensor, flow: Tensor, *, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """Fetch ``picture`` along ``flow``.

    Parameters
    ----------
    picture
        (N, C, H, W).
    flow
        (N, 2, H, W), (dx, dy) in pixels.
    mode
        "bicubic" keeps detail (measured: fused neighbours are 0.3 to 0.6 dB better than by "nearest" or "bilinear");
        "bilinear" suits flows, masks and results, "nearest" keeps the noise of neighbouring pixels independent.
    padding
        "border" repeats the edge, "zeros" tells what lies outside.

    Returns
    -------
    Tensor
        (N, C, H, W): ``picture`` at (x + dx, y + dy).
    """
    height, width = flow.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)[None, :]
    warped: Tensor = kornia.geometry.transform.remap(
        picture,
        columns + flow[:, 0],
        rows + flow[:, 1],
        mode=mode,
        padding_mode=padding,
        align_corners=True,
    )
    return warped


def visibility(
    reference: Tensor, warped: Tensor, flow: Tensor, flow_back: Tensor, *, colour_scale: float
) -> Tensor:
    """How far each warped pixel may be believed to show the reference's surface.

    The product of three: inside the frame; forward and backward flow agree (1/2 at an error of two pixels, more in fast
    motion, after Sundaram et al., ECCV 2010); colours agree (1/2 at ``colour_scale``).

    Parameters
    ----------
    reference, warped
        (N, 3, H, W) in [0, 1], with reduced noise: the frame, and its neighbour warped onto it.
    flow, flow_back
        (N, 2, H, W): from the frame to the neighbour, and back.
    colour_scale
        Mean absolute difference, smoothed over about five pixels, at which the weight is 1/2.

    Returns
    -------
    Tensor
        (N, 1, H, W) in [0, 1].
    """
    inside = warp(torch.ones_like(flow[:, :1]), flow, padding="zeros")
    loop = flow + warp(flow_back, flow)
    length = flow.square().sum(1, keepdim=True) + flow_back.square().sum(1, keepdim=True)
    flow_error = loop.square().sum(1, keepdim=True) / (_FLOW_TOLERANCE**2 * (1.0 + 0.01 * length))
    difference = (reference - warped).abs().mean(1, keepdim=True)
    difference = kornia.filters.gaussian_blur2d(difference, (5, 5), (1.2, 1.2), border_type="replicate")
    colour = 1.0 / (1.0 + (difference / colour_scale) ** 4)
    return inside * colour / (1.0 + flow_error.square())


def bicubic_noise_gain(flow: Tensor) -> Tensor:
    """How much of the variance of independent noise bicubic fetching leaves: the sum of its squared taps.

    Parameters
    ----------
    flow
        (N, 2, H, W) in pixels.

    Returns
    -------
    Tensor
        (N, 1, H, W): 1 at whole pixels, about 0.52 half-way between four.
    """
    x = flow - flow.floor()
    outer = [_CUBIC * (d**3 - 5 * d**2 + 8 * d - 4) for d in (x + 1, 2 - x)]
    inner = [(_CUBIC + 2) * d**3 - (_CUBIC + 3) * d**2 + 1 for d in (x, 1 - x)]
    return torch.stack([tap.square() for tap in outer + inner]).sum(0).prod(1, keepdim=True)
