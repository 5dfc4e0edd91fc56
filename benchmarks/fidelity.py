"""Fidelity: what is not restored comes out as it went in: sound, subtitles, times, chapters and metadata."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import clips
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType
from session import Session
from sources import seconds
from table import Section, identical

if TYPE_CHECKING:
    from av.container.core import Chapter  # known to PyAV's stubs alone

__all__ = ["Facts", "facts_of", "measure"]

_FILE = "bigbuckbunny.mp4"
_FRAMES = 24
#: Left out of the source, so that its frames are not evenly spaced.
_GAP = range(8, 11)
_SIZE = (320, 180)
_METADATA = {"title": "Big Buck Bunny, beginning", "artist": "Blender Foundation", "comment": "für später"}
#: What a muxer writes about itself or about times it measures.
_OF_THE_MUXER = {"encoder", "duration", "creation_time"}
#: Pictures do not matter here.
_SETTINGS = ("fit.iterations=2",)

Packets = tuple[tuple[Fraction | None, bytes], ...]


@dataclass(frozen=True)
class Facts:
    """What a file holds beside its pictures; times in seconds."""

    times: tuple[Fraction, ...]
    audio: Packets
    subtitles: Packets
    chapters: tuple[tuple[Fraction, Fraction, str], ...]
    metadata: dict[str, str]
    languages: tuple[str | None, ...]


def measure(session: Session) -> Section:
    """Restore a clip that has everything, and compare."""
    count = session.frames or _FRAMES
    source, output = session.clip("fidelity"), session.clip("fidelity-restored")
    make_source(clips.find_clip(_FILE, data=session.data), source, frames=count)
    session.restore(source, output, overrides=_SETTINGS)
    before, after = facts_of(source), facts_of(output)
    compared = {
        "audio packets": (before.audio, after.audio, "packets and their times"),
        "subtitle packets": (before.subtitles, after.subtitles, "packets and their times"),
        "presentation times": (before.times, after.times, "frames"),
        "chapters": (before.chapters, after.chapters, "chapters"),
        "metadata": (before.metadata, after.metadata, "entries"),
        "languages of streams": (before.languages, after.languages, "streams"),
    }
    figures = [
        identical(f"{name}, output against input", bool(old) and old == new, what=f"{len(old)} {unit}")
        for name, (old, new, unit) in compared.items()
    ]
    width, height = _SIZE
    notes = [
        f"The first {count} frames of {_FILE}, reduced to {width}x{height}, H.264 with B-frames in Matroska, a gap in "
        "time; its own AAC packets; chapters, metadata and a subtitle stream added. Compared: times of decoded "
        "frames, bytes and times of packets; not what a muxer says of itself "
        f"({', '.join(sorted(_OF_THE_MUXER))}). `{'`, `'.join(_SETTINGS)}`, because pictures do not matter here."
    ]
    return Section("Fidelity", figures, notes=notes)


def facts_of(path: Path) -> Facts:
    """Read a file with PyAV alone."""
    with av.open(str(path)) as container:
        chapters = tuple(
            (
                seconds(chapter["start"], chapter["time_base"]),
                seconds(chapter["end"], chapter["time_base"]),
                chapter["metadata"].get("title", ""),
            )
            for chapter in container.chapters()
        )
        metadata = {
            key.lower(): value
            for key, value in container.metadata.items()
            if key.lower() not in _OF_THE_MUXER
        }
        languages = tuple(stream.metadata.get("language") for stream in container.streams)
        packets: dict[str, list[tuple[Fraction | None, bytes]]] = {"audio": [], "subtitle": []}
        for packet in container.demux():
            if packet.size and packet.stream.type in packets:
                time = None if packet.pts is None else seconds(packet.pts, packet.time_base)
                packets[packet.stream.type].append((time, bytes(packet)))
    with av.open(str(path)) as container:
        times = tuple(seconds(frame.pts, frame.time_base) for frame in container.decode(video=0))
    return Facts(times, tuple(packets["audio"]), tuple(packets["subtitle"]), chapters, metadata, languages)


def make_source(clip: Path, path: Path, *, frames: int) -> None:
    """Write the beginning of a clip with everything that a container can hold beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    script = path.with_suffix(".srt")
    script.write_text(
        "1\n00:00:00,040 --> 00:00:00,400\nGuten Tag\n\n2\n00:00:00,480 --> 00:00:00,800\nAde\n",
        encoding="utf-8",
    )
    with av.open(str(clip)) as original, av.open(str(script)) as words, av.open(str(path), "w") as output:
        source, sound, text = original.streams.video[0], original.streams.audio[0], words.streams.subtitles[0]
        video = output.add_stream("libx264", rate=source.average_rate, options={"crf": "20", "bf": "2"})
        video.width, video.height = _SIZE
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = seconds(1, source.time_base)
        copied_sound = output.add_stream_from_template(sound)
        copied_text = output.add_stream_from_template(text)
        copied_sound.metadata["language"], copied_text.metadata["language"] = "eng", "ger"
        output.metadata.update(_METADATA)
        assert source.average_rate is not None
        end = frames / source.average_rate
        output.set_chapters(_two_chapters(end))
        for index, frame in enumerate(original.decode(video=0)):
            if index >= frames:
                break
            if index not in _GAP:
                small = frame.reformat(*_SIZE, format="yuv420p")
                small.pts, small.time_base, small.pict_type = frame.pts, frame.time_base, PictureType.NONE
                output.mux(video.encode(small))
        output.mux(video.encode(None))
        original.seek(0)
        copies: tuple[tuple[Iterator[Packet[Any]], Stream], ...] = (
            (original.demux(sound), copied_sound),
            (words.demux(text), copied_text),
        )
        for packets, copy in copies:
            for packet in packets:
                if packet.size and packet.pts is not None and seconds(packet.pts, packet.time_base) < end:
                    packet.stream = copy
                    output.mux(packet)
    script.unlink()


def _two_chapters(end: Fraction) -> "list[Chapter]":
    unit = Fraction(1, 1000)
    borders = [0, int(end * 500), int(end * 1000)]
    return [
        {
            "id": number + 1,
            "start": borders[number],
            "end": borders[number + 1],
            "time_base": unit,
            "metadata": {"title": title},
        }
        for number, title in enumerate(("the meadow", "the burrow"))
    ]
