"""Real film grain: no truth is known, so the methods are judged by pixels that they were not shown, and by eye.

Some pixels of every frame are replaced by the median of their neighbours before anything is restored, and the restored
picture is compared with the captured pixel there. Its noise is in the comparison, the same for all; what differs is
how well a method knows what was there. This is fair as far as grain is independent from pixel to pixel, which scanned
film is only nearly. The contact picture stays in the results folder: the film may not be redistributed.
"""

import clips
import cv2
import numpy as np
from clips import Video
from measuring import vapoursynth
from methods import ENGINES, PEERS
from peak import run_measured
from session import Session
from table import Section, Table
from vapoursynth_environment import MissingError

from reelprior.models.noise_estimate import estimate_noise

__all__ = ["hidden_error", "hide", "measure"]

_FOLDER = "film/rrtn_the_great_train_robbery"
#: The middle of the picture; a passage without a cut.
_FRAMES, _ROWS, _COLUMNS = range(0, 8), slice(64, 304), slice(80, 400)
#: Every so manyth pixel in both directions is hidden, at an offset that moves from frame to frame.
_STRIDE = 8
#: What the peers are told beside the measured sigma, which is low where a scanner has softened the grain.
_SIGMAS_8BIT = (2.0, 4.0, 8.0)
_SHOWN = ("OpenCV NLM", "FFmpeg fftdnoiz", "BM3D", "V-BM3D np", "V-BM3D high")


def measure(session: Session) -> Section:
    """Restore a passage of film with its grain."""
    folder = session.data / _FOLDER
    if not folder.is_dir():
        return Section("Film", notes=[f"Not measured: there is no {_FOLDER} in the folder of footage."])
    frames = _FRAMES[: session.frames or len(_FRAMES)]
    captured = np.ascontiguousarray(clips.read_images(folder, frames)[:, _ROWS, _COLUMNS])
    shown, hidden = hide(captured)
    sigma = round(
        255 * estimate_noise(captured.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)).noise.sigma,
        2,
    )
    restored = {
        "as captured, hidden pixels filled": shown,
        **_restored(session, shown, captured, hidden, sigma),
    }
    rows = [(name, f"{hidden_error(clip, captured, hidden):.3f}") for name, clip in restored.items()]
    picture = session.output / "film.png"
    _contact_picture([captured, *list(restored.values())[1:]]).tofile(picture)
    sigmas = ", ".join(f"{told:g}" for told in _SIGMAS_8BIT)
    notes = [
        f"{_FOLDER}, frames {frames.start} to {frames.stop}, the middle {captured.shape[2]}x{captured.shape[1]}; noise "
        f"measured as sigma {sigma:g}, of that and {sigmas} the peers are told what gives each the "
        f"least error. One of {_STRIDE**2} pixels hidden (replaced by the median "
        "of its neighbours). Root mean square of restored minus captured at the hidden pixels, in grey levels: "
        f"the grain itself is in it, so differences count. By eye: `{picture.name}` in the results folder, in this "
        f"order: captured, {', '.join(list(restored)[1:])}."
    ]
    return Section("Film", (), [Table(("film grain", "error at hidden pixels"), rows)], notes)


def hide(clip: Video) -> tuple[Video, np.ndarray]:
    """The clip with some pixels replaced by the median of their eight neighbours, and where: (T, H, W) bool."""
    hidden = np.zeros(clip.shape[:3], bool)
    shown = clip.copy()
    for t, frame in enumerate(clip):
        down, right = (3 * t) % _STRIDE, (5 * t) % _STRIDE
        hidden[t, down::_STRIDE, right::_STRIDE] = True
        padded = np.pad(frame, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        height, width = frame.shape[:2]
        around = [
            padded[dy : dy + height, dx : dx + width]
            for dy in range(3)
            for dx in range(3)
            if (dy, dx) != (1, 1)
        ]
        median = np.rint(np.median(np.stack(around), 0)).astype(np.uint8)
        shown[t][hidden[t]] = median[hidden[t]]
    return shown, hidden


def hidden_error(restored: Video, captured: Video, hidden: np.ndarray) -> float:
    """Root mean square difference at the hidden pixels, in grey levels."""
    difference = restored[hidden].astype(np.float64) - captured[hidden]
    return float(np.sqrt(np.mean(difference**2)))


def _restored(
    session: Session, shown: Video, captured: Video, hidden: np.ndarray, sigma: float
) -> dict[str, Video]:
    source = clips.write(session.clip("film-shown"), shown)
    noisy, output = session.output / "clips" / "film.npy", session.output / "clips" / "film-restored.npy"
    np.save(noisy, shown)
    restored = {}
    for peer in PEERS:
        python = vapoursynth(session) if peer.needs_vapoursynth else ""
        if peer.name in _SHOWN and session.wants(peer.name) and not isinstance(python, MissingError):
            options = {"python": python} if python else {}
            tried = []
            for told in (sigma, *_SIGMAS_8BIT):
                run_measured(peer.command(noisy, output, sigma_8bit=told, **options))
                tried.append(np.load(output))
            restored[peer.name] = min(tried, key=lambda clip: hidden_error(clip, captured, hidden))
    for engine in ENGINES:
        path = session.clip(f"film-{engine.name}")
        run_measured(session.command(source, path, *engine.options, denoise="auto"))
        restored[engine.name] = clips.decode(path)
    return restored


def _contact_picture(clips_shown: list[Video]) -> np.ndarray:
    middle = len(clips_shown[0]) // 2
    columns = -(-len(clips_shown) // 2)
    blank = np.zeros_like(clips_shown[0][0])
    pictures = [clip[middle] for clip in clips_shown] + [blank] * (2 * columns - len(clips_shown))
    rows = [np.hstack(pictures[:columns]), np.hstack(pictures[columns:])]
    return cv2.imencode(".png", np.vstack(rows)[..., ::-1])[1]
