"""Quality: PSNR, SSIM and frame-to-frame error of the default preset on three clips with noise of sigma 25.

Beside it stand the noisy clip, OpenCV's non-local means over neighbouring frames (run here, cheap), and V-BM3D
(quoted, not run: it needs another environment).
"""

import time
from dataclasses import dataclass
from pathlib import Path

import clips
import cv2
import numpy as np
from clips import CASES, Case, Video
from session import Session
from table import Section, Table, at_least

from reelprior.pipeline.metrics import ClipScore

__all__ = ["Restoration", "measure", "nlm_multi", "restored", "score"]

#: Strength and frames of the non-local means: of 8, 10, 12, 15, 20, 25, 30 and 40, what gives the clips the best PSNR.
_NLM_STRENGTH, _NLM_WINDOW = 15.0, 5

_NOTES = (
    "Noise: `numpy.random.default_rng(7).normal(0, 25, (T, H, W, 3))` on 8-bit R'G'B', rounded and clipped; the "
    "input is lossless. PSNR: from the squared error over all frames, pixels and channels of the 8-bit output. SSIM: "
    "per channel of R'G'B', Gaussian window of 11, averaged. Frame to frame: mean |d/dt restored - d/dt clean| in "
    "grey levels.",
    f"OpenCV: `fastNlMeansDenoisingColoredMulti`, {_NLM_WINDOW} frames, h = {_NLM_STRENGTH:g} (best of 8 to 40 over "
    "these clips), run in this run. "
    "V-BM3D: profile np, radius 4, OPP colour; measured by us earlier, VapourSynth R81, not in this run.",
)


@dataclass(frozen=True)
class Restoration:
    """A clip before and after, and how long the whole job took."""

    clean: Video
    noisy: Video
    restored: Video
    source: Path
    seconds_per_frame: float


def measure(session: Session) -> Section:
    """Score every case."""
    figures, rows = [], []
    for case in CASES:
        result = restored(session, case)
        ours = score(result.restored, result.clean)
        started = time.monotonic()
        baseline = nlm_multi(result.noisy)
        baseline_seconds = (time.monotonic() - started) / len(baseline)
        figures.append(at_least(f"PSNR, {case.name}", ours.psnr, case.wanted_psnr, unit="dB"))
        title = f"{case.name} {result.clean.shape[2]}x{result.clean.shape[1]}, {len(result.clean)} frames"
        rows += [
            _row(f"{title}: noisy", score(result.noisy, result.clean), "-"),
            _row(f"{case.name}: OpenCV", score(baseline, result.clean), f"{baseline_seconds:.2f}"),
            (f"{case.name}: V-BM3D np (quoted)", f"{case.vbm3d[0]:.2f}", "-", f"{case.vbm3d[1]:.1f}", "-"),
            _row(f"**{case.name}: reelprior**", ours, f"{result.seconds_per_frame:.2f}"),
        ]
    header = ("sigma 25", "PSNR, dB", "SSIM", "frame to frame", "s per frame")
    return Section("Quality", figures, [Table(header, rows)], _NOTES)


def restored(session: Session, case: Case) -> Restoration:
    """The case through the default preset; restored once in a run, whoever asks."""
    if case.name not in session.memo:
        clean = clips.load(case, data=session.data, count=session.frames)
        noisy = clips.add_noise(clean)
        clips.write(session.clip(f"{case.name}-clean"), clean)
        source = clips.write(session.clip(f"{case.name}-noisy"), noisy)
        output = session.clip(f"{case.name}-restored")
        result = session.restore(source, output)
        session.memo[case.name] = Restoration(
            clean, noisy, clips.decode(output), source, result.seconds / result.frames
        )
    memo: Restoration = session.memo[case.name]
    return memo


def score(clip: Video, clean: Video) -> ClipScore:
    """Scores of an 8-bit clip against the clean one."""
    scores = ClipScore()
    for pixels, reference in zip(clip, clean, strict=True):
        scores.add(_unit(pixels), _unit(reference))
    return scores


def nlm_multi(noisy: Video) -> Video:
    """OpenCV's non-local means over as many neighbours as its window has; fewer at the ends of the clip."""
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in noisy]  # R'G'B' -> B'G'R'
    result = []
    for t in range(len(frames)):
        radius = min(_NLM_WINDOW // 2, t, len(frames) - 1 - t)
        denoised = cv2.fastNlMeansDenoisingColoredMulti(
            frames, t, 2 * radius + 1, None, _NLM_STRENGTH, _NLM_STRENGTH, 7, 21
        )
        result.append(denoised[..., ::-1])
    return np.stack(result)


def _unit(picture: Video) -> np.ndarray:
    # (H, W, 3) -> (3, H, W), [0, 255] -> [0, 1]
    return np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float64) / 255


def _row(title: str, scores: ClipScore, seconds: str) -> tuple[str, ...]:
    return title, f"{scores.psnr:.2f}", f"{scores.ssim:.3f}", f"{scores.frame_to_frame_error:.1f}", seconds
