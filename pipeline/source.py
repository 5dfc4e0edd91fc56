"""How the source is to be read, as a group of settings, and how it is, in words."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from reelprior.io.probe import MediaInfo
from reelprior.io.reading import Reading
from reelprior.io.tags import COLOUR_NAMES

__all__ = ["SourceSettings", "colour_facts"]

_AUTO = "auto"


def _colour(kind: str) -> AfterValidator:
    """A validator of "auto" and the names of one kind of colour tag."""

    def check(value: str) -> str:
        if value != _AUTO and value not in COLOUR_NAMES[kind]:
            raise ValueError(f"must be {_AUTO} or one of {', '.join(COLOUR_NAMES[kind])}")
        return value

    return AfterValidator(check)


class SourceSettings(BaseModel):
    """What is known better than the file says it. "auto" takes the file's tags, and what is usual where it has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    matrix: Annotated[str, _colour("matrix")] = _AUTO
    """Matrix between R'G'B' and Y'CbCr: bt709, smpte170m (BT.601, 525 lines), bt470bg (625 lines), bt2020nc ..."""
    range: Annotated[str, _colour("range")] = _AUTO
    """"limited" (black is 16 of 255) or "full"."""
    primaries: Annotated[str, _colour("primaries")] = _AUTO
    """Carried to the output, not applied."""
    transfer: Annotated[str, _colour("transfer")] = _AUTO
    """Carried to the output, not applied."""
    allow_gaps: bool = False
    """Whether numbers may be missing in a numbered series of images; times then follow the numbers."""

    @property
    def reading(self) -> Reading:
        """The same for the readers."""
        said = {name: value for name in COLOUR_NAMES if (value := getattr(self, name)) != _AUTO}
        return Reading(**said, allow_gaps=self.allow_gaps)


def colour_facts(source: MediaInfo) -> str:
    """How the colours are read, in words: ``bt601 (assumed), limited``."""
    colour = source.video.colour
    matrix = f"{colour.matrix} (assumed)" if colour.matrix_is_assumed else colour.matrix
    return f"{matrix}, {colour.range} (assumed)" if colour.range_is_assumed else f"{matrix}, {colour.range}"
