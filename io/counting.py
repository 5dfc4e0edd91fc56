"""Containers that count frames and samples instead of telling their times: AVI and MXF.

Everything in them begins at once and goes on without gaps, at one rate. What is not so is found before the work.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from reelprior.io.errors import OutputError
from reelprior.io.probe import MediaInfo
from reelprior.io.scan import FrameIndex
from reelprior.io.streams import TimeSpan

__all__ = ["counted", "counts_frames", "span_of", "timed", "uneven_sound"]

_COUNTING = ("avi", "mxf")
_RATES = tuple(
    Fraction(*rate)
    for rate in (
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
    )
)
# SMPTE ST 377 leaves the rate open; FFmpeg's muxer does not.
_RATES_OF_MXF = tuple(rate for rate in _RATES if rate != 48)
_SAME_RATE = Fraction(1, 5000)  # 24 and 23.976 are a thousandth apart
# A packet's time and duration are rounded to its clock, each by half a unit, where sound counts in milliseconds.
_BYTES = {"pcm_s16le": 2, "pcm_s24le": 3}
_GAP_SECONDS = Fraction(1, 400)


def counts_frames(container: str) -> bool:
    """Whether FFmpeg's muxer ``container`` counts frames."""
    return container in _COUNTING


def timed(source: MediaInfo, container: str, *, rate: Fraction | None = None) -> MediaInfo:
    """The source with the clock of an output: where frames are counted, a unit is a frame.

    ``rate`` is what `counted` has found; before that it is what the source says, which is often rounded.
    """
    if not counts_frames(container):
        return source
    if rate is None:
        rate = _usual(source.video.average_rate or Fraction(25))
    return replace(source, video=replace(source.video, time_base=1 / rate, average_rate=rate))


def counted(path: Path, container: str, *, source: MediaInfo, index: FrameIndex, frames: range) -> FrameIndex:
    """The times of ``frames`` by their number: the first is 0, the clock counts frames.

    Raises
    ------
    OutputError
        If they are not evenly spaced, or not at a rate that the container knows.
    """
    times = [index.pts[at] * index.time_base for at in frames]
    rate = _rate_of(times, unit=index.time_base, stated=source.video.average_rate)
    if rate is None:
        raise OutputError(
            f"{path}: {path.suffix} counts frames at one rate, and those of {source.path} are not evenly spaced: "
            "use .mkv, .mp4 or .mov, which hold their times"
        )
    if container == "mxf" and rate not in _RATES_OF_MXF:
        known = ", ".join(f"{float(known):.5g}" for known in _RATES_OF_MXF)
        raise OutputError(
            f"{path}: .mxf holds {known} frames a second, not {float(rate):.5g}: use .mkv, .mp4 or .mov"
        )
    numbers = range(-frames.start, len(index.pts) - frames.start)
    return replace(index, pts=tuple(numbers), durations=(1,) * len(numbers), time_base=1 / rate)


def span_of(even: FrameIndex, index: FrameIndex, frames: range) -> TimeSpan:
    """When ``frames`` begin by ``index``, and when they end by the rate that `counted` has found."""
    begin = index.pts[frames.start] * index.time_base
    return TimeSpan(begin, begin + len(frames) * even.time_base)


def _rate_of(times: Sequence[Fraction], *, unit: Fraction, stated: Fraction | None) -> Fraction | None:
    """The rate at which frames follow each other, as far as the clock of the source can say."""
    usual = None if stated is None else _usual(stated)
    if len(times) == 1:
        return usual or Fraction(25)
    measured = ((len(times) - 1) / (times[-1] - times[0])).limit_denominator(1001)
    # A few frames on a clock of milliseconds fit several rates: what the source says goes first.
    candidates = [rate for rate in (usual, stated, *_RATES, measured) if rate is not None]
    fitting = [rate for rate in candidates if _error(times, rate) <= min(unit, 1 / (4 * rate))]
    if fitting and fitting[0] == usual:
        return usual
    return min(fitting, key=lambda rate: _error(times, rate), default=None)


def _usual(rate: Fraction) -> Fraction:
    """The rate that a rounded one means."""
    return next((known for known in _RATES if abs(known / rate - 1) < _SAME_RATE), rate)


def _error(times: Sequence[Fraction], rate: Fraction) -> Fraction:
    """By how much the times differ from even ones at most, in seconds."""
    return max(abs(time - times[0] - number / rate) for number, time in enumerate(times))


def uneven_sound(
    source: InputContainer, streams: Sequence[Stream], *, begin: Fraction, seconds: Fraction | None
) -> dict[int, str]:
    """Which sound streams cannot be counted, by index, and why: one that begins at another time, or has gaps.

    Reads all of their packets.

    Parameters
    ----------
    begin
        Of the pictures, in seconds.
    seconds
        Of the pictures, where their sound must be as long to the sample, or it would be cut (MXF).
    """
    found: dict[int, str] = {}
    ends: dict[int, Fraction] = {}
    sizes: Counter[int] = Counter()
    for packet in _packets(source, streams):
        at, unit = packet.stream_index, packet.time_base
        if at in found or packet.pts is None or not packet.size:
            continue
        time = packet.pts * unit
        off = time - ends.get(at, begin)
        if at in ends and abs(off) > max(_GAP_SECONDS, unit):
            found[at] = f"has a gap at {float(time):.3f} s"
        elif at not in ends and abs(off) > unit / 2:
            found[at] = f"begins {float(abs(off)):.3f} s {'after' if off > 0 else 'before'} the picture"
        ends[at] = time + (packet.duration or 0) * unit
        sizes[at] += packet.size
    sounds = [stream for stream in streams if isinstance(stream, AudioStream) and stream.index not in found]
    for stream in sounds if seconds is not None else ():
        context = stream.codec_context
        samples = sizes[stream.index] // (context.channels * _BYTES[context.codec.canonical_name])
        longer = samples / Fraction(context.sample_rate) - (seconds or 0)
        if abs(longer) * context.sample_rate >= 1:
            found[stream.index] = (
                f"is {float(abs(longer)):.4f} s {'longer' if longer > 0 else 'shorter'} than the picture"
            )
    return found


def _packets(source: InputContainer, streams: Sequence[Stream]) -> Iterator["av.Packet[Stream]"]:
    if not streams:
        return
    packets = source.demux(list(streams))
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the feed will meet the same damage, and say so
            return
        if packet is None:
            return
        yield packet
