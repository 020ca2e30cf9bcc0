"""What a person may say of a folder of images beside its path: `folder(size=64, split=0.8, seed=1):PATH`."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datasets.registry import BadInput, split_outside, unknown

_TEXT = re.compile(r"(?P<name>[^:(]*)(?:\((?P<options>[^()]*)\))?\s*(?P<rest>(?::.*)?)", re.DOTALL)


class FolderOptions(BaseModel):
    """How a folder's images are cut and, where it has no split of its own, divided.

    size: pixels of the square that images are brought to, a multiple of 8, which all networks and generators take;
    None: by the images. split: the share of each class that is trained on; None: the folder says. seed: of the draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=16, le=256, multiple_of=8)] | None = None
    split: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    def __str__(self) -> str:
        """As a person writes them, in one way; nothing where none is given."""
        given = ", ".join(f"{name}={value}" for name, value in self.model_dump(exclude_defaults=True).items())
        return f"({given})" if given else ""


def divide_text(text: str) -> tuple[str, str | None, str]:
    """Name, what stands in parentheses after it, and path (with its colon) of a text that names a dataset."""
    match = _TEXT.fullmatch(text)
    return (match["name"], match["options"], match["rest"]) if match else (text, None, "")


def parse_options(text: str) -> FolderOptions:
    """Raises BadInput for an unknown name, or a value that is out of range."""
    values: dict[str, str] = {}
    for part in filter(str.strip, split_outside(text, ",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name in values:
            raise BadInput(f"folder({text}): '{part.strip()}' is " + ("given twice" if equals else "not name=value"))
        if name not in FolderOptions.model_fields:
            raise unknown("option of folder", name, FolderOptions.model_fields)
        values[name] = value
    try:
        options = FolderOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"folder({text}): {first['loc'][0]}={first['input']}: {first['msg']}") from error
    if options.seed and options.split is None:
        raise BadInput(f"folder({text}): seed is that of a split: give split, e.g. split=0.8")
    return options
