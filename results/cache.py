"""What an earlier walk saw of a store: a hint that is checked against the files, and can be deleted at any moment."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pydantic_core
from pydantic_core import from_json, to_json

from datasets.paths import own_folder
from results.files import write_atomically
from results.reader import read_content
from results.walk import Folder

REMEMBERED = ".index.json"
_LARGEST = 2**30  # bytes; an index of 100,000 records has 50,000,000
_ABANDONED = 3600.0  # seconds after which nobody is still writing a draft
_READERS = ("reader.py", "records.py", "walk.py", "index.py", "cache.py")


def recall(store: Path) -> Folder | None:
    """The tree last remembered of a store; None where there is none, or one that is damaged or of other code."""
    for place in _places(store):
        with suppress(OSError, ValueError):
            if body := recall_bytes(place, _reader()):
                return from_json(body, allow_inf_nan=False)
    return None


def remember(store: Path, tree: Folder) -> None:
    """Leaves a tree for the next process: in the store, or beside the user's caches where that is read-only."""
    body = to_json(tree)
    for place in _places(store):
        with suppress(OSError):
            return remember_bytes(place, _reader(), body)


def recall_bytes(place: Path, maker: str) -> bytes | None:
    """What the code `maker` remembered in a file; None for a damaged one and for one of other code."""
    head, _, body = read_content(place, _LARGEST).partition(b"\n")
    return body if head == _head(maker, body) else None


def remember_bytes(place: Path, maker: str, body: bytes) -> None:
    """Writes a file whose first line says which code made it, and its checksum."""
    write_atomically(place, _head(maker, body) + b"\n" + body)
    for draft in place.parent.glob(f".{place.name}.*"):  # of processes that were killed
        if draft.stat().st_mtime < time.time() - _ABANDONED:
            draft.unlink()


def caches() -> Path | None:
    """The folder for what can be computed again, of this user; None for a user without a home folder."""
    return own_folder("XDG_CACHE_HOME", ".cache")


def _places(store: Path) -> Iterator[Path]:
    yield store / REMEMBERED
    if folder := caches():
        yield folder / f"index-{hashlib.sha256(os.fsencode(store)).hexdigest()[:16]}.json"


def _head(maker: str, body: bytes) -> bytes:
    return f"{maker} {hashlib.sha256(body).hexdigest()}".encode()


@lru_cache(maxsize=1)
def _reader() -> str:
    """A hash of the code that decides what a good record is: other code must read every file again."""
    digest = hashlib.sha256(pydantic_core.__version__.encode())
    for name in _READERS:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]
