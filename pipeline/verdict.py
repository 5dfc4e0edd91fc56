"""Was it worth it? One plain statement about a restoration, from numbers; it never says more than they do.

Against a reference the question has an answer. Without one it has not: what can be measured then are symptoms, and
the statement says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reelprior.pipeline.comparison import Blind, Comparison, Scores

__all__ = ["Verdict", "give_verdict"]

#: Differences below this are within what another seed gives, in dB.
LEAST_GAIN_DB = 0.1
#: A symptom is called better or worse from this relative difference on.
LEAST_RELATIVE = 0.03

#: Field of :class:`Blind` -> what there is less of in a better result. Not the noise left: texture counts in it.
_SYMPTOMS = {
    "flicker": "flicker",
    "misfit": "misfit between what was removed and the noise",
    "structure": "structure in what was removed",
    "repetition": "repetition in what was removed",
}


@dataclass(frozen=True)
class Verdict:
    """What the report says first.

    Attributes
    ----------
    kind
        "better" than the cheap filter; "no better" than it; "worse" than the source; "mixed": symptoms that disagree;
        "unknown": nothing to compare with.
    statement
        One or two sentences for people.
    """

    kind: Literal["better", "no better", "worse", "mixed", "unknown"]
    statement: str


def give_verdict(comparison: Comparison) -> Verdict:
    """The statement about a restoration, against its reference where there is one."""
    if comparison.before is not None and comparison.after is not None:
        return _against_reference(comparison.before, comparison.after, comparison.baseline)
    return _by_symptoms(comparison.blind)


def _against_reference(before: Scores, after: Scores, baseline: Scores | None) -> Verdict:
    gain = _gain(after.psnr, before.psnr)
    if gain <= 0:
        return Verdict(
            "worse",
            f"The restoration is no nearer to the reference than the source: {_db(after.psnr)} after, "
            f"{_db(before.psnr)} before. Keep the source.",
        )
    if baseline is None:
        return Verdict("better", f"The restoration is {gain:.2f} dB nearer to the reference than the source.")
    over_cheap = _gain(after.psnr, baseline.psnr)
    if over_cheap < LEAST_GAIN_DB:
        return Verdict(
            "no better",
            f"The restoration did no better than a cheap filter: {_db(after.psnr)}, and the cheap filter "
            f"{_db(baseline.psnr)}. The source has {_db(before.psnr)}.",
        )
    statement = (
        f"The restoration is {gain:.2f} dB nearer to the reference than the source, and {over_cheap:.2f} dB nearer "
        "than a cheap filter."
    )
    if baseline.ssim > after.ssim:
        statement += (
            f" The cheap filter's SSIM is higher, though: {baseline.ssim:.4f} against {after.ssim:.4f}."
        )
    return Verdict("better", statement)


def _gain(after: float, before: float) -> float:
    """In dB; equal clips, which are infinitely good, gain nothing over each other."""
    return 0.0 if after == before else after - before


def _db(psnr: float) -> str:
    return "exact" if math.isinf(psnr) else f"{psnr:.2f} dB"


def _by_symptoms(blind: Mapping[str, Blind]) -> Verdict:
    caveat = "There is no reference, so nobody can tell which is nearer to the truth. "
    after, cheap = blind.get("after"), blind.get("baseline")
    if after is None or cheap is None:
        return Verdict("unknown", caveat + "Look at the pictures, and at what was removed.")
    signs = {name: _sign(getattr(after, name), getattr(cheap, name)) for name in _SYMPTOMS}
    better = [_SYMPTOMS[name] for name, sign in signs.items() if sign < 0]
    worse = [_SYMPTOMS[name] for name, sign in signs.items() if sign > 0]
    if not better:
        return Verdict(
            "no better",
            caveat
            + "By none of the symptoms that can be measured did the restoration do better than a cheap filter"
            f"{_listed(', and worse by ', worse)}: look at the pictures before you keep it.",
        )
    if worse:
        return Verdict(
            "mixed",
            caveat
            + f"Against a cheap filter the restoration has less {_and(better)}, but more {_and(worse)}.",
        )
    return Verdict(
        "better",
        caveat
        + f"Against a cheap filter the restoration has less {_and(better)}, and no more of the other symptoms.",
    )


def _sign(after: float, cheap: float) -> int:
    """-1 where ``after`` has clearly less of a symptom, 1 where clearly more; 0 for a draw or nothing measured."""
    if not (math.isfinite(after) and math.isfinite(cheap)):
        return 0
    margin = LEAST_RELATIVE * max(abs(after), abs(cheap))
    return 0 if abs(after - cheap) <= margin else (-1 if after < cheap else 1)


def _listed(prefix: str, names: list[str]) -> str:
    return prefix + _and(names) if names else ""


def _and(names: list[str]) -> str:
    return " and ".join(names)
