"""Times and cost: times and sound against the source, and reading and writing against plain transcoding."""

import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import clips
from av.codec.context import ThreadType
from av.video.frame import PictureType
from av.video.stream import VideoStream
from containers import clocks, copy_film
from sources import make_film, packets, seconds, video_times
from table import Figure, Section, Table, at_most

from reelprior.io.coding import Coding, video_encoding
from reelprior.io.probe import probe

__all__ = ["CASES", "TARGETS", "compare", "measure_cost", "measure_sync"]

_NTSC = Fraction(1001, 1000)
#: Name: suffix and arguments of `make_film`.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "25 frames a second": (".mkv", {}),
    "23.976 (24000/1001)": (".mp4", {"rate": 24 / _NTSC, "pts": range(48)}),
    "29.97 (30000/1001)": (".mov", {"rate": 30 / _NTSC, "pts": range(48)}),
    "59.94 (60000/1001)": (".ts", {"rate": 60 / _NTSC, "pts": range(48)}),
    "variable frame rate": (
        ".mp4",
        {"pts": [0, 512, 1024, 3000, 3001, 9000], "time_base": Fraction(1, 12800)},
    ),
    "B-frames and an edit list": (".mp4", {"pts": range(24), "options": {"bf": "3"}}),
    "begins late": (".mkv", {"pts": range(125, 135)}),
    "begins before zero": (
        ".mkv",
        # not H.264, whose times before zero FFmpeg's reader of Matroska does not give out
        {"video": "ffv1", "pts": range(-5, 10), "container_options": {"avoid_negative_ts": "disabled"}},
    ),
    "one frame": (".mp4", {"pts": [0]}),
    "two frames": (".avi", {"pts": [0, 1], "video": "mpeg4"}),
}
TARGETS = (".mkv", ".mp4", ".mov")


def measure_sync(folder: Path) -> Section:
    """One row per case, one column per container."""
    rows, all_same = [], True
    for number, (name, (suffix, arguments)) in enumerate(CASES.items()):
        source = folder / f"times-{number}{suffix}"
        make_film(source, audio="libmp3lame" if suffix == ".avi" else "aac", **arguments)
        cells = []
        for target in TARGETS:
            copy_film(source, folder / f"copy{target}")
            same, words = compare(source, folder / f"copy{target}")
            all_same = all_same and same
            cells.append(words)
        rows.append((name, *cells))
    figure = Figure(
        "sync: times of frames, packets of sound and their times",
        all_same,
        "identical" if all_same else "DIFFERENT",
        "identical, as far as the container's clock can say",
        all_same,
    )
    notes = [
        "Cells: largest difference of a frame's and of a sound packet's time in milliseconds; bytes of packets are "
        "identical in all of them, or the cell says so. The clock of Matroska counts milliseconds: times of other "
        "clocks are rounded by up to half of one, for pictures and sound alike; MP4 and QuickTime keep "
        "those of pictures exactly and count sound in samples. "
        "A film that begins before zero is moved as a whole to begin at zero there, since players of these skip what "
        "is earlier."
    ]
    return Section("Times", [figure], [Table(["source", *(t[1:] for t in TARGETS)], rows)], notes)


def compare(source: Path, target: Path) -> tuple[bool, str]:
    """Whether all is the same but for the container's clock; and the differences in words."""
    units = list(clocks(target).values())
    before, after = video_times(source), video_times(target)
    old, new = packets(source, 1), packets(target, 1)
    shift = Fraction(0) if target.suffix == ".mkv" else max(-before[0], Fraction(0))
    if len(before) != len(after) or len(old) != len(new):
        return False, f"{len(before)} frames, {len(old)} packets became {len(after)}, {len(new)}"
    if not all(
        a[1].endswith(b[1]) for a, b in zip(old, new, strict=True)
    ):  # framing of sound in transport streams
        return False, "packets differ"
    frames = max(abs(a + shift - b) for a, b in zip(before, after, strict=True))
    sounds = max(
        (abs(a + shift - b) for a, b in zip(_known(old), _known(new), strict=True)), default=Fraction(0)
    )
    same = frames <= units[0] / 2 and sounds <= units[1] / 2
    return same, f"{float(frames * 1000):.2f} / {float(sounds * 1000):.2f}"


def _known(sound: list[tuple[Fraction | None, bytes]]) -> list[Fraction]:
    return [time for time, _ in sound if time is not None]


def measure_cost(folder: Path, *, data: Path, frames: int = 48) -> Section:
    """CPU time of reading and writing against plain transcoding to the same coding."""
    clip = folder / "clip.mkv"
    _cut(clips.find_clip("bigbuckbunny.mp4", data=data), clip, frames)
    rows, figures = [], []
    for codec in ("ffv1", "h264"):
        coding = Coding(codec=codec)
        plain = _cpu_seconds(partial(_transcode, clip, folder / "plain.mkv", coding))
        ours = _cpu_seconds(partial(copy_film, clip, folder / "ours.mkv", coding))
        rows.append(
            (codec, f"{plain / frames * 1000:.1f}", f"{ours / frames * 1000:.1f}", f"{ours / plain:.2f}")
        )
        figures.append(
            at_most(f"reading, converting, writing against plain transcoding, {codec}", ours / plain, 2.0)
        )
    notes = [
        f"{frames} frames of bigbuckbunny.mp4, 1280x720, with its sound; CPU time, so that a busy machine does not "
        "count. Ours includes the scan (a second decoding with scene scores), conversion to floats and back, and "
        "the checks before the work; not the chunk store."
    ]
    return Section(
        "Cost", figures, [Table(("codec", "plain, ms a frame", "ours, ms a frame", "times"), rows)], notes
    )


def _cpu_seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _cut(source: Path, target: Path, frames: int) -> None:
    """The beginning of a clip, packets as they are."""
    with av.open(str(source)) as original, av.open(str(target), "w") as output:
        kept = (original.streams.video[0], original.streams.audio[0])
        copies = {stream.index: output.add_stream_from_template(stream) for stream in kept}
        rate = original.streams.video[0].average_rate
        assert rate is not None
        for packet in original.demux(kept):
            if (
                packet.size
                and packet.dts is not None
                and seconds(packet.dts, packet.time_base) < frames / rate
            ):
                packet.stream = copies[packet.stream.index]
                output.mux(packet)


def _transcode(source: Path, target: Path, coding: Coding) -> None:
    video = probe(source).video
    encoding = video_encoding(
        target, coding, source_pix_fmt=video.pix_fmt, width=video.width, height=video.height
    )
    with av.open(str(source)) as original, av.open(str(target), "w") as output:
        pictures, sound = original.streams.video[0], original.streams.audio[0]
        pictures.thread_type = ThreadType.SLICE
        stream = output.add_stream(
            encoding.encoder, rate=pictures.average_rate, options=dict(encoding.options)
        )
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, encoding.pix_fmt
        stream.codec_context.thread_type = ThreadType.SLICE if coding.codec == "ffv1" else ThreadType.AUTO
        stream.codec_context.time_base = stream.time_base = video.time_base
        copy = output.add_stream_from_template(sound)
        for packet in original.demux(pictures, sound):
            if packet.stream is sound:
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
                continue
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                frame.pict_type = PictureType.NONE
                output.mux(stream.encode(frame))
        output.mux(stream.encode())
