"""The aspect ratio, the crop and the HDR metadata of a Matroska file, which FFmpeg's muxer leaves out.

The muxer takes them from fields that PyAV cannot set, so files of codecs whose bitstream does not carry them
(FFV1; the aspect ratio: AV1) would be shown with square pixels, and HDR without its mastering data. A track's name
may be padded with blanks (`padded_name`); when the file is finished, the track's entry is rebuilt in place at the
same length, the blanks make the room, and nothing else in the file moves.

Only what that takes of EBML (RFC 8794) and Matroska (RFC 9559) is here.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

from reelprior.io.hdr import HdrMetadata

__all__ = ["padded_name", "set_crop", "set_hdr", "set_sample_aspect_ratio", "stated_crop"]

_SEGMENT = 0x18538067
_TRACKS = 0x1654AE6B
_TRACK_ENTRY = 0xAE
_TRACK_UID = 0x73C5
_MAX_BLOCK_ADDITION_ID = 0x55EE
_VIDEO = 0xE0
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xB0, 0xBA
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_CROP = (0x54BB, 0x54AA, 0x54CC, 0x54DD)  # top, bottom, left, right
_NAME = 0x536E
_COLOUR, _MASTERING = 0x55B0, 0x55D0
_MAX_PIXEL_LIGHT, _MAX_FRAME_LIGHT = 0x55BC, 0x55BD
_FIRST_CHROMATICITY = 0x55D1  # x and y of red, green, blue and white follow one another
_MAX_LUMINANCE, _MIN_LUMINANCE = 0x55D9, 0x55DA
_VOID, _CRC = 0xEC, 0xBF

_ROOM_BYTES = 200  # HDR metadata takes 147, a display size 12, a crop 24

_AS_PIXELS, _AS_RATIO = 0, 3  # values of DisplayUnit
_HEADER_BYTES = 1 << 20  # the tracks come before the pictures: this much holds them, fonts aside


# Takes the content of a Video element and returns another one.
_Change = Callable[[bytes], bytes]


def padded_name(name: str) -> str:
    """The name of a track with room for what this module adds. `set_hdr` and its sibling take the blanks away."""
    return name + " " * _ROOM_BYTES


def set_hdr(path: str | Path, hdr: HdrMetadata, *, track: int) -> bool:
    """State the HDR metadata of the ``track``-th track; parameters and result as `set_sample_aspect_ratio`."""
    return _change_video(path, partial(_video_with_hdr, hdr=hdr), track)


def set_crop(path: str | Path, sides: tuple[int, int, int, int], *, track: int) -> bool:
    """State how many rows and columns (top, bottom, left, right) of the ``track``-th track are not shown.

    Result as `set_sample_aspect_ratio`, whose display size depends on the crop: it comes after this.
    """
    return _change_video(path, partial(_video_with_crop, sides=sides), track)


def stated_crop(header: bytes) -> tuple[int, int, int, int] | None:
    """What the header of a file says about the crop of its first track: top, bottom, left, right; None if nothing."""
    found = _find_tracks(header)
    if found is None:
        return None
    start, end = found
    sides = dict.fromkeys(_CROP, 0)
    entry = next(((a, b) for name, a, b in _elements(header, start, end) if name == _TRACK_ENTRY), (0, 0))
    for name, video, video_end in _elements(header, *entry):
        if name == _VIDEO:
            sides |= {
                side: int.from_bytes(header[a:b], "big")
                for side, a, b in _elements(header, video, video_end)
                if side in sides
            }
    top, bottom, left, right = sides.values()
    return (top, bottom, left, right) if any(sides.values()) else None


def set_sample_aspect_ratio(path: str | Path, ratio: Fraction, *, track: int) -> bool:
    """State the sample aspect ratio (width / height of one sample) of the ``track``-th track, counted from 0.

    Returns
    -------
    bool
        Whether it is stated now. ``False`` leaves the file as it was: no such track, or no room in its entry.
    """
    return _change_video(path, partial(_video_with_ratio, ratio=ratio), track)


def _change_video(path: str | Path, change: _Change, track: int) -> bool:
    with Path(path).open("rb+") as file:
        head = file.read(_HEADER_BYTES)
        found = _find_tracks(head)
        if found is None:
            return False
        start, end = found
        tracks = _with_change(head[start:end], change, track)
        if tracks is None:
            return False
        file.seek(start)
        file.write(tracks)
    return True


def _find_tracks(head: bytes) -> tuple[int, int] | None:
    """Start and end of the content of the Tracks element."""
    for identifier, start, end in _elements(head, 0, len(head)):
        if identifier == _SEGMENT:
            for inner, inner_start, inner_end in _elements(head, start, min(end, len(head))):
                if inner == _TRACKS and inner_end <= len(head):
                    return inner_start, inner_end
    return None


def _with_change(tracks: bytes, change: _Change, track: int) -> bytes | None:
    entries = [(start, end) for name, start, end in _elements(tracks, 0, len(tracks)) if name == _TRACK_ENTRY]
    if track >= len(entries):
        return None
    start, end = entries[track]
    entry = _rebuilt_entry(tracks[start:end], change)
    if entry is None:
        return None
    changed = tracks[:start] + entry + tracks[end:]
    crc_bytes = 6
    if changed[0] == _CRC:  # always the first element, over all that follows it
        changed = _element(_CRC, zlib.crc32(changed[crc_bytes:]).to_bytes(4, "little")) + changed[crc_bytes:]
    return changed


def _rebuilt_entry(entry: bytes, change: _Change) -> bytes | None:
    """A track's entry with its Video element changed, at its old length; ``None`` without video or without room."""
    parts = []
    has_video = False
    for identifier, start, end in _elements(entry, 0, len(entry)):
        content = entry[start:end]
        if identifier == _VOID or (identifier == _MAX_BLOCK_ADDITION_ID and not any(content)):
            continue  # zero is what its absence means
        if identifier == _TRACK_UID:
            content = content.lstrip(
                b"\0"
            )  # FFmpeg pads the small numbers of reproducible files to eight bytes
        elif identifier == _VIDEO:
            has_video = True
            content = change(content)
        elif identifier == _NAME:
            content = content.rstrip(b" ")
            if not content:
                continue
        parts.append(_element(identifier, content))
    rebuilt = b"".join(parts)
    room = len(entry) - len(rebuilt)
    if not has_video or room < 0 or room == 1:  # the smallest void takes two bytes
        return None
    return rebuilt + _void(room)


