"""YAML files into checked values, with errors that name file, line and what was expected."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from datasets.registry import BadInput, canonical, unknown

M = TypeVar("M", bound=BaseModel)


class Config(BaseModel):
    """A frozen value read from outside; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def load_named(kind: str, folder: Path, name: str, model: type[M]) -> M:
    """The file `name`.yaml of a folder as `model`; raises BadInput with near names where there is none."""
    path = folder / f"{canonical(name)}.yaml"
    if not path.exists():
        raise unknown(kind, name, [file.stem for file in folder.glob("*.yaml")])
    return load_yaml(path, model)


def load_yaml(path: Path, model: type[M]) -> M:
    """A YAML file as `model`; raises BadInput naming file, line and what was expected."""
    tree = None
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        return model.model_validate(yaml.safe_load(text) or {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise BadInput(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {reason}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        told = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            told = str(unknown("key", where, model.model_fields))
        raise BadInput(f"{path}:{_line_of(tree, first['loc'])}: {where}: {told}") from error


def _line_of(node: yaml.Node | None, location: tuple[str | int, ...]) -> int:
    """The line (from 1) of the deepest part of `location` that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
