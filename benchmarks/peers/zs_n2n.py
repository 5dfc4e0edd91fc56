"""Zero-Shot Noise2Noise (Mansour and Heckel, CVPR 2023), from the paper: a small network for each frame, from it alone.

A noisy frame y gives two half-size frames D1 y and D2 y, each the mean of one diagonal of every 2x2 block: the same
picture nearly, with independent noise. A network f of three convolutions that predicts the noise is trained to make
one of the other, and to commute with the halving; the result is y - f(y).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from script import Video, parser, serve
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad

__all__ = ["denoise", "halve"]

#: Section 4 of the paper.
_CHANNELS, _SLOPE, _LEARNING_RATE = 48, 0.2, 0.001
_HALVINGS = 2


def denoise(noisy: Video, *, iterations: int) -> Video:
    """Denoise frame by frame; the learning rate falls to a half after half of the iterations."""
    return np.stack([_denoise_frame(frame, iterations) for frame in noisy])


def halve(y: Tensor) -> tuple[Tensor, Tensor]:
    """D1 y and D2 y of (1, C, H, W) with even sides: (1, C, H / 2, W / 2) each (equation 3)."""
    upper, lower = y[..., 0::2, :], y[..., 1::2, :]
    falling = (upper[..., 0::2] + lower[..., 1::2]) / 2
    rising = (upper[..., 1::2] + lower[..., 0::2]) / 2
    return rising, falling


def _denoise_frame(frame: Video, iterations: int) -> Video:
    torch.manual_seed(0)
    y = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1))).float()[None] / 255
    height, width = frame.shape[:2]
    y = pad(y, (0, width % 2, 0, height % 2), mode="replicate")
    network = nn.Sequential(
        nn.Conv2d(3, _CHANNELS, 3, padding=1),
        nn.LeakyReLU(_SLOPE),
        nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1),
        nn.LeakyReLU(_SLOPE),
        nn.Conv2d(_CHANNELS, 3, 1),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(1, iterations // _HALVINGS), gamma=0.5)
    halves = halve(y)
    for _ in range(iterations):
        optimiser.zero_grad()
        torch.autograd.backward(_loss(network, y, halves))
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        clean = (y - network(y))[0, :, :height, :width].clamp(0, 1)
    picture: NDArray[np.uint8] = (255 * clean).round().byte().permute(1, 2, 0).numpy()
    return picture


def _loss(network: nn.Module, y: Tensor, halves: tuple[Tensor, Tensor]) -> Tensor:
    """Residual loss (equation 6) plus consistency loss (equation 7)."""
    first, second = halves
    clean_first, clean_second = first - network(first), second - network(second)
    half_first, half_second = halve(y - network(y))
    residual = mse_loss(clean_first, second) + mse_loss(clean_second, first)
    consistency = mse_loss(clean_first, half_first) + mse_loss(clean_second, half_second)
    return (residual + consistency) / 2


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--iterations", type=int, required=True, help="for each frame")
    options = arguments.parse_args()
    serve(options, lambda noisy: denoise(noisy, iterations=options.iterations))
