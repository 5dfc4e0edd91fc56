"""The flows between a clip's frames: each estimated once, ahead where a core is free, and matched anew at holes."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.device import Compute
from reelprior.models.hidden_flow import HiddenFlow, grown, match_hidden
from reelprior.models.lost import holes_of
from reelprior.models.warp import estimate_flow, warp

__all__ = ["Flows"]

#: Share of a frame without a rim to go by.
_TOO_BLIND = 0.8
_SOME = 0.05


class Flows:
    """Flows of a clip.

    Parameters
    ----------
    shown
        (T, 3, H, W) in [0, 1]: the frames with less noise and without holes.
    compute
        Where the flows go.
    missing
        (T, H, W) bool, True where a frame says nothing of its motion; None where all are whole.
    hidden
        (T, H, W), True where ``shown`` says nothing of motion; None where the frames say nothing.
    error
        Gives (H, W), what a frame's picture may be wrong by where it was interpolated; needed with ``missing``.
    """

    def __init__(
        self,
        shown: NDArray[np.float32],
        compute: Compute,
        *,
        missing: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.bool_] | None = None,
        error: Callable[[int], NDArray[np.float32]] | None = None,
    ) -> None:
        self._shown, self._compute, self._missing, self._error = shown, compute, missing, error
        self._unknown = missing if hidden is None else hidden
        self._flows: dict[tuple[int, int], Tensor] = {}
        self._begun: dict[tuple[int, int], Callable[[], NDArray[np.float32]]] = {}
        #: What matching left as difference, negative where the flow was seen, of the flows that saw holes.
        self._hidden: dict[tuple[int, int], NDArray[np.float32]] = {}

    def expect(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Begin with flows that will be asked for, while other things are done."""
        for pair in pairs:
            if pair not in self._flows and pair not in self._begun:
                source, target = (self._shown[k] for k in pair)
                self._begun[pair] = self._compute.ahead.begin(partial(estimate_flow, source, target))

    def between(self, source: int, target: int) -> Tensor:
        """(1, 2, H, W) from one frame to another; kept until `forget`."""
        pair = (source, target)
        if pair not in self._flows:
            self.expect([pair])
            flow = self._begun.pop(pair)()
            hidden = self._matched(source, target, flow)
            if hidden is not None:
                flow = hidden.flow
                self._hidden[pair] = hidden.difference
            self._flows[pair] = self._compute.tensor(flow)[None]
        return self._flows[pair]

    def difference(self, source: int, target: int) -> NDArray[np.float32] | None:
        """(H, W): what matching at holes left as difference, negative where the flow was seen; None: it saw no hole."""
        return self._hidden.get((source, target))

    def forget(self, *, keep: range) -> None:
        """Drop flows that start or end outside ``keep``."""
        self._flows = {
            pair: flow for pair, flow in self._flows.items() if pair[0] in keep and pair[1] in keep
        }
        self._hidden = {pair: at for pair, at in self._hidden.items() if pair in self._flows}

    def _matched(self, source: int, target: int, flow: NDArray[np.float32]) -> HiddenFlow | None:
        """The flow, matched anew where it saw a hole at either end; None where it did nowhere.

        If hardly a pixel saw the scene (scattered holes, a lost frame) there is nothing to go by.
        """
        if self._missing is None or self._unknown is None or self._error is None:
            return None
        holes = holes_of(self._missing[source]), holes_of(self._missing[target])
        if not (holes[0].any() or holes[1].any()):
            return None
        led_to = warp(torch.from_numpy(grown(holes[1]))[None, None], torch.from_numpy(flow)[None])
        blind: NDArray[np.bool_] = (grown(holes[0]) > 0) | (led_to[0, 0].numpy() > _SOME)
        if not blind.any() or blind.mean() > _TOO_BLIND:
            return None
        pictures = (self._shown[source], self._shown[target])
        error = self._error(source) + self._error(target)
        others = [] if abs(source - target) == 1 else [self._by_way_of_neighbour(source, target)]
        unknown = holes_of(self._unknown[source]), holes_of(self._unknown[target])
        return match_hidden(flow, blind, pictures=pictures, holes=unknown, error=error, others=others)

    def _by_way_of_neighbour(self, source: int, target: int) -> NDArray[np.float32]:
        """(2, H, W): the flow to the next frame, and the flow on from there; small motions are found more surely."""
        following = source + (1 if target > source else -1)
        first = self.between(source, following)
        return (first + warp(self.between(following, target), first))[0].cpu().numpy()
