"""BM3D and V-BM3D (Dabov et al., TIP 2007; EUSIPCO 2007) by the VapourSynth plugin ``bm3d``, in opponent colours.

Runs in an environment that has VapourSynth (see ``vapoursynth_environment.py``) and knows nothing else of this
project. Both steps are done: the hard-thresholded estimate guides the Wiener step.
"""

import numpy as np
import vapoursynth as vs
from script import Video, parser, serve

__all__ = ["denoise"]

#: The plugin's number for opponent colours.
_OPPONENT = 100
#: Keep the samples in single precision.
_SINGLE = 1


def denoise(noisy: Video, *, sigma: float, profile: str, radius: int) -> Video:
    """Denoise; ``radius`` 0 is BM3D frame by frame, else V-BM3D over as many frames before and after."""
    bm3d = vs.core.bm3d
    clip = bm3d.RGB2OPP(vs.core.resize.Point(_node(noisy), format=vs.RGBS), sample=_SINGLE)
    strength = {"profile": profile, "sigma": [sigma] * 3, "matrix": _OPPONENT}
    if radius == 0:
        final = bm3d.Final(clip, bm3d.Basic(clip, **strength), **strength)
    else:
        over = {"radius": radius, "sample": _SINGLE}
        basic = bm3d.VAggregate(bm3d.VBasic(clip, radius=radius, **strength), **over)
        final = bm3d.VAggregate(bm3d.VFinal(clip, basic, radius=radius, **strength), **over)
    frames = bm3d.OPP2RGB(final, sample=_SINGLE).frames()
    pictures = (np.stack([np.asarray(frame[plane]) for plane in range(3)], -1) for frame in frames)
    return np.stack([np.clip(np.rint(255 * picture), 0, 255).astype(np.uint8) for picture in pictures])


def _node(clip: Video) -> vs.VideoNode:
    length, height, width, _ = clip.shape
    blank = vs.core.std.BlankClip(format=vs.RGB24, width=width, height=height, length=length)

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
    options = arguments.parse_args()
    serve(
        options,
        lambda noisy: denoise(noisy, sigma=options.sigma, profile=options.profile, radius=options.radius),
    )
