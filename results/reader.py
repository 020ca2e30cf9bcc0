"""The one reader of every file that a store holds: strict, bounded, and stopped by nothing that others put there."""

import errno
import io
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from datasets import files

LARGEST_SIDE = 2**24  # bytes of a JSON file beside the records; a submission of 100,000 runs has 2,000,000
T = TypeVar("T")


class RecordError(ValueError):
    """A file of a store that cannot be trusted; the message says why."""


class Absent(RecordError):
    """There is no such file."""


class Unreadable(RecordError, OSError):
    """A file that could not be read just now (no permission, an I/O error): it may be whole, and is left as it is."""


_NOT_A_FILE_OF_OURS = (errno.ELOOP, errno.ENXIO)  # a link, a socket


def open_regular(path: Path | str) -> io.FileIO:
    """A regular file, open for reading; never waits. Raises RecordError for a link, a pipe or a folder, Absent where
    there is none, Unreadable where the file may be whole."""
    try:
        return files.open_regular(path, links=False)
    except files.NotRegular as error:
        raise RecordError("not readable: not a regular file") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Absent(f"not readable: {error.strerror}") from error
    except OSError as error:
        if error.errno in _NOT_A_FILE_OF_OURS:
            raise RecordError(f"not readable: {error.strerror}") from error
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


def read_content(path: Path | str, largest: int) -> bytes:
    """The bytes of a regular file of at most `largest`; raises as open_regular, and RecordError for a giant."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise RecordError(f"not readable: {size} bytes are too many")
        try:
            return file.read()
        except OSError as error:
            raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


def read_json(path: Path | str, largest: int = LARGEST_SIDE) -> dict[str, Any]:
    """The JSON object in a file; raises as read_content, and RecordError for anything else, however deep."""
    return json_object(read_content(path, largest))


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object that a file's content is; raises RecordError for anything else."""
    try:
        value = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise RecordError(f"not readable as JSON: {error}") from error
    if not isinstance(value, dict):
        raise RecordError("not a JSON object")
    return value


def read_as(path: Path | str, kind: type[T]) -> T:
    """The JSON object in a file as a NamedTuple or dataclass; keys that `kind` lacks are a newer version's and passed
    over. Raises as read_json, and RecordError for values of other types."""
    return checked(read_json(path), kind)


def checked(value: dict[str, Any], kind: type[T]) -> T:
    """An object as a NamedTuple or dataclass; raises RecordError that names the first value that does not fit."""
    fields = kind.__annotations__
    try:
        return _adapter(kind).validate_python({name: part for name, part in value.items() if name in fields})
    except ValidationError as error:
        raise RecordError(first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    """Where in a value the first fault is, and what was expected there."""
    first = error.errors(include_url=False, include_input=False)[0]
    place, told = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    return f"{place}: {told}" if place else told


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
