"""The checksums of FFV1: whether every slice of a packet is whole.

FFmpeg patches a slice whose checksum is wrong from the frame before and tells nobody but its log. An archive's
master file deserves better. Format: RFC 9043, sections 4.9 (slice footer) and 4.9.3 (the CRC).
"""

from __future__ import annotations  # Packet is generic for type checkers only

import zlib
from typing import Any

from av.packet import Packet

__all__ = ["SliceCheck"]

_FOOTER = 8  # 3 bytes of size, 1 of error status, 4 of checksum
_TRIES = 16  # packets to look at before a stream counts as one without checksums
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class SliceCheck:
    """Checks the packets of one FFV1 stream.

    Whether the stream has checksums at all stands in a range-coded header; instead of decoding that, the packets
    tell: one that is right is not so by chance. As long as none was, the stream may have no checksums.
    """

    def __init__(self) -> None:
        self._has_checksums = False
        self._tries = _TRIES

    def is_whole(self, packet: Packet[Any]) -> bool:
        """Whether no slice of a packet contradicts its checksum."""
        if packet.size == 0 or not (self._has_checksums or self._tries):
            return True
        is_right = _slices_are_right(bytes(packet))
        self._has_checksums = self._has_checksums or is_right
        self._tries = max(self._tries - 1, 0)
        return is_right or not self._has_checksums


def _slices_are_right(data: bytes) -> bool:
    """Walk through the slices from the last to the first: each says its size in its footer."""
    end = len(data)
    while end > 0:
        if end < _FOOTER:
            return False
        size = int.from_bytes(data[end - _FOOTER : end - _FOOTER + 3], "big") + _FOOTER
        if size > end or _crc(data[end - size : end]) != 0:
            return False
        end -= size
    return True


def _crc(data: bytes) -> int:
    """CRC-32 with the highest bit first and a start of 0, which a slice with its checksum at the end brings to 0.

    zlib's begins with the lowest bit and ones: bits reversed, and the start undone, it gives the same.
    """
    return zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
