"""Small clips for the tests, made with PyAV: a smooth pattern that moves, and what a test asks for around it.

The pattern is band-limited and stays within [0.1, 0.9], so lossy codecs keep it and 4:2:0 chroma carries it.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from reelprior.io.encoders import open_encoder

__all__ = ["make_video", "pattern"]

SAMPLE_RATE = 16000


def pattern(
    index: int, *, size: tuple[int, int] = (48, 64), seed: int = 0, cuts: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Frame ``index`` of the moving pattern: (3, H, W) float32 R'G'B' in [0.1, 0.9].

    ``cuts`` are the frames at which another scene, of other colours and waves, begins.
    """
    scene = sum(index >= cut for cut in cuts)
    random = np.random.default_rng((seed, scene))
    height, width = size
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.empty((3, height, width), np.float32)
    levels = random.permutation([0.25, 0.5, 0.75]) if scene else np.array([0.4, 0.5, 0.6])
    for channel in range(3):
        wave_x, wave_y = random.uniform(2, 9, 2)
        speed, phase = random.uniform(0.05, 0.15), random.uniform(0, 2 * np.pi)
        picture[channel] = levels[channel] + 0.15 * np.sin(wave_x * x + wave_y * y + phase + speed * index)
    return picture


def make_video(
    path: str | Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (48, 64),
    rate: int | Fraction = 25,
    codec: str = "ffv1",
    pix_fmt: str | None = None,
    audio: bool | str = True,
    subtitles: bool = False,
    chapters: bool = False,
    attachment: bool = False,
    metadata: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    matrix: int | None = None,
    color_range: int | None = None,
    primaries: int | None = None,
    transfer: int | None = None,
    sample_aspect_ratio: Fraction | None = None,
    rotation: float = 0,
    cuts: Sequence[int] = (),
    noise_8bit: float = 0,
    seed: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip and return its path; the suffix chooses the container.

    Parameters
    ----------
    size
        (height, width).
    pix_fmt
        By default what suits the codec: yuv420p, yuv422p10le for ProRes.
    audio
        A tone as long as the video: PCM in .mkv, .avi and .mov, else AAC; or the name of an audio codec.
    subtitles, attachment
        One SubRip stream in German, one text file: for Matroska only.
    chapters
        Two: "one" and "two", half of the clip each.
    metadata
        Of the container.
    pts, time_base
        Presentation time of each frame in units of ``time_base`` (for variable frame rate); by default a
        frame's number in units of 1 / rate.
    matrix, color_range, primaries, transfer
        Tags by FFmpeg's numbers, e.g. 1, 1, 1, 1 for BT.709 in limited range. The pixels are converted
        accordingly; without tags by BT.601 in limited range.
    rotation
        Display rotation in degrees, for .mp4 and .mov.
    cuts
        Frames at which a new scene begins.
    noise_8bit
        Standard deviation of Gaussian noise in grey levels.
    """
    path = Path(path)
    time_base = time_base or 1 / Fraction(rate)
    pts = range(frames) if pts is None else pts
    random = np.random.default_rng(seed)
    with av.open(str(path), "w") as output:
        output.metadata.update(metadata or {})
        video = output.add_stream(codec, rate=rate, options=options or {})
        video.height, video.width = size
        video.pix_fmt = pix_fmt or ("yuv422p10le" if codec.startswith("prores") else "yuv420p")
        video.time_base = video.codec_context.time_base = time_base
        if sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        tags = {
            "colorspace": matrix,
            "color_range": color_range,
            "color_primaries": primaries,
            "color_trc": transfer,
        }
        for name, value in tags.items():
            if value is not None:
                setattr(video.codec_context, name, value)
        if rotation:
            video.set_display_rotation(rotation)
        sound = _add_audio(output, audio, path.suffix) if audio else None
        if attachment:
            output.add_attachment("notes.txt", "text/plain", b"found in the attic")
        words = _add_subtitles(output, path) if subtitles else None
        duration = Fraction(max(pts) + 1) * time_base
        if chapters:
            output.set_chapters(_two_chapters(duration))

        open_encoder(video.codec_context)
        reformatter = av.video.reformatter.VideoReformatter()
        for index, time in zip(range(frames), pts, strict=True):
            picture = pattern(index, size=size, seed=seed, cuts=cuts)
            if noise_8bit:
                picture = picture + random.normal(0, noise_8bit / 255, picture.shape).astype(np.float32)
            frame = _frame(picture, video.pix_fmt, matrix, color_range, reformatter)
            for name, value in tags.items():
                if value is not None:
                    setattr(frame, name, value)
            frame.pts, frame.time_base = time, time_base
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if sound is not None:
            _write_tone(output, sound, duration)
        if words is not None:
            stream, packets, source = words
            for packet in packets:
                packet.stream = stream
                output.mux(packet)
            source.close()
    return path


def _frame(picture, pix_fmt, matrix, color_range, reformatter):
    codes = np.rint(picture.clip(0, 1) * 65535).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes.transpose(1, 2, 0)), format="rgb48le")
    is_rgb = av.VideoFormat(pix_fmt).is_rgb
    to_range = (
        ColorRange.JPEG if is_rgb or color_range == 2 or pix_fmt.startswith("yuvj") else ColorRange.MPEG
    )
    return reformatter.reformat(
        frame,
        format=pix_fmt,
        src_colorspace=Colorspace.ITU601,
        dst_colorspace=matrix if matrix and not is_rgb else Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=to_range,
        threads=1,
    )


def _add_audio(output, audio, suffix):
    codec = audio if isinstance(audio, str) else "pcm_s16le" if suffix in (".mkv", ".avi", ".mov") else "aac"
    return output.add_stream(codec, rate=SAMPLE_RATE, layout="mono")


def _write_tone(output, stream, duration):
    count = int(duration * SAMPLE_RATE)
    tone = np.sin(2 * np.pi * 440 * np.arange(count) / SAMPLE_RATE) * 8000
    step = 1024
    for start in range(0, count, step):
        samples = tone[start : start + step].astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def _add_subtitles(output, path):
    script = path.with_suffix(".srt.txt")
    script.write_text(
        "1\n00:00:00,040 --> 00:00:00,200\nGuten Tag\n\n2\n00:00:00,240 --> 00:00:00,400\nAde\n"
    )
    source = av.open(str(script), format="srt")
    stream = output.add_stream_from_template(source.streams.subtitles[0])
    stream.metadata["language"] = "ger"
    packets = [packet for packet in source.demux() if packet.size]
    script.unlink()
    return stream, packets, source


def _two_chapters(duration):
    unit = Fraction(1, 1000)
    middle, end = int(duration * 500), int(duration * 1000)
    return [
        {"id": 1, "start": 0, "end": middle, "time_base": unit, "metadata": {"title": "one"}},
        {"id": 2, "start": middle, "end": end, "time_base": unit, "metadata": {"title": "two"}},
    ]
