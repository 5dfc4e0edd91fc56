"""Tiny films of every kind for the tables of fidelity, made with PyAV alone."""

from __future__ import annotations  # Packet is generic for type checkers only

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["make_film", "packets", "seconds", "video_times"]

_SIZE = (64, 48)
_PIXEL_FORMATS = {
    "prores_ks": "yuv422p10le", "dnxhd": "yuv422p", "utvideo": "yuv422p", "v210": "yuv422p10le",
    "huffyuv": "yuv422p", "mjpeg": "yuvj420p", "dvvideo": "yuv420p",
}  # fmt: skip
_SIZES = {"dnxhd": (1920, 1080), "dvvideo": (720, 576)}  # these know no others
_OPTIONS = {
    "dnxhd": {"b": "120M"},
    "libx265": {"x265-params": "log-level=error"},
    "libsvtav1": {"preset": "10", "svtav1-params": "pred-struct=1"},
    "libvpx-vp9": {"cpu-used": "8", "deadline": "realtime"},
}
_SCRIPTS = {
    "srt": "1\n00:00:00,000 --> 00:00:00,080\nGuten Tag\n\n2\n00:00:00,100 --> 00:00:00,150\nAde\n",
    "webvtt": "WEBVTT\n\n00:00.000 --> 00:00.080\nGuten Tag\n\n00:00.100 --> 00:00.150\nAde\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    "Style: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, "
    "Text\nDialogue: 0,0:00:00.00,0:00:00.08,Default,,0,0,0,,Guten Tag\n",
}
_UNIT = Fraction(1, 1000)


def make_film(
    path: Path,
    *,
    video: str = "libx264",
    audio: str | None = None,
    subtitles: str | None = None,
    rate: Fraction = Fraction(25),
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a film of a few frames; raises what PyAV raises where a container does not take a stream.

    Parameters
    ----------
    video, audio
        Names of encoders.
    subtitles
        "srt", "ass", "webvtt" or "mov_text".
    pts, time_base
        Times of the frames; four frames at ``rate`` by default.
    """
    pts = range(4) if pts is None else pts
    time_base = time_base or 1 / rate
    with av.open(str(path), "w", container_options=container_options or {}) as output:
        stream = output.add_stream(video, rate=rate, options={**_OPTIONS.get(video, {}), **(options or {})})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = _SIZES.get(video, _SIZE)
        stream.pix_fmt = _PIXEL_FORMATS.get(video, "yuv420p")
        stream.codec_context.time_base = stream.time_base = time_base
        sound = output.add_stream(audio, rate=48000, layout="stereo") if audio else None
        with _words(output, path, subtitles) as words:
            for number, time in enumerate(pts):
                picture = np.full((stream.height, stream.width, 3), 40 + 30 * number % 200, np.uint8)
                picture[number % 40 :, : 8 + number % 30] = 200
                frame = av.VideoFrame.from_ndarray(picture).reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = time, time_base
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
            if isinstance(sound, AudioStream):
                _write_tone(output, sound, float((max(pts) + 1) * time_base))
            output.mux(words)
    return path


def _write_tone(output: OutputContainer, sound: AudioStream, length: float) -> None:
    context = sound.codec_context
    step = context.frame_size or 1024
    planar = context.format.is_planar
    total = int(length * 48000)
    for start in range(0, max(total, step), step):
        # Sound that is not compressed ends with the picture.
        stop = start + step if context.frame_size else min(start + step, total)
        wave = np.sin(np.arange(start, stop) * 0.05) * 0.3
        frame = av.AudioFrame.from_ndarray(np.stack([wave, -wave]).astype(np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        if context.format.name != "fltp" or not planar:
            (frame,) = av.AudioResampler(context.format, "stereo", 48000).resample(frame)
        output.mux(sound.encode(frame))
    output.mux(sound.encode())


@contextmanager
def _words(output: OutputContainer, path: Path, kind: str | None) -> Iterator[list[Packet[Any]]]:
    """Add a subtitle stream; its packets, to be muxed last."""
    if kind is None:
        yield []
        return
    if kind == "mov_text":
        stream = output.add_mux_stream("mov_text")
        stream.time_base = _UNIT
        packet = av.Packet(b"\0\x09Guten Tag")
        packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = stream, _UNIT, 0, 0, 80
        yield [packet]
        return
    script = path.with_suffix(f".{kind}.script")
    script.write_text(_SCRIPTS[kind], encoding="utf-8")
    try:
        with av.open(str(script), format=kind) as source:
            stream = output.add_stream_from_template(source.streams.subtitles[0])
            found = [packet for packet in source.demux() if packet.size]
            for packet in found:
                packet.stream = stream
            yield found
    finally:
        script.unlink()


def packets(path: Path, index: int) -> list[tuple[Fraction | None, bytes]]:
    """Presentation time in seconds and bytes of every packet of a stream."""
    with av.open(str(path)) as container:
        return [
            (None if p.pts is None else seconds(p.pts, p.time_base), bytes(p))
            for p in container.demux(container.streams[index])
            if p.size
        ]


def video_times(path: Path) -> list[Fraction]:
    """Presentation time of every frame in seconds, as decoded."""
    with av.open(str(path)) as container:
        return [seconds(frame.pts, frame.time_base) for frame in container.decode(video=0)]


def seconds(ticks: int | None, time_base: Fraction | None) -> Fraction:
    """A time that is known."""
    assert ticks is not None and time_base is not None
    return ticks * time_base
