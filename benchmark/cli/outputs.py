"""Places that a long verb writes at its end: found out to be impossible at its start."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from datasets.files import make_folder, settle
from datasets.paths import real_path
from datasets.registry import BadInput


def require_writable(output: Path) -> None:
    """Raises BadInput where a file could not be written to `output`; makes the folders above it."""
    try:
        if output.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        make_folder(output.parent)
        TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise BadInput(f"{output} cannot be written ({error.strerror}): name a file elsewhere") from error


def require_free(output: Path) -> Path:
    """The folder that `output` is, links followed; raises BadInput where it holds something already."""
    try:
        place = real_path(output)
        if os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
            raise BadInput(f"{output} exists: name a folder that does not, or an empty one")
    except OSError as error:
        raise BadInput(f"{output} cannot be looked into ({error})") from error
    return place


@contextmanager
def replaced(output: Path) -> Iterator[Path]:
    """A new folder that takes the place of the empty or absent folder `output` at the end, and not after an error.

    Raises BadInput at once where it could not.
    """
    draft, was_there = output.with_name(f".{output.name}.{uuid.uuid4().hex}"), output.exists()
    try:
        make_folder(draft)
        if was_there:
            output.rmdir()  # a mount refuses: better now than after the training
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise BadInput(f"{output} cannot be replaced ({error.strerror}): name a new folder, here or in it") from error
    try:
        yield draft
        settle(draft, output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if was_there and not output.exists():
            output.mkdir()