def _video_with_crop(video: bytes, sides: tuple[int, int, int, int]) -> bytes:
    kept = [
        _element(identifier, video[start:end])
        for identifier, start, end in _elements(video, 0, len(video))
        if identifier not in (*_CROP, _VOID)
    ]
    stated = (_element(side, _number(value)) for side, value in zip(_CROP, sides, strict=True) if value)
    return b"".join([*kept, *stated])


def _video_with_ratio(video: bytes, ratio: Fraction) -> bytes:
    replaced = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _VOID)
    numbers = {}
    kept = []
    for identifier, start, end in _elements(video, 0, len(video)):
        numbers[identifier] = int.from_bytes(video[start:end], "big")
        if identifier not in replaced:
            kept.append(_element(identifier, video[start:end]))
    top, bottom, left, right = (numbers.get(side, 0) for side in _CROP)
    width = (numbers[_PIXEL_WIDTH] - left - right) * ratio
    height = Fraction(numbers[_PIXEL_HEIGHT] - top - bottom)
    unit = _AS_PIXELS
    if width.denominator != 1:
        unit = _AS_RATIO
        width, height = Fraction((width / height).numerator), Fraction((width / height).denominator)
    kept += [
        _element(_DISPLAY_WIDTH, _number(width.numerator)),
        _element(_DISPLAY_HEIGHT, _number(height.numerator)),
    ]
    if unit != _AS_PIXELS:  # the default of the format
        kept.append(_element(_DISPLAY_UNIT, _number(unit)))
    return b"".join(kept)


def _video_with_hdr(video: bytes, hdr: HdrMetadata) -> bytes:
    stated = (_MASTERING, _MAX_PIXEL_LIGHT, _MAX_FRAME_LIGHT, _VOID)
    colour = b""
    kept = []
    for identifier, start, end in _elements(video, 0, len(video)):
        if identifier == _COLOUR:
            inner = [(name, video[a:b]) for name, a, b in _elements(video, start, end) if name not in stated]
            colour = b"".join(_element(name, content) for name, content in inner)
        elif identifier != _VOID:
            kept.append(_element(identifier, video[start:end]))
    if hdr.content_light:
        colour += _element(_MAX_PIXEL_LIGHT, _number(hdr.content_light[0]))
        colour += _element(_MAX_FRAME_LIGHT, _number(hdr.content_light[1]))
    display = b""
    if hdr.primaries and hdr.white:
        places = [value for place in (*hdr.primaries, hdr.white) for value in place]
        display += b"".join(_real(_FIRST_CHROMATICITY + n, value) for n, value in enumerate(places))
    if hdr.luminance:
        display += _real(_MAX_LUMINANCE, hdr.luminance[1]) + _real(_MIN_LUMINANCE, hdr.luminance[0])
    if display:
        colour += _element(_MASTERING, display)
    return b"".join(kept) + _element(_COLOUR, colour)


def _real(identifier: int, value: Fraction) -> bytes:
    return _element(identifier, struct.pack(">d", value))


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Identifier, start and end of the content of each element, as far as ``data`` goes."""
    while start + 1 < end:
        identifier_bytes = 9 - data[start].bit_length()
        size_at = start + identifier_bytes
        if identifier_bytes > 4 or size_at >= end or not data[size_at]:
            return
        size_bytes = 9 - data[size_at].bit_length()
        content = size_at + size_bytes
        size = int.from_bytes(data[size_at:content], "big") & ((1 << 7 * size_bytes) - 1)
        yield int.from_bytes(data[start:size_at], "big"), content, content + size
        start = content + size


def _element(identifier: int, content: bytes) -> bytes:
    size_bytes = 1
    while len(content) >= (1 << 7 * size_bytes) - 1:
        size_bytes += 1
    size = (1 << 7 * size_bytes | len(content)).to_bytes(size_bytes, "big")
    return _number(identifier) + size + content


def _void(length: int) -> bytes:
    """A void element of exactly ``length`` bytes, 0 or at least 2."""
    if length == 0:
        return b""
    if length <= 9:
        return _element(_VOID, bytes(length - 2))
    return _number(_VOID) + (1 << 56 | length - 9).to_bytes(8, "big") + bytes(length - 9)


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
