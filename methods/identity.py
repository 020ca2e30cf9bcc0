"""What of a value enters a key."""

from dataclasses import dataclass
from functools import lru_cache
from typing import get_type_hints


@dataclass(frozen=True)
class AsBefore:
    """Marks a field that was added later: at this value it means "as before" and is left out of keys.

    Written `field: Annotated[int, AsBefore(0)] = 0`, in methods and protocols alike, so that older records
    keep their key.
    """

    value: object


def hashed_fields(cls: type, values: dict[str, object]) -> dict[str, object]:
    """The fields of a method or protocol class that enter a key, given their values."""
    marks = _marks(cls)
    return {name: value for name, value in values.items() if name not in marks or AsBefore(value) not in marks[name]}


@lru_cache(maxsize=256)
def _marks(cls: type) -> dict[str, tuple]:
    """What the fields of a class are annotated with; looking it up for each of 100,000 keys would take a minute."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hint.__metadata__ for name, hint in hints.items() if hasattr(hint, "__metadata__")}
