"""The error tree of this layer: one class, because a fit fails in one way, by not producing finite pictures."""

__all__ = ["FitError"]


class FitError(Exception):
    """A restoration that cannot be done: no pixel observed, a loss that is not finite, a device that is missing."""
