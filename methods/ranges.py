"""The ranges of parameters that methods share; a value outside them is refused with one line."""

from typing import Annotated

from pydantic import Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(gt=0)]
