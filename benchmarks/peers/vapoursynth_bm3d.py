"""BM3D and V-BM3D (Dabov et al., TIP 2007; EUSIPCO 2007) by the VapourSynth plugin ``bm3d``, in opponent colours.

Runs in an environment that has VapourSynth (see ``vapoursynth_environment.py``) and knows nothing else of this
project. Both steps are done: the hard-thresholded estimate guides the Wiener step. Noise that depends on the signal is
stabilised before.
"""

import numpy as np
import vapoursynth as vs
from anscombe import Stabiliser
from numpy.typing import NDArray
from script import Video, parser, serve

__all__ = ["denoise"]

#: The plugin's number for opponent colours.
_OPPONENT = 100
#: Keep the samples in single precision.
_SINGLE = 1

Pixels = NDArray[np.float32]


def denoise(noisy: Pixels, *, sigma: float, profile: str, radius: int) -> Pixels:
    """Denoise (T, H, W, 3) in [0, 1]; ``radius`` 0 is BM3D, else V-BM3D over as many frames before and after."""
    bm3d = vs.core.bm3d
    clip = bm3d.RGB2OPP(_node(noisy), sample=_SINGLE)
    strength = {"profile": profile, "sigma": [sigma] * 3, "matrix": _OPPONENT}
    if radius == 0:
        final = bm3d.Final(clip, bm3d.Basic(clip, **strength), **strength)
    else:
        over = {"radius": radius, "sample": _SINGLE}
        basic = bm3d.VAggregate(bm3d.VBasic(clip, radius=radius, **strength), **over)
        final = bm3d.VAggregate(bm3d.VFinal(clip, basic, radius=radius, **strength), **over)
    frames = bm3d.OPP2RGB(final, sample=_SINGLE).frames()
    return np.stack([np.stack([np.asarray(frame[plane]) for plane in range(3)], -1) for frame in frames])


def _restore(
    noisy: Video, *, stabiliser: Stabiliser | None, sigma: float, profile: str, radius: int
) -> Video:
    pixels = noisy.astype(np.float32) / np.float32(255)
    if stabiliser is None:
        restored = denoise(pixels, sigma=sigma, profile=profile, radius=radius)
    else:
        stable = stabiliser.forward(pixels)
        restored = stabiliser.inverse(
            denoise(stable, sigma=stabiliser.sigma_8bit, profile=profile, radius=radius)
        )
    return np.clip(np.rint(255 * restored), 0, 255).astype(np.uint8)


def _node(clip: Pixels) -> vs.VideoNode:
    length, height, width, _ = clip.shape
    blank = vs.core.std.BlankClip(format=vs.RGBS, width=width, height=height, length=length)

    def picture(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane in range(3):
            np.copyto(np.asarray(frame[plane]), clip[n, :, :, plane])
        return frame

    return vs.core.std.ModifyFrame(blank, blank, picture)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--profile", required=True, help="fast, lc, np, high or vn")
    arguments.add_argument("--radius", type=int, required=True, help="0 for BM3D")
    arguments.add_argument("--gain", type=float, default=0.0, help="of noise that depends on the signal")
    arguments.add_argument("--offset", type=float, default=0.0, help="of the same")
    options = arguments.parse_args()
    serve(
        options,
        lambda noisy: _restore(
            noisy,
            stabiliser=Stabiliser(options.gain, options.offset) if options.gain else None,
            sigma=options.sigma,
            profile=options.profile,
            radius=options.radius,
        ),
    )
