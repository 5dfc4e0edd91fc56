"""How close restored frames are to the truth: PSNR, SSIM and frame-to-frame error, one frame at a time.

Everything here takes frames as (3, H, W) R'G'B' in [0, 1], so that 1.0 is the peak (255 at 8 bit).
A clip is never in memory as a whole: :class:`ClipScore` keeps a few numbers per frame, and the last frame for
its time difference.

The conventions matter when numbers are compared:

* **PSNR** of a clip is taken once, from the squared error averaged over all its frames, pixels and channels.
  The mean of per-frame PSNRs would be higher (Jensen), and infinite as soon as one frame is exact.
* **SSIM** is that of Wang et al. 2004, per channel of R'G'B', averaged over pixels, channels and frames.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from kornia.metrics import ssim as kornia_ssim
from numpy.typing import NDArray

__all__ = ["SSIM_WINDOW", "ClipScore", "FrameScore", "frame_to_frame_error", "psnr", "ssim", "ssim_map"]

#: Side of the Gaussian window (sigma 1.5) of SSIM, in pixels; a picture must be at least this large.
SSIM_WINDOW = 11

Pixels = NDArray[np.floating]


def psnr(pixels: Pixels, reference: Pixels) -> float:
    """Peak signal-to-noise ratio ``10 log10(1 / mean((pixels - reference)^2))``, in dB.

    Parameters
    ----------
    pixels, reference
        Equal shapes, in [0, 1]. The peak is 1.0 whatever the bit depth of the file was.

    Returns
    -------
    float
        Infinite for equal arrays.
    """
    difference = np.subtract(pixels, reference, dtype=np.float64)
    return _psnr_of(float(np.mean(difference**2)))


def ssim(pixels: Pixels, reference: Pixels) -> float:
    """Structural similarity: the mean of :func:`ssim_map` over pixels and channels."""
    return float(ssim_map(pixels, reference).mean(dtype=np.float64))


def ssim_map(pixels: Pixels, reference: Pixels) -> NDArray[np.float32]:
    """Structural similarity around each pixel.

    ``(2 m_x m_y + C1)(2 s_xy + C2) / ((m_x^2 + m_y^2 + C1)(s_x^2 + s_y^2 + C2))`` with means and
    (co)variances under an 11 x 11 Gaussian window of sigma 1.5, C1 = 0.01^2 and C2 = 0.03^2 for data in
    [0, 1], on each channel by itself (Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP
    13(4), 2004, equation 13). Only windows that lie inside the picture count. scikit-image computes the same
    with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.

    Parameters
    ----------
    pixels, reference
        (3, H, W) in [0, 1], at least 11 x 11.

    Returns
    -------
    NDArray
        (3, H - 10, W - 10) in [-1, 1]; entry (5, 5) of the picture comes first.
    """
    if min(pixels.shape[-2:]) < SSIM_WINDOW:
        height, width = pixels.shape[-2:]
        raise ValueError(f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, not {width}x{height}")
    # float32: seven times as fast as float64, and the mean differs by less than 1e-7.
    x, y = (
        torch.from_numpy(np.ascontiguousarray(a, np.float32))[None] for a in (pixels, reference)
    )  # (1, 3, H, W)
    similarity: NDArray[np.float32] = kornia_ssim(x, y, SSIM_WINDOW, padding="valid")[0].numpy()
    return similarity


def frame_to_frame_error(restored: Pixels, reference: Pixels) -> float:
    """Flicker and ghosts: ``mean |d/dt restored - d/dt reference|`` in 8-bit grey levels.

    A constant error in space costs nothing here; what changes from frame to frame without reason does.

    Parameters
    ----------
    restored, reference
        (T, 3, H, W) in [0, 1] with T >= 2.
    """
    change = np.diff(restored.astype(np.float64), axis=0) - np.diff(reference.astype(np.float64), axis=0)
    return float(255.0 * np.mean(np.abs(change)))


@dataclass(frozen=True)
class FrameScore:
    """One frame against its reference."""

    psnr: float
    """In dB; infinite where the frame is exact."""
    ssim: float
    """In [-1, 1]; NaN where the frame is smaller than the window."""


@dataclass
class ClipScore:
    """Running scores of a clip against its reference.

    Parameters
    ----------
    where
        (H, W) bool: only these pixels count. SSIM then averages the windows that are centred on them.
    """

    where: NDArray[np.bool_] | None = None
    _squared_errors: list[float] = field(default_factory=list, init=False)
    _similarities: list[float] = field(default_factory=list, init=False)
    _temporal_errors: list[float] = field(default_factory=list, init=False)
    _last_error: NDArray[np.float64] | None = field(default=None, init=False)

    def add(self, pixels: Pixels, reference: Pixels) -> FrameScore:
        """Take the next frame in order, (3, H, W) in [0, 1], and return its own scores."""
        error = np.subtract(pixels, reference, dtype=np.float64)
        squared_error = self._mean(error**2)
        similarity = self._similarity(pixels, reference)
        self._squared_errors.append(squared_error)
        self._similarities.append(similarity)
        if self._last_error is not None:
            # d/dt restored - d/dt reference = d/dt (restored - reference): one frame of memory is enough.
            self._temporal_errors.append(255.0 * self._mean(np.abs(error - self._last_error)))
        self._last_error = error
        return FrameScore(psnr=_psnr_of(squared_error), ssim=similarity)

    @property
    def psnr(self) -> float:
        """In dB, from the mean squared error over all frames; NaN before the first."""
        return _psnr_of(_mean_or_nan(self._squared_errors))

    @property
    def ssim(self) -> float:
        """Mean over the frames; NaN before the first, and for frames smaller than the window."""
        return _mean_or_nan(self._similarities)

    @property
    def frame_to_frame_error(self) -> float:
        """As :func:`frame_to_frame_error`, in grey levels; NaN before the second frame."""
        return _mean_or_nan(self._temporal_errors)

    def _mean(self, values: NDArray[np.float64]) -> float:
        return float(values.mean() if self.where is None else values[:, self.where].mean())

    def _similarity(self, pixels: Pixels, reference: Pixels) -> float:
        if min(pixels.shape[-2:]) < SSIM_WINDOW:
            return math.nan
        similarity = ssim_map(pixels, reference)
        if self.where is None:
            return float(similarity.mean(dtype=np.float64))
        border = SSIM_WINDOW // 2
        inside = self.where[border:-border, border:-border]
        return float(similarity[:, inside].mean(dtype=np.float64)) if inside.any() else math.nan


def _psnr_of(mean_squared_error: float) -> float:
    return math.inf if mean_squared_error == 0.0 else -10.0 * math.log10(mean_squared_error)


def _mean_or_nan(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
