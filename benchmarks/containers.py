"""Containers: every kind of stream, from every container into every other one: it is kept, or refused before the work.

Nothing is restored: frames go from the reader to the writer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from sources import make_film, packets, seconds, video_times
from table import Figure, Section, Table

from reelprior.io.coding import Coding, codec_names
from reelprior.io.errors import MediaError, OutputError
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import check_output, open_writer

__all__ = ["SOURCES", "TARGETS", "Source", "clocks", "copy_film", "measure", "verdict", "verdict_of_codec"]

TARGETS = (".mkv", ".mp4", ".mov", ".webm", ".mxf", ".avi", ".ts")
_VIDEO_OF = {
    ".mkv": "ffv1", ".mp4": "libx264", ".mov": "prores_ks", ".mxf": "mpeg2video", ".avi": "mpeg4",
    ".webm": "libvpx-vp9", ".ts": "libx264",
}  # fmt: skip
_VIDEOS = (
    "ffv1",
    "libx264",
    "libx265",
    "libsvtav1",
    "libvpx-vp9",
    "mpeg2video",
    "mpeg4",
    "mjpeg",
    "prores_ks",
    "dnxhd",
    "utvideo",
    "v210",
    "huffyuv",
    "dvvideo",
)
_SOUNDS = (
    "aac",
    "libmp3lame",
    "mp2",
    "ac3",
    "eac3",
    "flac",
    "alac",
    "libopus",
    "libvorbis",
    "pcm_s16le",
    "pcm_s24le",
)
_SUBTITLES = ("srt", "ass", "webvtt", "mov_text")


@dataclass(frozen=True)
class Source:
    """A container and the stream in it that is in question."""

    suffix: str
    video: str
    audio: str | None = None
    subtitles: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.suffix[1:]}: {self.subtitles or self.audio or self.video}"


def _sources() -> Iterator[Source]:
    for suffix, usual in _VIDEO_OF.items():
        yield from (Source(suffix, video) for video in _VIDEOS)
        yield from (Source(suffix, usual, audio=sound) for sound in _SOUNDS)
        yield from (Source(suffix, usual, subtitles=words) for words in _SUBTITLES)


SOURCES = tuple(_sources())


def measure(folder: Path) -> Section:
    """Both tables."""
    rows, verdicts = [], []
    for number, source in enumerate(SOURCES):
        path = folder / f"source-{number}{source.suffix}"
        try:
            make_film(path, video=source.video, audio=source.audio, subtitles=source.subtitles)
            has_all = len(probe(path).streams) == (source.audio is not None) + (source.subtitles is not None)
        except (av.FFmpegError, ValueError, OSError, MediaError):
            has_all = False
        if has_all:  # else there is no such file
            row = [verdict(path, folder / f"target{suffix}") for suffix in TARGETS]
            verdicts += row
            rows.append((source.name, *row))
    film = make_film(folder / "codecs.mkv", video="ffv1")
    by_codec = [
        (codec, *(verdict_of_codec(film, folder / f"target{suffix}", codec) for suffix in TARGETS))
        for codec in codec_names()
    ]
    verdicts += [cell for _, *cells in by_codec for cell in cells]
    good = sum(cell in ("kept", "refused") for cell in verdicts)
    count = f"{good} of {len(verdicts)}"
    figure = Figure(
        "containers and codecs: output valid, or refused before the work",
        good / len(verdicts),
        f"{100 * good / len(verdicts):.0f} % ({count})",
        "100 %",
        good == len(verdicts),
    )
    heading = [suffix[1:] for suffix in TARGETS]
    notes = [
        "First table: rows are sources (container: stream in question, beside a picture), columns are outputs "
        "with their usual codec. *kept*: the output opens, has all frames at their times and every packet of the "
        "copied streams with its bytes and its time, to half a unit of the stream's clock. *refused*: one line "
        "before the work that names the stream and the remedy (`--drop-incompatible` goes on without). Only rows "
        "that FFmpeg's muxers can make are here. Second table: output codecs, source FFV1. AVI and MXF tell no times: "
        "frames at one rate, sound from the first frame on (in MXF, to the end of the last one); compressed sound "
        "usually begins a little before the picture, and is refused there. AVI, MXF and transport streams may move "
        "the film as a whole.",
    ]
    return Section(
        "Containers and streams",
        [figure],
        [Table(["source", *heading], rows), Table(["output codec", *heading], by_codec)],
        notes,
    )


def verdict(source: Path, target: Path, coding: Coding | None = None) -> str:
    """ "kept", "refused" or what is wrong with the output."""
    try:
        index = scan(source)
        frames = range(len(index))
        check_output(
            target,
            source=probe(source),
            coding=coding or Coding(),
            overwrite=True,
            frames=frames,
            index=index,
        )
    except OutputError as error:
        return "refused" if "\n" not in str(error) else "several lines"
    try:
        copy_film(source, target, coding)
    except MediaError as error:
        return f"FAILS AFTER THE WORK ({str(error).rpartition('(')[2].partition(')')[0]})"
    return _differences(source, target) or "kept"


def verdict_of_codec(source: Path, target: Path, codec: str) -> str:
    """The same for an output codec."""
    return verdict(source, target, Coding(codec=codec))


def copy_film(source: Path, target: Path, coding: Coding | None = None) -> None:
    """Read and write, without restoring anything between."""
    info, index = probe(source), scan(source)
    frames = range(len(index))
    with (
        open_reader(source, index, clip=False) as reader,
        open_writer(
            target, source=info, coding=coding or Coding(), overwrite=True, index=index, frames=frames
        ) as writer,
    ):
        for frame in reader.read(0):
            writer.write(frame)


def _differences(source: Path, target: Path) -> str:
    index = scan(source)
    times = video_times(target)
    first = index.pts[0] * index.time_base
    if target.suffix in (".avi", ".mxf", ".ts"):  # moved as a whole, by what the pictures say
        shift = times[0] - first
    else:
        shift = Fraction(0) if target.suffix in (".mkv", ".webm") else max(-first, Fraction(0))
    before, after = clocks(source), clocks(target)
    expected = [time * index.time_base + shift for time in index.pts]
    unit = after.pop(0)  # the picture comes first
    if len(times) != len(expected) or any(
        abs(a - b) > unit / 2 for a, b in zip(times, expected, strict=True)
    ):
        return "WRONG TIMES"
    copies = list(before)[1:]
    if len(copies) != len(after):
        return "STREAMS LOST"
    for one, (other, unit) in zip(copies, after.items(), strict=True):
        old, new = packets(source, one), packets(target, other)
        if probe(target).streams[other - 1].codec.startswith("pcm"):  # cut into packets anew by every muxer
            same = b"".join(data for _, data in old) == b"".join(data for _, data in new)
        else:  # the framing of sound from transport streams is not part of it
            same = len(old) == len(new) and all(
                a[1].endswith(b[1]) or b[1].endswith(a[1]) for a, b in zip(old, new, strict=True)
            )
            pairs = zip(old, new, strict=False)
            same = same and all(
                a[0] is None or (b[0] is not None and abs(a[0] + shift - b[0]) <= unit / 2) for a, b in pairs
            )
        if not same:
            return "PACKETS DIFFER"
    return ""


def clocks(path: Path) -> dict[int, Fraction]:
    """The unit of time of every stream by its index, without timecode tracks, which muxers make from a tag."""
    with av.open(str(path)) as container:
        return {
            s.index: seconds(1, s.time_base)
            for s in container.streams
            if s.type != "data" or "timecode" not in s.metadata
        }
