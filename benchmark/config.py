"""YAML files into checked values, with errors that name file, line and what was expected."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from yaml.constructor import ConstructorError

from datasets.paths import given_path, is_file_name
from datasets.registry import LARGEST_INTEGER, Malformed, canonical, named_files, unknown
from results.escape import one_line
from results.reader import RecordError, read_content

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

_LARGEST = 2**20  # bytes; the suite's own files have at most 4,000
_NO_VALUE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)  # what PyYAML lets through


class Config(BaseModel):
    """A frozen value read from outside; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def load_named(kind: str, name: str, model: type[M], *folders: Path) -> M:
    """The YAML file that has this name in the last of the folders that has one, or that it is the path of, as `model`.

    Raises BadInput with near names where there is none, and Malformed where two files of one folder have it.
    """
    if is_file_name(name):
        return load_yaml(given_path(name), model)
    files = named_files(*folders)
    if (wanted := canonical(name)) not in files:
        raise unknown(kind, name, files)
    path = files[wanted]
    twins = [twin.name for twin in sorted(path.parent.glob("*.yaml")) if canonical(twin.stem) == wanted]
    if len(twins) > 1:
        raise Malformed(
            f"{kind} '{wanted}' is {len(twins)} files in {path.parent}: {', '.join(twins)}; keep one of them"
        )
    return load_yaml(path, model)


def load_yaml(path: Path, model: type[M]) -> M:
    """A YAML file as `model`; raises Malformed naming file, line and what was expected."""
    document = read_document(path)
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise Malformed(document.told(error.errors()[0], model)) from error


def faults(document: "Document", model: type[BaseModel]) -> list[str]:
    """All that keeps a document from being `model`, a line each."""
    try:
        model.model_validate(document.value)
    except ValidationError as error:
        return [document.told(one, model) for one in error.errors()]
    return []


@dataclass(frozen=True)
class Document:
    """A YAML file: its plain value, and the nodes that know the lines."""

    path: Path
    value: object
    tree: yaml.Node | None

    def told(self, error: "ErrorDetails", model: type[BaseModel]) -> str:
        """The line, the place and what is wrong there."""
        return self.line(error["loc"], _reason_of(error, model))

    def line(self, location: tuple[str | int, ...], what: str) -> str:
        """What is wrong somewhere in the file, in one line with the place."""
        return one_line(f"{self.path}:{_line_of(self.tree, location)}: {'.'.join(map(str, location))}: {what}")


def read_document(path: Path) -> Document:
    """A YAML file, {} where it is empty; raises Malformed with file and line for what is none."""
    loader = None
    try:
        loader = _Loader(read_content(os.path.realpath(path), _LARGEST).decode())  # a link is as good as a file here
        tree = loader.get_single_node()
        value = None if tree is None else loader.construct_document(tree)
    except RecordError as error:
        raise Malformed(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None) or (loader.get_mark() if loader else None)
        raise Malformed(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {_reason(error)}") from error
    return Document(path, {} if value is None else value, tree)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)


def _reason_of(error: "ErrorDetails", model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return str(unknown("key", str(error["loc"][0]), model.model_fields))
    return error["msg"].removeprefix("Value error, ")


class _Loader(yaml.SafeLoader):
    """Plain YAML values alone, every key of a mapping once; whatever cannot be made has a line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()  # a lone surrogate cannot be written anywhere
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                told = f"{node.value:.40} is a larger number than {LARGEST_INTEGER}"
                raise ConstructorError(None, None, told, node.start_mark)
            return value
        except _NO_VALUE as error:
            said = f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, f"{said}; put text in quotes", node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[object] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"key '{key.value}' is given twice", key.start_mark)
            seen |= {(key.tag, key.value)} if isinstance(key, yaml.ScalarNode) else set()
        return super().construct_mapping(node, deep)


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
