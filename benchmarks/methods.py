"""What is compared: the engine in its variants, and its peers, each with the settings that serve it best.

A method is a command line that reads a noisy clip and writes a restored one; see ``peers/script.py`` for those of the
peers. Adding an engine variant is a line of `ENGINES`, adding a peer one of `PEERS`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

__all__ = ["BAR", "ENGINES", "PEERS", "Engine", "Extent", "Peer"]

#: The dearer a method, the less of the comparison it takes part in.
Extent = Literal["everywhere", "sigma 25", "sigma 25, packaged clips"]

_SCRIPTS = Path(__file__).with_name("peers")
#: Noise levels that strengths were chosen for, each the best of a few values by the mean PSNR of some clips.
_LEVELS = (10.0, 25.0, 50.0)


@dataclass(frozen=True)
class Engine:
    """The engine with some options of its command line.

    Attributes
    ----------
    options
        Of ``reelprior restore``.
    extent
        Where it takes part.
    """

    name: str
    options: tuple[str, ...] = ()
    extent: Extent = "everywhere"


@dataclass(frozen=True)
class Peer:
    """Another method.

    Attributes
    ----------
    script
        In ``peers/``.
    options
        From the noise's sigma in grey levels.
    frames
        As many frames of a clip are restored at most: for the slow ones.
    extent
        Where it takes part.
    needs_vapoursynth
        Whether it runs in VapourSynth's environment.
    takes_profile
        Whether it is told the gain and offset of noise that depends on the signal.
    """

    name: str
    script: str
    options: Callable[[float], tuple[str, ...]]
    frames: int | None = None
    extent: Extent = "everywhere"
    needs_vapoursynth: bool = False
    takes_profile: bool = False

    def command(
        self, noisy: Path, restored: Path, *, sigma_8bit: float, python: str = sys.executable
    ) -> list[str]:
        """The command line, run with an interpreter that has what the script needs."""
        files = [str(_SCRIPTS / self.script), str(noisy), str(restored)]
        return [python, *files, "--sigma", f"{sigma_8bit:g}", *self.options(sigma_8bit)]


def _vbm3d(profile: str, radius: int) -> Callable[[float], tuple[str, ...]]:
    return lambda _: ("--profile", profile, "--radius", str(radius))


def _at(sigma_8bit: float, values: tuple[float, float, float]) -> float:
    return round(float(np.interp(sigma_8bit, _LEVELS, values)), 2)


def _planes(option: str) -> str:
    return ":".join(option.replace("#", str(plane)) for plane in range(3))


def _opencv(sigma: float) -> tuple[str, ...]:
    return ("--strength", f"{_at(sigma, (6, 15, 25)):g}")


def _nlmeans(sigma: float) -> tuple[str, ...]:
    return ("--graph", f"nlmeans=s={_at(sigma, (3.5, 9, 15)):g}:p=5:r=11")


def _bm3d(sigma: float) -> tuple[str, ...]:
    # Groups of blocks and the second step, which make the method, make this filter worse.
    strength = _at(sigma, (42, 120, 240))
    return ("--graph", f"bm3d=sigma={strength:g}:block=8:bstep=4:group=1")


def _atadenoise(sigma: float) -> tuple[str, ...]:
    one, all_ = _at(sigma, (0.12, 0.3, 0.3)), _at(sigma, (0.35, 0.6, 0.9))
    return ("--graph", "atadenoise=" + _planes(f"#a={one:g}:#b={all_:g}") + ":s=5")


def _fftdnoiz(sigma: float) -> tuple[str, ...]:
    return ("--graph", f"fftdnoiz=sigma={_at(sigma, (15, 80, 100)):g}:block=32:overlap=0.5:prev=1:next=1")


ENGINES = (
    Engine("reelprior"),
    Engine("reelprior draft", ("--quality", "draft"), extent="sigma 25"),
    Engine("reelprior best", ("--quality", "best"), extent="sigma 25, packaged clips"),
)
#: The peer that the engine's figures are measured against.
BAR = "V-BM3D np"
PEERS = (
    Peer("OpenCV NLM", "opencv_nlm.py", _opencv),
    Peer("FFmpeg nlmeans", "ffmpeg_filter.py", _nlmeans, frames=4),
    Peer("FFmpeg bm3d", "ffmpeg_filter.py", _bm3d),
    Peer("FFmpeg atadenoise", "ffmpeg_filter.py", _atadenoise),
    Peer("FFmpeg fftdnoiz", "ffmpeg_filter.py", _fftdnoiz),
    Peer(
        "ZS-N2N", "zs_n2n.py", lambda _: ("--iterations", "2000"), frames=1, extent="sigma 25, packaged clips"
    ),
    Peer("BM3D", "vapoursynth_bm3d.py", _vbm3d("np", 0), needs_vapoursynth=True, takes_profile=True),
    Peer(BAR, "vapoursynth_bm3d.py", _vbm3d("np", 4), needs_vapoursynth=True, takes_profile=True),
    Peer(
        "V-BM3D high",
        "vapoursynth_bm3d.py",
        _vbm3d("high", 4),
        extent="sigma 25",
        needs_vapoursynth=True,
        takes_profile=True,
    ),
)
