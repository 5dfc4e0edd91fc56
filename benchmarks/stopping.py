"""Stopping rules against an oracle: how far what each keeps of a fit is below that fit's best; ``--only stopping``.

Crops of the nine pictures of the published denoising figures, sigma 25, fitted as a single picture is. No fit ends
before its budget, so that its best average is known; what a rule keeps is what it would have kept. The rules that need
no hidden pixels are shown a fit without any.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from clips import read_picture
from measuring import psnr_of
from noises import NOISES
from numpy.typing import NDArray
from session import Session
from table import Section, Table, at_most
from torch import Tensor

from reelprior.models.clip import Clip
from reelprior.models.gauge import Gauge
from reelprior.models.noise import NoiseModel
from reelprior.models.noise_estimate import detect_clipping
from reelprior.models.settings import StoppingSettings
from reelprior.models.stopping import Look, StoppingRule, choose_rule
from reelprior.models.temporal import restore_clip
from reelprior.pipeline.presets import load_settings

__all__ = ["measure"]

_FOLDER, _SIDE, _ITERATIONS, _EVERY = "stills/cset9", 192, 250, 5
#: Rules that can watch the same fit; the first is the one that the fit is set to.
_RULES = (("held_out",), ("discrepancy", "variance"))
_WANTED_LOSS = 0.3


def measure(session: Session) -> Section:
    """Fit each picture twice."""
    paths = sorted((session.data / _FOLDER).glob("*.png"))
    if not paths:
        return Section("Stopping", notes=[f"Not measured: there is no {_FOLDER} in the folder of footage."])
    names = [name for together in _RULES for name in together]
    iterations = _ITERATIONS if session.frames is None else 20 * session.frames
    rows: list[tuple[str, ...]] = []
    losses: dict[str, list[float]] = {name: [] for name in names}
    for path in paths:
        clean = _crop(path)
        cells = [path.stem]
        for together in _RULES:
            curve, kept = _watched_fit(clean, together, iterations=iterations)
            best = max(curve)
            cells += [f"{best:.2f}", str(_EVERY * curve.index(best))]
            for name in together:
                losses[name].append(best - curve[kept[name]])
                cells.append(f"{losses[name][-1]:.2f} ({_EVERY * kept[name]})")
        rows.append(tuple(cells))
    rows.append(("worst", *_beside({name: max(values) for name, values in losses.items()})))
    rows.append(("mean", *_beside({name: float(np.mean(values)) for name, values in losses.items()})))
    figures = [
        at_most(
            f"stopping: {name}, worst picture, below the best iterate",
            max(losses[name]),
            _WANTED_LOSS,
            unit="dB",
        )
        for name in names
    ]
    header = ["still, sigma 25"]
    for together in _RULES:
        header += ["best, dB", "at", *(f"{name}, dB below" for name in together)]
    notes = [
        f"The middle {_SIDE}x{_SIDE} of each, guided and coarse to fine as a single picture is, {iterations} "
        "iterations. Best: the best average of that fit among the looks, five iterations apart, and its iteration at "
        "full resolution; in brackets the one that the rule kept. The fit of the first group hides pixels, that of the "
        "second does not."
    ]
    return Section("Stopping", figures, [Table(tuple(header), rows)], notes)


def _beside(values: Mapping[str, float]) -> list[str]:
    cells = []
    for together in _RULES:
        cells += ["", "", *(f"{values[name]:.2f}" for name in together)]
    return cells


def _crop(path: Any) -> NDArray[np.uint8]:
    """The middle, (H, W, 3) R'G'B'."""
    picture = read_picture(path)
    top, left = ((side - _SIDE) // 2 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + _SIDE, left : left + _SIDE, ::-1])  # B'G'R' -> R'G'B'


def _watched_fit(
    clean: NDArray[np.uint8], rules: tuple[str, ...], *, iterations: int
) -> tuple[list[float], dict[str, int]]:
    """PSNR in dB of the averaged picture at each look of a fit, and the look whose picture each rule keeps."""
    noise = NOISES["sigma25"]
    noisy = noise.add(clean[None])
    frames = noisy.transpose(0, 3, 1, 2).astype(np.float32, order="C") / np.float32(255)
    model = detect_clipping(NoiseModel.from_sigma_8bit(noise.sigma_8bit()), frames)
    settings = load_settings(
        "denoise", overrides=(f"stopping.rule={rules[0]}", f"fit.iterations={iterations}")
    )
    with _watching(clean, rules) as (curve, juries):
        restore_clip(
            Clip(frames, None, model),
            range(1),
            parameters=None,
            engine=settings,
            compute=settings.compute,
            seed=settings.seed,
            on_step=lambda step: None,
        )
    (jury,) = juries  # a coarse fit asks no rule
    return curve, jury.kept


class _Jury:
    """All rules that watch a fit, which none of them ends."""

    reach = 0

    def __init__(self, rules: Mapping[str, StoppingRule]) -> None:
        self._rules = dict(rules)
        self._looks = 0
        self.kept = dict.fromkeys(rules, 0)

    def look(self, look: Look) -> int | None:
        for name, rule in list(self._rules.items()):
            ago = rule.look(look)
            if ago is not None:
                self.kept[name] = self._looks - ago
            if rule.ends(look.iteration):
                del self._rules[name]
        self._looks += 1
        return 0

    def ends(self, iteration: int) -> bool:
        return False


@contextmanager
def _watching(clean: NDArray[np.uint8], names: tuple[str, ...]) -> Iterator[tuple[list[float], list[_Jury]]]:
    """Fits inside show their averages to the truth, and their looks to all the rules."""
    curve: list[float] = []
    juries: list[_Jury] = []

    class Watching(Gauge):
        def look(self, iteration: int, data: float, iterate: Tensor, average: Tensor) -> Look:
            if average.shape[-2:] == clean.shape[:2]:  # and not half of it: a coarse fit
                pixels = (255 * average[0].clamp(0, 1)).round().byte().permute(1, 2, 0).cpu().numpy()
                curve.append(psnr_of(pixels, clean))
            return super().look(iteration, data, iterate, average)

    def choose(settings: StoppingSettings, **facts: Any) -> _Jury:
        juries.append(
            _Jury({n: choose_rule(settings.model_copy(update={"rule": n}), **facts) for n in names})
        )
        return juries[-1]

    with patch("reelprior.models.fit.Gauge", Watching), patch("reelprior.models.fit.choose_rule", choose):
        yield curve, juries
