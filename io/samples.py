"""What an output frame takes over from its source, sample for sample.

Where a picture is not changed, the output holds the source's own code values: not values that went through
R'G'B' and came back, however exactly. That is possible where both are stored alike (the same depth, kind and
chroma sampling, the same matrix and range); elsewhere the conversion decides. Opacity is never restored: it
is always the source's own.

A chroma sample belongs to all the luma samples of its cell: it counts as unchanged only if all of them are.
"""

from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.io.layout import Layout, layout_of
from reelprior.io.planes import Reorder, alpha_of, planes_of
from reelprior.io.reading import AS_TAGGED, Reading
from reelprior.io.tags import ColourTags, colour_tags, is_same_matrix

__all__ = ["Kept", "Samples", "SamplesOf", "changed_samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """The code values of one frame.

    Attributes
    ----------
    layout
        Of the pixel format they come from.
    colour
        Matrix and range that give them their meaning.
    planes
        R, G, B, or Y, Cb, Cr at their own sizes, or grey; unsigned integers or floats, (height, width).
    alpha
        Opacity (H, W), or ``None``.
    """

    layout: Layout
    colour: ColourTags
    planes: tuple[NDArray[Any], ...]
    alpha: NDArray[Any] | None = None

    def is_stored_like(self, layout: Layout, colour: ColourTags) -> bool:
        """Whether equal code values mean equal colours there."""
        here = self.layout
        is_same_colour = self.colour.range == colour.range and is_same_matrix(
            self.colour.matrix, colour.matrix
        )
        return is_same_colour and (here.kind, here.bits, here.is_float, here.horizontal, here.vertical) == (
            layout.kind,
            layout.bits,
            layout.is_float,
            layout.horizontal,
            layout.vertical,
        )


@dataclass(frozen=True, eq=False)
class Kept:
    """What a frame takes over from its source.

    Attributes
    ----------
    source
        The frame's own samples in the source.
    changed
        (H, W), True where the frame differs from the source; ``None`` where it does all over, which leaves
        the opacity.
    """

    source: Samples
    changed: NDArray[np.bool_] | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether all samples are the source's."""
        return self.changed is not None and not self.changed.any()

    def put_into(self, planes: list[NDArray[Any]], layout: Layout, colour: ColourTags) -> None:
        """Overwrite the unchanged samples of colour planes that are stored like the source's."""
        if self.changed is None or not self.source.is_stored_like(layout, colour):
            return
        for target, source in zip(planes, self.source.planes, strict=True):
            np.copyto(target, source, where=~changed_samples(self.changed, target.shape))

    def put_alpha_into(self, alpha: NDArray[Any], layout: Layout) -> None:
        """Write the source's opacity, brought to the depth of the target; opaque where it has none."""
        own = self.source.alpha
        if own is not None and own.shape != alpha.shape:  # the frame's resolution was raised
            own = cv2.resize(own, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        full = 1 if layout.is_float else 2**layout.bits - 1
        if own is None:
            alpha[:] = full
        elif own.dtype == alpha.dtype and self.source.layout.bits == layout.bits:
            alpha[:] = own
        else:
            own_full = 1 if self.source.layout.is_float else 2**self.source.layout.bits - 1
            scaled = own.astype(np.float64) * (full / own_full)
            alpha[:] = scaled if layout.is_float else np.rint(scaled)


def changed_samples(changed: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which samples of a plane of ``shape`` belong to changed luma samples; (H, W) -> ``shape``."""
    height, width = changed.shape
    if shape == (height, width):
        return changed
    down, across = -(-height // shape[0]), -(-width // shape[1])
    cells = np.zeros((shape[0] * down, shape[1] * across), np.bool_)
    cells[:height, :width] = changed
    # (h * down, w * across) -> (h, down, w, across) -> (h, w)
    touched: NDArray[np.bool_] = np.logical_or.reduce(
        cells.reshape(shape[0], down, shape[1], across), axis=(1, 3)
    )
    return touched


class SamplesOf:
    """Takes the samples of decoded frames, of any pixel format.

    Parameters
    ----------
    reading
        What overrules the tags of the frames.
    """

    def __init__(self, reading: Reading = AS_TAGGED) -> None:
        self._reading = reading
        self._reorder = Reorder()

    def __call__(self, frame: av.VideoFrame) -> Samples:
        """Return the samples of a frame; they share its memory."""
        layout = layout_of(frame.format.name)
        planar = self._reorder(frame, layout.planar)
        colour = colour_tags(frame, self._reading)
        return Samples(layout, colour, tuple(planes_of(planar, layout)), alpha_of(planar, layout))
