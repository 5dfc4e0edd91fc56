"""What is asked for of one flash/no-flash pair, validated and frozen."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reelprior.pipeline.settings import Settings

__all__ = ["Align", "PairJob"]

Align = Literal["auto", "homography", "none"]


class PairJob(BaseModel):
    """One pair to restore.

    Attributes
    ----------
    flash, ambient, output
        Paths of photographs.
    settings
        As a preset gives them.
    align
        "auto" follows parallax, "homography" does not, "none" takes the shots as they lie.
    bits
        Depth of the output; None keeps that of the ambient shot.
    overwrite
        Whether an existing output may be replaced.
    report
        Where to write the HTML report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flash: Annotated[str, Field(min_length=1)]
    ambient: Annotated[str, Field(min_length=1)]
    output: Annotated[str, Field(min_length=1)]
    settings: Settings = Settings()
    align: Align = "auto"
    bits: Literal[8, 16] | None = None
    overwrite: bool = False
    report: str | None = None
