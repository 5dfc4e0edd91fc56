"""How coarsely the frames of a video were quantised, as far as its decoder tells: FFmpeg's encoding parameters.

The decoders of H.264, MPEG-1, -2 and -4, H.263 and their relatives give out a quantiser for each macroblock. Others
(HEVC, AV1, ProRes) give out none, and VP9 an index that most of its blocks do not go by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import av
import numpy as np
from av.sidedata.encparams import VideoEncParams, VideoEncParamsType
from av.sidedata.sidedata import Type

from reelprior.io.layout import bit_depth
from reelprior.io.side_data import side_data_of

__all__ = ["EXPORT", "QuantiserLog", "Quantisers"]

#: The option that makes decoders tell.
EXPORT = {"export_side_data": "venc_params"}

Kind = Literal["", "h264", "mpeg"]
_KINDS: dict[VideoEncParamsType, Kind] = {VideoEncParamsType.H264: "h264", VideoEncParamsType.MPEG2: "mpeg"}
#: AVVideoBlockParams: x, y, width, height, and what is added to the frame's quantiser.
_FIELDS, _DELTA = 5, 4
#: Of H.264 at a quantiser of 0, in 8-bit code values of an orthonormal transform; doubled by every 6.
_STEP_AT_ZERO, _DOUBLES = 0.625, 6


@dataclass(frozen=True)
class Quantisers:
    """Quantisation steps of the frames of a video.

    Attributes
    ----------
    kind
        "h264"; "mpeg" for MPEG-1, -2, -4, H.263 and relatives; "" where the decoder tells nothing.
    steps
        Of each frame the mean over its macroblocks, in 8-bit code values of an orthonormal transform; 0 where nothing
        is told. Empty if nothing ever is.

    Notes
    -----
    H.264: 0.625 * 2^(QP / 6) (Malvar et al., "Low-complexity transform and quantization in H.264/AVC", IEEE Trans.
    Circuits and Systems for Video Technology, 2003). H.263 and MPEG-4: twice the quantiser. MPEG-1 and -2: the
    quantiser scale, times a matrix over 16 that is usually 1 for differences and is not told.
    """

    kind: Kind = ""
    steps: tuple[float, ...] = ()

    def mean(self, frames: range | None = None) -> float:
        """Mean step of a range of frames, or of all, that it is told of; 0 if of none."""
        steps = self.steps if frames is None else self.steps[frames.start : frames.stop]
        known = [step for step in steps if step > 0]
        return sum(known) / len(known) if known else 0.0

    def describe(self, frames: range | None = None) -> str:
        """The mean in the numbers of the codec: ``mean QP 34.2``, or ``mean quantiser 8.0``."""
        step = self.mean(frames)
        if self.kind == "h264":
            return f"mean QP {_DOUBLES * np.log2(step / _STEP_AT_ZERO):.1f}"
        return f"mean quantiser {step / 2:.1f}"

    def of(self, origin: Sequence[int | None]) -> "Quantisers":
        """The same for other frames, each of which is one of these, or none of them."""
        if not self.steps:
            return self
        return Quantisers(self.kind, tuple(0.0 if was is None else self.steps[was] for was in origin))

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Quantisers":
        """The inverse of `dataclasses.asdict`."""
        return cls(fields["kind"], tuple(float(step) for step in fields["steps"]))


class QuantiserLog:
    """Notes the quantisers of frames as they are decoded, from a stream that was opened with `EXPORT`."""

    def __init__(self) -> None:
        self._kind: Kind = ""
        self._steps: list[float] = []

    def __call__(self, frame: av.VideoFrame) -> None:
        """Note a frame."""
        told: VideoEncParams | None = side_data_of(frame).get(Type.VIDEO_ENC_PARAMS)
        kind = "" if told is None else _KINDS.get(VideoEncParamsType(told.codec_type), "")
        if told is None or not kind or not told.nb_blocks:
            self._steps.append(0.0)
            return
        self._kind = kind
        quantisers = _quantisers(told)
        if kind == "h264":
            # Of more than 8 bits, quantisers count from the finer steps of those.
            quantisers = quantisers - _DOUBLES * (bit_depth(frame.format.name) - 8)
            steps = _STEP_AT_ZERO * 2 ** (quantisers / _DOUBLES)
        else:
            steps = quantisers
        self._steps.append(round(float(steps.mean()), 4))

    @property
    def quantisers(self) -> Quantisers:
        """What was noted."""
        return Quantisers(self._kind, tuple(self._steps)) if self._kind else Quantisers()


def _quantisers(parameters: VideoEncParams) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(N,) of the blocks. PyAV's own map makes an object of each, which takes longer than decoding."""
    count, size, begin = parameters.nb_blocks, parameters.block_size, parameters.blocks_offset
    data = np.frombuffer(
        cast("bytes", parameters), np.uint8
    )  # it has the buffer interface, which its types hide
    blocks = data[begin : begin + count * size].reshape(count, size)
    fields = np.ascontiguousarray(blocks[:, : 4 * _FIELDS]).view(np.int32)
    return (parameters.qp + fields[:, _DELTA]).astype(np.float64)
