"""The view of what the detectors found, and the masks for a person to correct.

A folder gets three things::

    masks/000123.png     one per frame: paint white over what was missed, black over what is none
    masks.toml           says for which frames they are: give this file as --mask
    marked/000123.jpg    the frame with what was found in it: red is repaired, yellow is unsure and left alone

A video file gets the marked frames only.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.field_rate import at_frame_rate, pictures_per_frame
from reelprior.io.files import atomic_path, unwritable
from reelprior.io.frame import Frame
from reelprior.io.images import read_image
from reelprior.io.pictures import encode_jpeg, encode_png
from reelprior.io.probe import MediaInfo
from reelprior.io.reader import open_reader
from reelprior.io.writer import check_output, open_writer
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["check_mark", "mark", "marked_picture"]

_RED, _YELLOW = (1.0, 0.1, 0.1), (1.0, 0.9, 0.1)


def check_mark(path: str, *, source: MediaInfo, overwrite: bool) -> None:
    """Refuse before any work what cannot be written.

    Raises
    ------
    OutputError
        If a video of that name cannot be written, or a folder holds something already.
    """
    if Path(path).suffix:
        check_output(path, source=source, coding=Coding(), overwrite=overwrite)
    elif Path(path).exists() and (not Path(path).is_dir() or (any(Path(path).iterdir()) and not overwrite)):
        raise OutputError(f"{path}: exists already: give --overwrite, or another --mark")


def mark(path: str, footage: Footage, directory: JobDirectory) -> None:
    """Write the view of what `detection.detect` left in a job directory.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if Path(path).suffix:
        _write_video(path, footage, directory)
        return
    folder = Path(path)
    try:
        for part in ("masks", "marked"):
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).mkdir(parents=True)
        for frame, found in _source_frames(footage, directory):
            name = f"{frame.index:06d}"
            with atomic_path(folder / "masks" / f"{name}.png") as temporary:
                temporary.write_bytes(encode_png(np.repeat(found[None], 3, axis=0)))
            with atomic_path(folder / "marked" / f"{name}.jpg") as temporary:
                temporary.write_bytes(encode_jpeg(marked_picture(frame.pixels, found)))
        with atomic_path(folder / "masks.toml") as temporary:
            temporary.write_text(_list_of(_frames_of(footage)), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error


def marked_picture(pixels: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32]:
    """A frame with what was found in it.

    Parameters
    ----------
    pixels
        (3, H, W) float32 in [0, 1].
    found
        (H, W) float32: confidence.

    Returns
    -------
    NDArray[np.float32]
        (3, H, W): tinted, with a line around it; red where sure, yellow where unsure.
    """
    marked = pixels.copy()
    for area, colour in ((found > 0, _YELLOW), (found >= 0.5, _RED)):
        around = cv2.dilate(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        outline = around & ~(cv2.dilate(area.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        tint = np.array(colour, np.float32)[:, None]
        marked[:, area] = 0.6 * pixels[:, area] + 0.4 * tint
        marked[:, outline] = tint
    return marked


def _write_video(path: str, footage: Footage, directory: JobDirectory) -> None:
    """The pictures that the output will have, with its times."""
    job, index, frames = footage.job, footage.written_index, footage.written_frames
    writer = open_writer(
        path, source=footage.source, coding=Coding(), overwrite=job.overwrite, index=index, frames=frames
    )
    with writer, open_reader(job.input, index, reading=job.settings.source.reading) as reader:
        for frame in reader.read(frames.start, frames.stop):
            found = read_image(directory.mask_path(frame.index * footage.treatment.every))[0][0]
            picture = marked_picture(frame.pixels, found)
            writer.write(Frame(picture, frame.index, frame.pts, frame.duration, frame.time_base))


def _frames_of(footage: Footage) -> range:
    """Frames, also where each of their fields is a picture: masks are given for frames."""
    per = pictures_per_frame(footage.index)
    return range(footage.frames.start // per, footage.frames.stop // per)


def _source_frames(footage: Footage, directory: JobDirectory) -> Iterator[tuple[Frame, NDArray[np.float32]]]:
    """Each frame with the confidence (H, W) of what was found in it, or in either of its fields."""
    per, frames = pictures_per_frame(footage.index), _frames_of(footage)
    index = footage.index if per == 1 else at_frame_rate(footage.index)
    with open_reader(footage.job.input, index, reading=footage.job.settings.source.reading) as reader:
        for frame in reader.read(frames.start, frames.stop):
            paths = [directory.mask_path(per * frame.index + k) for k in range(per)]
            yield frame, np.max([read_image(path)[0][0] for path in paths], axis=0)


def _list_of(frames: range) -> str:
    return (
        "# Masks of the defects that were found in these frames. White is missing, grey below half is left alone:\n"
        "# paint white over what was missed and black over what is none, and give this file as --mask.\n"
        f'[[mask]]\npath = "masks"\nframes = "{frames.start}:{frames.stop}"\n'
    )
