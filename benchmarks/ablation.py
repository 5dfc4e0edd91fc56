"""Ablation: the default engine with one idea off at a time. Not part of the promised figures; ``--only ablation``."""

import clips
from clips import CASES
from quality import score
from session import Session
from table import Section, Table

__all__ = ["VARIANTS", "measure"]

_FRAMES = 12
VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "no consistency along the flow": ("temporal.consistency_weight=0",),
    "no fused neighbours": ("fusion.radius=0", "fusion.second_radius=0"),
    "forward pass only": ("temporal.passes=1",),
    "residual not added back": ("temporal.add_back=false",),
    "no guides": ("network.guided=false",),
    "clipping of the noise ignored": ("fit.clipping=false",),
    "every frame by itself, 400 iterations": ("temporal.enabled=false", "fit.iterations=400"),
}


def measure(session: Session) -> Section:
    """Restore a short carphone with each variant."""
    case = CASES[0]
    clean = clips.load(case, data=session.data, count=session.frames or _FRAMES)
    source = clips.write(session.clip("ablation-noisy"), clips.add_noise(clean))
    output = session.clip("ablation-restored")
    rows = []
    for name, overrides in VARIANTS.items():
        result = session.restore(source, output, overrides=overrides)
        scores = score(clips.decode(output), clean)
        settings = " ".join(f"`{change}`" for change in overrides)
        rows.append(
            (
                f"{name} {settings}".rstrip(),
                f"{scores.psnr:.2f}",
                f"{scores.frame_to_frame_error:.2f}",
                f"{result.seconds / result.frames:.2f}",
            )
        )
    header = ("one thing off", "PSNR, dB", "frame to frame", "s per frame")
    notes = [f"{case.name}, {len(clean)} frames, sigma 25; frame-to-frame error in grey levels."]
    return Section("Ablation", (), [Table(header, rows)], notes)
