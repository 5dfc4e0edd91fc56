"""How a source is to be read where it does not say so itself, or says it wrongly."""

from dataclasses import dataclass

__all__ = ["AS_TAGGED", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What the user knows better than the file. ``None`` leaves it to the file and the policy for untagged input.

    Attributes
    ----------
    matrix, range, primaries, transfer
        Instead of what `reelprior.io.tags` finds, in its words. R'G'B' has neither another matrix nor another range.
    allow_gaps
        Whether numbers may be missing in a numbered series of images. Its frames then keep their distance in time.
    """

    matrix: str | None = None
    range: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    allow_gaps: bool = False


AS_TAGGED = Reading()
"""Trusts the file."""
