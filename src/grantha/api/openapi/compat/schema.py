"""What the vendors' schemas share. They describe; nothing is validated with them here.

Listed are the members that an endpoint reads or writes, no more: others may be there and are ignored.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

ONE = Annotated[float | None, Field(default=None, ge=0, le=1)]
TWO = Annotated[float | None, Field(default=None, ge=0, le=2)]
COUNT = Annotated[int | None, Field(default=None, ge=1, lt=2**63)]
WHOLE = Annotated[int | None, Field(default=None, gt=-(2**63), lt=2**63)]
DATA_URL = Annotated[str, Field(pattern=r"^data:[^,]*;base64,", description="Nothing is fetched.")]
MODEL = Annotated[
    str | None, Field(default=None, description="`provider/model`, or bare where that is clear.")
]
STOPS = Annotated[str | list[str] | None, Field(default=None)]


class Schema(BaseModel):
    """Base of all. Null counts as absent in requests."""

    model_config = ConfigDict(extra="allow", defer_build=True)
