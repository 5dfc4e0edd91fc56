"""Noise that is correlated, as that of real footage is: grain of more than a pixel, and noise that a codec has coded.

Both are added to clean clips and taken off by `--denoise auto`, which has to find out how strong they are, and by
V-BM3D, which is told what gives it the best result.
"""

from fractions import Fraction
from pathlib import Path

import av
import clips
import cv2
import numpy as np
from clips import Case, Video
from measuring import psnr_of, vapoursynth
from methods import PEERS
from peak import run_measured
from session import Session
from table import Section, Table, at_least
from vapoursynth_environment import MissingError

__all__ = ["coded", "grainy", "measure"]

_FRAMES, _SEED, _SIGMA_8BIT, _GRAIN, _CRF = 8, 7, 12.0, 0.7, 18
#: What V-BM3D is told, times the sigma that was added: by ground truth the best of them counts.
_TOLD = (0.5, 0.75, 1.0, 1.5, 2.0)
_PEER = "V-BM3D np"


def measure(session: Session) -> Section:
    """Grain and coded noise on every clip."""
    rows: list[tuple[str, ...]] = []
    gains: dict[str, list[float]] = {"grain": [], "coded noise": []}
    for case in session.cases():
        clean = clips.load(case, data=session.data, count=session.frames or _FRAMES)
        clean = clean[:, : clean.shape[1] // 2 * 2, : clean.shape[2] // 2 * 2]
        grain = session.clip(f"{case.name}-grain")
        clips.write(grain, grainy(clean, blur=_GRAIN))
        noisy = coded(session.clip(f"{case.name}-coded-noise").with_suffix(".mp4"), grainy(clean, blur=0))
        for kind, source in (("grain", grain), ("coded noise", noisy)):
            output = session.clip(f"{case.name}-{source.stem}-restored")
            run_measured(session.command(source, output, denoise="auto"))
            ours = psnr_of(clips.decode(output), clean)
            before, peer = psnr_of(clips.decode(source), clean), _peer(session, case, source, clean)
            rows.append((f"{case.name}, {kind}", f"{before:.2f}", f"{peer:.2f}", f"{ours:.2f}"))
            gains[kind].append(ours - peer)
    figures = [
        at_least(
            f"{kind}: PSNR over {_PEER} that is told the best sigma, mean",
            float(np.mean(found)),
            0.0,
            unit="dB",
        )
        for kind, found in gains.items()
        if np.isfinite(found).all()
    ]
    told = ", ".join(f"{_SIGMA_8BIT * share:g}" for share in _TOLD)
    notes = [
        f"Sigma {_SIGMA_8BIT:g}, the first {_FRAMES} frames of each clip. Grain: smoothed by a Gaussian of {_GRAIN} "
        f"pixels and brought to that sigma again. Coded noise: white, coded by x264 at crf {_CRF}, 4:2:0. Ours: "
        f"`--denoise auto`. {_PEER} is told each of {told}, and what gives the highest PSNR counts."
    ]
    return Section(
        "Grain", figures, [Table(("PSNR, dB", "as is", f"{_PEER}, best", "reelprior"), rows)], notes
    )


def grainy(clean: Video, *, blur: float) -> Video:
    """(T, H, W, 3) with Gaussian noise, smoothed by so many pixels; clipped and rounded to 8 bits."""
    noise = np.random.default_rng(_SEED).normal(0, 1, clean.shape)
    if blur:
        noise = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in noise])
    noise *= _SIGMA_8BIT / noise.std()
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def coded(path: Path, clip: Video) -> Path:
    """Write a clip of even sides as H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(25), options={"crf": str(_CRF), "threads": "1"}
        )
        stream.height, stream.width, stream.pix_fmt = clip.shape[1], clip.shape[2], "yuv420p"
        for frame in clip:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode(None))
    return path


def _peer(session: Session, case: Case, source: Path, clean: Video) -> float:
    """The peer's best PSNR in dB; NaN where it is not there."""
    python = vapoursynth(session)
    if isinstance(python, MissingError):
        return float("nan")
    peer = next(peer for peer in PEERS if peer.name == _PEER)
    noisy, output = (session.output / "clips" / f"{case.name}-grain{end}.npy" for end in ("", "-restored"))
    np.save(noisy, clips.decode(source))
    scores = []
    for share in _TOLD:
        run_measured(peer.command(noisy, output, sigma_8bit=share * _SIGMA_8BIT, python=python))
        scores.append(psnr_of(np.load(output), clean))
    return max(scores)
