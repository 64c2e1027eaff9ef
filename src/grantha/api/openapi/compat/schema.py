"""Types that the vendors' schemas share. They only describe: nothing is validated with them.

Listed are the members that an endpoint reads or writes, no more: others may be there and are ignored.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FromZeroToOne = Annotated[float | None, Field(default=None, ge=0, le=1)]
FromZeroToTwo = Annotated[float | None, Field(default=None, ge=0, le=2)]
PositiveInteger = Annotated[int | None, Field(default=None, ge=1, lt=2**63)]
WholeNumber = Annotated[int | None, Field(default=None, gt=-(2**63), lt=2**63)]
MediaUrl = Annotated[
    str,
    Field(
        pattern=r"^(https?://.|data:[^,]*;base64,.)",
        max_length=2**24,
        description="A data URL, or a URL that the model's vendor fetches: Grantha fetches nothing.",
    ),
]
ModelName = Annotated[
    str | None, Field(default=None, description="`provider/model`, or bare where that is clear.")
]
StopSequences = Annotated[str | list[str] | None, Field(default=None)]


class Schema(BaseModel):
    """Base of all. Null counts as absent in requests."""

    model_config = ConfigDict(extra="allow", defer_build=True)
