"""Ablation: the default engine with one idea changed at a time, on clips of three kinds; ``--only ablation``."""

import math

from measuring import Measurement, Subject, measure_method
from methods import Engine
from noises import NOISES
from session import Session
from table import Section, Table

__all__ = ["VARIANTS", "measure"]

#: Nearly still, fast, a moving camera.
_CLIPS, _FRAMES = ("carphone", "bikes", "tennis"), 12
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "no consistency along the flow": ("temporal.consistency_weight=0",),
    "no fused neighbours": ("fusion.radius=0", "fusion.second_radius=0"),
    "no collaborative filter": ("collaborative.enabled=false",),
    "groups of eight only": ("collaborative.group_alike=8",),
    "the key frame at full resolution only": ("temporal.key_coarse_iterations=0",),
    "a second pass too": ("temporal.passes=2",),
    "residual not added back": ("temporal.add_back=false",),
    "no guides": ("network.guided=false",),
    "clipping of the noise ignored": ("fit.clipping=false",),
    "no warm start: every frame by itself, 400 iterations": ("temporal.enabled=false", "fit.iterations=400"),
}


def measure(session: Session) -> Section:
    """Restore the beginning of each clip with each variant."""
    cases = [case for case in session.cases() if case.name in (session.clips or _CLIPS)]
    subjects = [
        Subject.of(case, NOISES["sigma25"], data=session.data, frames=session.frames or _FRAMES)
        for case in cases
    ]
    rows = []
    for name, changes in VARIANTS.items():
        options = tuple(part for change in changes for part in ("--set", change))
        engine = Engine(f"ablation {name}", options)
        found = [m for s in subjects if (m := measure_method(session, s, engine)) is not None]
        settings = " ".join(f"`{change}`" for change in changes)
        rows.append((f"{name} {settings}".rstrip(), *(f"{m.psnr:.2f}" for m in found), *_means(found)))
    header = (
        "one thing changed",
        *(f"{case.name}, dB" for case in cases),
        "mean, dB",
        "frame to frame",
        "s per frame",
    )
    notes = [f"The first {_FRAMES} frames of each clip, sigma 25; frame-to-frame error in grey levels."]
    return Section("Ablation", (), [Table(header, rows)], notes)


def _means(found: list[Measurement]) -> tuple[str, ...]:
    columns = (
        [m.psnr for m in found],
        [m.frame_to_frame_error for m in found],
        [m.seconds_per_frame or 0.0 for m in found],
    )
    return tuple(f"{math.fsum(values) / len(values):.2f}" for values in columns)
