"""HDR metadata: the display a film was mastered on, and how bright it gets. Read, and put into words for encoders.

SMPTE ST 2086 (mastering display) and CTA-861.3 (content light level). FFmpeg hands both out with decoded frames;
PyAV can read but not attach them. x265 and SVT-AV1 take them as parameters, and in Matroska they are written into
the header (`reelprior.io.matroska`).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.sidedata.sidedata import Type

from reelprior.io.side_data import side_data_of

__all__ = ["HdrMetadata", "hdr_of"]

# struct AVMasteringDisplayMetadata: ten fractions, then two flags; AVContentLightMetadata: two numbers.
_DISPLAY = struct.Struct("=22i")
_LIGHT = struct.Struct("=2I")
_DYNAMIC = {
    Type.DYNAMIC_HDR_PLUS: "HDR10+",
    Type.DOVI_METADATA: "Dolby Vision",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid",
}
_CHROMATICITY_UNIT, _LUMINANCE_UNIT = Fraction(1, 50000), Fraction(1, 10000)  # of H.265, annex D


@dataclass(frozen=True)
class HdrMetadata:
    """What an HDR film says about its mastering.

    Attributes
    ----------
    primaries
        (x, y) of red, green and blue of the mastering display (CIE 1931); ``None`` where it is not known.
    white
        (x, y) of its white.
    luminance
        (minimum, maximum) in cd/m2; ``None`` where it is not known.
    content_light
        (maximum of a pixel, maximum of a frame's mean) in cd/m2; ``None`` where it is not known.
    dynamic
        Kinds of metadata that change from scene to scene. They can be read by nobody here: they would be lost.
    """

    primaries: tuple[tuple[Fraction, Fraction], ...] | None = None
    white: tuple[Fraction, Fraction] | None = None
    luminance: tuple[Fraction, Fraction] | None = None
    content_light: tuple[int, int] | None = None
    dynamic: tuple[str, ...] = ()

    @property
    def is_static(self) -> bool:
        """Whether there is something that holds for the film as a whole."""
        return bool(self.primaries or self.luminance or self.content_light)

    @property
    def x265(self) -> str:
        """As ``x265-params``; a display must be known as a whole."""
        parts = []
        if self.primaries and self.white and self.luminance:
            red, green, blue = map(_in_units, self.primaries)
            low, high = (round(value / _LUMINANCE_UNIT) for value in self.luminance)
            parts.append(
                f"master-display=G({green})B({blue})R({red})WP({_in_units(self.white)})L({high},{low})"
            )
        if self.content_light:
            parts.append(f"max-cll={self.content_light[0]},{self.content_light[1]}")
        return ":".join(parts)

    @property
    def x264(self) -> str:
        """As ``x264-params``."""
        return self.x265.replace("master-display", "mastering-display").replace("max-cll", "cll")

    @property
    def svtav1(self) -> str:
        """As ``svtav1-params``; a display must be known as a whole."""
        parts = []
        if self.primaries and self.white and self.luminance:
            red, green, blue = map(_as_decimals, self.primaries)
            low, high = map(float, self.luminance)
            parts.append(
                f"mastering-display=G({green})B({blue})R({red})WP({_as_decimals(self.white)})L({high:.4f},{low:.4f})"
            )
        if self.content_light:
            parts.append(f"content-light={self.content_light[0]},{self.content_light[1]}")
        return ":".join(parts)


def hdr_of(frame: av.VideoFrame) -> HdrMetadata | None:
    """What a decoded frame says; ``None`` where it says nothing."""
    side_data = side_data_of(frame)
    display = side_data.get(Type.MASTERING_DISPLAY_METADATA)
    light = side_data.get(Type.CONTENT_LIGHT_LEVEL)
    found: dict[str, object] = {}
    if display is not None and len(bytes(display)) >= _DISPLAY.size:
        *numbers, has_primaries, has_luminance = _DISPLAY.unpack_from(bytes(display))
        values = list(_fractions(numbers))
        if has_primaries:
            found["primaries"] = tuple(zip(values[0:6:2], values[1:6:2], strict=True))
            found["white"] = (values[6], values[7])
        if has_luminance:
            found["luminance"] = (values[8], values[9])
    if light is not None and len(bytes(light)) >= _LIGHT.size:
        levels = _LIGHT.unpack_from(bytes(light))
        if any(levels):
            found["content_light"] = levels
    dynamic = tuple(name for kind, name in _DYNAMIC.items() if side_data.get(kind) is not None)
    if dynamic:
        found["dynamic"] = dynamic
    return HdrMetadata(**found) if found else None  # type: ignore[arg-type]


def _fractions(numbers: list[int]) -> Iterator[Fraction]:
    for above, below in zip(numbers[::2], numbers[1::2], strict=True):
        yield Fraction(above, below) if below else Fraction(0)


def _in_units(place: tuple[Fraction, Fraction]) -> str:
    return ",".join(str(round(value / _CHROMATICITY_UNIT)) for value in place)


def _as_decimals(place: tuple[Fraction, Fraction]) -> str:
    return ",".join(f"{float(value):.5f}" for value in place)
