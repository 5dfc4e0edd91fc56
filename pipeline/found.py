"""What detectors found in the frames of a job, and ``masks/found.json``, which keeps it for workers and later runs.

The masks themselves are pictures beside it (`reelprior.pipeline.unknown` reads them), and a logo that the scene is seen
through is two arrays.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field

from reelprior.io.errors import InputError
from reelprior.io.files import load_arrays, save_arrays, sha256
from reelprior.io.scan import FrameIndex
from reelprior.models.flicker import ToneCurve
from reelprior.models.overlay import Overlay
from reelprior.pipeline.jobdir import JobDirectory, Order

__all__ = [
    "Findings",
    "hash_of_masks",
    "load_findings",
    "load_with_hash",
    "needs_a_fit",
    "overlay_in",
    "save_findings",
    "save_overlay",
    "tones_in",
]

#: Detectors and what they find, for people.
_KINDS = {
    "scratches": "Scratches",
    "dust": "Dust and dirt",
    "dropouts": "Lost lines of tape",
    "logo": "Logo",
    "deflicker": "Flicker",
}


@dataclass(frozen=True)
class Findings:
    """What was found in the frames of a job.

    Attributes
    ----------
    facts
        For people: share of the pixels marked by each detector in percent, and so on.
    marked
        Pixels that are holes, by frame; frames without any are left out.
    curves
        Tone correction by frame, also of frames that restoring the job's only looks at; those without any are left out.
    frames
        In how many frames each detector is sure of something.
    """

    facts: Mapping[str, float | bool] = field(default_factory=dict)
    marked: Mapping[int, int] = field(default_factory=dict)
    curves: Mapping[int, ToneCurve] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)

    def by_detector(self) -> list[tuple[str, int, str]]:
        """Kind of defect, in how many frames, and how much of it, for people; without what was not found."""
        return [(_KINDS[name], count, self._treated(name)) for name, count in self.frames.items() if count]

    def _treated(self, name: str) -> str:
        if name == "deflicker":
            return f"corrected by up to {float(self.facts['flicker_8bit']):.2g} grey levels"
        said = f"{float(self.facts[f'{name}_percent']):.2g} % of the pixels of all frames"
        through = float(self.facts.get("seen_through_percent", 0)) if name == "logo" else 0
        return f"{said}: in {through:.2g} % seen through, the rest filled" if through else f"{said}, filled"

    def curves_to_json(self, frames: range) -> dict[str, list[float]]:
        """Offset, gain and bend by frame: with them `ToneCurve.undo` takes the correction back."""
        of_these = {t: astuple(curve) for t, curve in self.curves.items() if t in frames}
        return {str(t): [round(number, 6) for number in numbers] for t, numbers in of_these.items()}


def load_findings(directory: JobDirectory) -> Findings:
    """What was found; nothing where nothing was looked for."""
    found = load_with_hash(directory)
    return found[0] if found else Findings()


def needs_a_fit(order: Order, index: FrameIndex, directory: JobDirectory, frames: range) -> bool:
    """Whether anything in these frames is to be fitted: a job that fills holes only may have none here."""
    job = order.job
    if job.settings.strength == 0:
        return False
    if not job.restores_only_the_mask or job.mask is not None or index.field_order is not None:
        return True
    marked, unreadable = load_findings(directory).marked, index.unreadable
    return any(t in marked or t in unreadable for t in frames)


def tones_in(directory: JobDirectory, frames: range) -> list[ToneCurve]:
    """The tone correction of each frame."""
    curves = load_findings(directory).curves
    return [curves.get(t, ToneCurve()) for t in frames]


def overlay_in(directory: JobDirectory) -> Overlay | None:
    """The logo that the scene is seen through, if there is one."""
    if not directory.overlay_path.exists():
        return None
    arrays = load_arrays(directory.overlay_path)
    return Overlay(arrays["transmission"], arrays["added"])


def save_overlay(directory: JobDirectory, overlay: Overlay | None) -> None:
    """Keep it for workers, or that there is none."""
    if overlay is None:
        directory.overlay_path.unlink(missing_ok=True)
    else:
        arrays = {"transmission": overlay.transmission, "added": overlay.added}
        save_arrays(directory.overlay_path, arrays)


def hash_of_masks(directory: JobDirectory, frames: range) -> str | None:
    """SHA-256 over the hashes of all masks and of the overlay, in hex; None if a mask is missing."""
    overlay = [directory.overlay_path] if directory.overlay_path.exists() else []
    try:
        hashes = [sha256(path) for path in (*map(directory.mask_path, frames), *overlay)]
    except InputError:
        return None
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def save_findings(directory: JobDirectory, findings: Findings, masks_hash: str | None) -> None:
    """Keep what was found, once all masks are written; ``masks_hash`` is theirs."""
    fields = {
        "facts": dict(findings.facts),
        "marked": list(findings.marked.items()),
        "curves": [(t, *astuple(curve)) for t, curve in findings.curves.items()],
        "frames": dict(findings.frames),
        "sha256": masks_hash,
    }
    directory.write_text(directory.found_path, json.dumps(fields, indent=1))


def load_with_hash(directory: JobDirectory) -> tuple[Findings, str] | None:
    """Findings and the hash of their masks; None if there are none or they are damaged."""
    try:
        fields = json.loads(directory.found_path.read_text(encoding="utf-8"))
        findings = Findings(
            fields["facts"],
            {int(t): int(count) for t, count in fields["marked"]},
            {int(t): ToneCurve(*numbers) for t, *numbers in fields["curves"]},
            {str(name): int(count) for name, count in fields["frames"].items()},
        )
        return findings, str(fields["sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
