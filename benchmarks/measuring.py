"""One method on one clip: run in a process of its own, scored against the clean frames."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clips
import numpy as np
from clips import Case, Video
from methods import Engine, Peer
from noises import Noise
from peak import run_measured
from session import Session
from vapoursynth_environment import MissingError, python_with_vapoursynth

from reelprior.pipeline.metrics import ClipScore, psnr

__all__ = ["NOISY", "Measurement", "Subject", "measure_method", "psnr_of", "vapoursynth"]

#: The name of what has not been restored at all.
NOISY = "noisy"


@dataclass(frozen=True)
class Subject:
    """A clip with noise, and the files that hold it."""

    case: Case
    noise: Noise
    clean: Video
    noisy: Video

    @classmethod
    def of(cls, case: Case, noise: Noise, *, data: Path, frames: int | None = None) -> "Subject":
        """Load the clean frames and make them noisy."""
        clean = clips.load(case, data=data, count=frames)
        return cls(case, noise, clean, noise.add(clean))

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.case.name}-{self.noise.name}"

    @property
    def sigma_8bit(self) -> float:
        """What a method is told that wants one standard deviation."""
        return self.noise.sigma_8bit(self.clean)


@dataclass(frozen=True)
class Measurement:
    """What was measured of a method on a clip.

    Attributes
    ----------
    command
        The options that it ran with.
    psnr, ssim, frame_to_frame_error
        Of all frames: dB, [-1, 1], grey levels.
    psnr_of_frames
        In dB.
    seconds_per_frame, peak_bytes
        None for what was not computed.
    """

    method: str
    clip: str
    noise: str
    frames: int
    psnr: float
    ssim: float
    frame_to_frame_error: float
    psnr_of_frames: tuple[float, ...]
    seconds_per_frame: float | None = None
    peak_bytes: int | None = None
    command: str = ""


def measure_method(session: Session, subject: Subject, method: Engine | Peer | None) -> Measurement | None:
    """Restore and score; None is the noisy clip itself. Measured once in a run, whoever asks.

    Returns
    -------
    Measurement or None
        None if the method cannot run on this machine.
    """
    name = NOISY if method is None else method.name
    key = f"{subject.name}/{name}/{len(subject.clean)}"
    if key not in session.memo:
        print(f"  {subject.noise.name} {subject.case.name}: {name}", file=sys.stderr, flush=True)
        session.memo[key] = _run(session, subject, method)
    memo: Measurement | None = session.memo[key]
    return memo


def vapoursynth(session: Session) -> str | MissingError:
    """The interpreter with VapourSynth, or why there is none; looked for once in a run."""
    if "vapoursynth" not in session.memo:
        try:
            session.memo["vapoursynth"] = python_with_vapoursynth(session.output / "vapoursynth")
        except MissingError as reason:
            session.memo["vapoursynth"] = reason
    found: str | MissingError = session.memo["vapoursynth"]
    return found


def psnr_of(restored: Video, clean: Video) -> float:
    """In dB, from the squared error over everything; 8-bit clips or pictures."""
    return psnr(restored / 255, clean / 255)


def _run(session: Session, subject: Subject, method: Engine | Peer | None) -> Measurement | None:
    if method is None:
        return _scored(subject, NOISY, subject.noisy)
    if isinstance(method, Engine):
        return _run_engine(session, subject, method)
    return _run_peer(session, subject, method)


def _run_engine(session: Session, subject: Subject, engine: Engine) -> Measurement:
    source, output = session.clip(subject.name), session.clip(f"{subject.name}-{engine.name}")
    clips.write(session.clip(f"{subject.case.name}-clean"), subject.clean)
    clips.write(source, subject.noisy)
    denoise = subject.sigma_8bit if subject.noise.is_constant else "auto"
    command = session.command(source, output, *engine.options, denoise=denoise)
    facts, peak = run_measured(command)
    used = f"--denoise {denoise if isinstance(denoise, str) else f'{denoise:g}'} {' '.join(engine.options)}"
    return _scored(
        subject,
        engine.name,
        clips.decode(output),
        seconds_per_frame=facts["seconds_per_frame"],
        peak_bytes=peak,
        command=used.rstrip(),
    )


def _run_peer(session: Session, subject: Subject, peer: Peer) -> Measurement | None:
    python = vapoursynth(session) if peer.needs_vapoursynth else sys.executable
    if isinstance(python, MissingError):
        return None
    folder = session.output / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    noisy, restored = folder / "noisy.npy", folder / "restored.npy"
    frames = subject.noisy[: peer.frames]
    np.save(noisy, frames)
    command = peer.command(noisy, restored, sigma_8bit=subject.sigma_8bit, python=python)
    if peer.takes_profile and not subject.noise.is_constant:
        command += ["--gain", f"{subject.noise.gain:g}", "--offset", f"{subject.noise.offset:g}"]
    facts, peak = run_measured(command)
    return _scored(
        subject,
        peer.name,
        np.load(restored),
        seconds_per_frame=facts["seconds"] / len(frames),
        peak_bytes=peak,
        command=" ".join(command[4:]),
    )


def _scored(subject: Subject, method: str, restored: Video, **facts: Any) -> Measurement:
    scores = ClipScore()
    of_frames = [
        scores.add(_unit(pixels), _unit(reference)).psnr
        for pixels, reference in zip(restored, subject.clean[: len(restored)], strict=True)
    ]
    return Measurement(
        method=method,
        clip=subject.case.name,
        noise=subject.noise.name,
        frames=len(restored),
        psnr=scores.psnr,
        ssim=scores.ssim,
        frame_to_frame_error=scores.frame_to_frame_error,
        psnr_of_frames=tuple(of_frames),
        **facts,
    )


def _unit(picture: Video) -> np.ndarray:
    # (H, W, 3) -> (3, H, W), [0, 255] -> [0, 1]
    return np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float64) / 255
