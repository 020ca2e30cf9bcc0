"""A store is a folder of run folders; files in it are written whole or not at all."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from datasets.base import CHECKOUT

MEASURED = CHECKOUT / "results" / "measured"
DEFAULT_STORE = CHECKOUT / "results" / "records"

RECORD, FAILURE, HISTORY = "record.json", "failure.json", "history.csv"
LARGEST_INTEGER = 2**53 - 1  # what every reader of JSON and Parquet holds exactly
TEMPORARY = f".*.{'[0-9a-f]' * 32}"  # what write_atomically writes before it renames
PROGRESS, LOG, CHECKPOINT = "progress.json", "run.log", "checkpoint.pt"


Verify = Callable[[], None]
"""Raises where its caller may write no more; a lock's `verify` is one."""


def write_atomically(path: Path, content: bytes, verify: Verify | None = None) -> None:
    """Writes a file under a temporary name, synced, then renamed: readers see the old one or the whole new one.

    verify: called between draft and rename. Who takes a lock over sweeps drafts up before it looks at what is there,
    so that what lost the lock replaces nothing even when it was stopped after its last look.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if verify:
            verify()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: object, verify: Verify | None = None) -> None:
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode(), verify)
