"""Quality levels: how much time is spent, by budget and ensemble alone; the code is the same."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

__all__ = ["Quality", "changes_of"]


class Quality(StrEnum):
    """How much time a restoration may take."""

    DRAFT = "draft"
    STANDARD = "standard"
    BEST = "best"


#: What a level changes in the settings of a preset; `STANDARD` is the preset itself.
_CHANGES: Mapping[Quality, Mapping[str, Any]] = MappingProxyType(
    {
        Quality.DRAFT: {
            "fit.iterations": 100,
            "fit.coarse_iterations": 100,
            "temporal.key_iterations": 30,
            "temporal.warm_iterations": 4,
            "collaborative.step": 6,
            "collaborative.unseen_steps": 8,
            "completion.iterations": 350,
            "fusion.hole_rounds": 1,
            "collaborative.bounded_steps": 3,
            "enlarging.lessons": 200,
            "enlarging.warm_lessons": 10,
            "enlarging.orientations": 1,
            "enlarging.rounds": 1,
            "collaborative.group_alike": 8,
        },
        Quality.STANDARD: {},
        # A second pass whose guides and flow come from the first; more patches, closer together; two starts for a
        # picture.
        Quality.BEST: {
            "fit.starts": 2,
            "temporal.passes": 2,
            "temporal.warm_iterations": 15,
            "collaborative.step": 3,
            "enlarging.lessons": 1500,
            "enlarging.warm_lessons": 60,
            "collaborative.radius": 8,
            "collaborative.group_alike": 32,
        },
    }
)


def changes_of(quality: Quality) -> Mapping[str, Any]:
    """Dotted keys and values that a level sets on top of a preset, and under ``--set``."""
    return _CHANGES[quality]
