"""Checks of what lies beside the pictures: their times, the copied streams, chapters and metadata.

Containers count time in different units (Matroska in milliseconds), so times may differ by the rounding to the coarser
of two units. MP4 files begin at zero: there all streams may have moved together, by the same time.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from reelprior.io.fixity import Chapter, CopiedStream, chapters, copied
from reelprior.io.streams import film_tags
from reelprior.pipeline.findings import Finding, Pair

__all__ = ["check_chapters", "check_copies", "check_metadata", "check_times"]

# The coarsest clock of a container that tells times is Matroska's; both ends of a difference are rounded.
_CLOCK_SECONDS = Fraction(1, 500)
# What writers of a container set themselves.
_SET_BY_WRITERS = {"creation_time", "encoded_by", "date"}


def check_times(pair: Pair) -> Finding:
    """Presentation times and durations of the restored pictures."""
    source, output, first = pair.index, pair.output_index, pair.frames.start
    # Where a clock counts frames, a unit is a frame: that far off no frame may be.
    rounding = min(
        _rounding(source.time_base, output.time_base), max(_CLOCK_SECONDS, source.time_base * 3 / 4)
    )
    shift = _shift(pair)
    differences = []
    for number, t in enumerate(pair.frames):
        wanted = source.pts[t] * source.time_base + shift
        found = output.pts[number] * output.time_base
        if abs(found - wanted) > rounding:
            differences.append(f"frame {number} at {float(found):.4f} s, not {float(wanted):.4f} s")
        wanted, found = source.durations[t] * source.time_base, output.durations[number] * output.time_base
        # A container that says a duration for all frames says one for those that had none, too.
        if wanted and found and abs(found - wanted) > 2 * rounding:
            differences.append(f"frame {number} lasts {float(found):.4f} s, not {float(wanted):.4f} s")
    is_moved = shift and pair.is_whole and first == 0
    moved = f", all moved by {float(shift):.4f} s" if is_moved else ""
    return Finding.of("times", differences, f"those of the source to {float(rounding) * 1000:.2g} ms{moved}")


def check_copies(pair: Pair) -> Iterator[Finding]:
    """Every other stream: there, in order, packet by packet, in sync."""
    dropped = pair.sidecar.dropped if pair.sidecar else ()
    wanted = copied(pair.source.path, restored=pair.source.video.stream_index)
    found = copied(pair.output.path, restored=pair.output.video.stream_index)
    if not wanted and not found:
        yield Finding("streams", "ok", "the source has no others")
    remaining = list(found)
    for stream in wanted:
        name = f"{stream.kind} stream {stream.index}"
        twin = next((other for other in remaining if _is_same_kind(stream, other)), None)
        if twin is None:
            if any(name in words for words in dropped):
                yield Finding(name, "skipped", f"{stream.codec or 'data'} was left out on request")
            else:
                yield Finding(name, "differs", f"{stream.codec} is not in the output")
            continue
        remaining.remove(twin)
        yield _compare_stream(name, stream, twin, pair)
    for other in remaining:
        yield Finding(f"{other.kind} stream {other.index}", "differs", f"{other.codec} is not in the source")


def _is_same_kind(stream: CopiedStream, other: CopiedStream) -> bool:
    # A cover picture of an MP4 file is an attachment in Matroska, which its reader shows as a picture again.
    return (stream.kind, stream.codec) == (other.kind, other.codec)


def _compare_stream(name: str, stream: CopiedStream, twin: CopiedStream, pair: Pair) -> Finding:
    differences = [
        f"{what} {there!r}, not {here!r}"
        for what, here, there in (
            ("language", stream.language, twin.language),
            ("title", stream.title, twin.title),
        )
        if not pair.was_dropped(f"the {what} of {name}")
        if here and here != there and not (what == "language" and here == "und")
    ]
    is_cut_anew = stream.codec.startswith("pcm_") and stream.digests != twin.digests
    if pair.is_whole and is_cut_anew and stream.whole == twin.whole:
        # Sound that is not compressed has no packets of its own: muxers cut it as they like.
        differences += _late(stream, twin, 0, _shift(pair), packets=1)
        return Finding.of(
            name, differences, f"{stream.codec}, byte by byte the source's, from the same moment on"
        )
    at = _find(twin.digests, stream.digests) if not pair.is_whole else 0
    wanted = stream.digests[at : at + len(twin.digests)] if at is not None else stream.digests
    if at is None or wanted != twin.digests or (pair.is_whole and len(stream.digests) != len(twin.digests)):
        equal = sum(a == b for a, b in zip(stream.digests, twin.digests, strict=False))
        differences.append(
            f"{len(twin.digests)} packets, {equal} of them equal to the source's {len(stream.digests)}"
        )
        return Finding.of(name, differences, "")
    differences += _late(stream, twin, at, _shift(pair))
    return Finding.of(
        name, differences, f"{stream.codec}, {len(twin.digests)} packets equal to the source's and in sync"
    )


def _late(
    stream: CopiedStream, twin: CopiedStream, at: int, shift: Fraction, *, packets: int | None = None
) -> list[str]:
    """Packets that are not where they were; of the first ``packets``, or of all."""
    rounding = _rounding(stream.time_base, twin.time_base)
    late = []
    for number in range(len(twin.digests) if packets is None else min(packets, len(twin.digests))):
        wanted, found = stream.seconds(at + number), twin.seconds(number)
        if twin.kind != "attachment" and wanted is not None and found is not None:
            off = found - wanted - shift
            if abs(off) > rounding:
                late.append(f"packet {number} is off by {float(off) * 1000:.1f} ms")
    return late


def _find(part: Sequence[int], whole: Sequence[int]) -> int | None:
    """Where ``part`` begins in ``whole``; None if it is not in it."""
    if not part:
        return 0
    count = len(part)
    starts = (at for at in range(len(whole) - count + 1) if whole[at] == part[0])
    return next((at for at in starts if whole[at : at + count] == part), None)


def _shift(pair: Pair) -> Fraction:
    """By how much the output is later than the source: what its first picture says."""
    first = pair.index.pts[pair.frames.start] * pair.index.time_base
    shift = pair.output_index.pts[0] * pair.output_index.time_base - first
    return shift if abs(shift) > _rounding(pair.index.time_base, pair.output_index.time_base) else Fraction(0)


def _rounding(one: Fraction, other: Fraction) -> Fraction:
    """Both ends of a difference may be rounded to the coarser unit."""
    return max(one, other)


def check_chapters(pair: Pair) -> Finding:
    """Begin, end and title of every chapter."""
    wanted, found = chapters(pair.source.path), chapters(pair.output.path)
    if not pair.is_whole:
        return Finding("chapters", "skipped", "the output is a part of the source, and so are its chapters")
    if wanted and not found and pair.was_dropped("chapters"):
        return Finding("chapters", "skipped", f"the {len(wanted)} of the source were left out on request")
    differences = [] if len(wanted) == len(found) else [f"{len(found)} chapters, not {len(wanted)}"]
    shift = _shift(pair)
    for number, (here, there) in enumerate(zip(wanted, found, strict=False), start=1):
        differences += [f"chapter {number}: {text}" for text in _chapter_differences(here, there, shift)]
    return Finding.of(
        "chapters", differences, f"all {len(wanted)} there" if wanted else "the source has none"
    )


def _chapter_differences(here: Chapter, there: Chapter, shift: Fraction) -> Iterator[str]:
    if here.title != there.title:
        yield f"{there.title!r}, not {here.title!r}"
    for what, wanted, found in (("begins", here.begin, there.begin), ("ends", here.end, there.end)):
        if min(abs(found - wanted), abs(found - wanted - shift)) > Fraction(1, 500):
            yield f"{what} at {float(found):.3f} s, not {float(wanted):.3f} s"


def check_metadata(pair: Pair) -> Finding:
    """The tags of the file."""
    container = "mp4" if "mp4" in pair.output.container else pair.output.container
    wanted = film_tags(pair.source.metadata, container=container)
    found = {name.lower(): value for name, value in pair.output.metadata.items()}
    differences = [
        f"{name} is {found[name.lower()]!r}, not {value!r}" if name.lower() in found else f"{name} is missing"
        for name, value in wanted.items()
        if found.get(name.lower()) != value
        and name.lower() not in _SET_BY_WRITERS
        and not pair.was_dropped(f"the tag {name}")
    ]
    return Finding.of(
        "metadata", differences, f"all {len(wanted)} tags kept" if wanted else "the source has none"
    )
