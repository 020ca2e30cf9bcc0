"""Walks a store and reads the records in it, except those that an earlier walk has read and nobody has touched."""

import os
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from results.files import RECORD
from results.reader import RecordError
from results.records import Record, read_record

Folder = list[Any]
"""A folder as seen: [ctime in ns, {name: Folder, or why it was not searched}, File or None]."""
File = list[Any]
"""A record file as seen: [mtime in ns, ctime in ns, size, a summary of the record, or why it is left out]."""

FRESH = 5.0  # seconds: what changed so lately may change again without a new time stamp (coarse clocks, skew)
DEEPEST = 40  # folders below one another
_UNSEEN: Folder = [0, {}, None]


class Survey:
    """What a store holds now, given the tree of an earlier walk.

    A folder with the ctime, and a file with the mtime, ctime and size of that walk, are not read again.
    tree: as found; rows: (run folder relative to the store, summary) of every record that can be trusted, in the
    order of their paths; problems: what was left out, and why; read: how many folders and files had to be read.
    summary: makes of a record the JSON values that are kept of it.
    """

    def __init__(self, store: Path, known: Folder | None, summary: Callable[[Record], list]):
        self.store, self.summary, self.read = str(store), summary, 0
        self.rows: list[tuple[str, list]] = []
        self.problems: list[str] = []
        self._trusted = int((time.time() - FRESH) * 1e9)
        self.tree = self._folder("", known or _UNSEEN, 0)

    def _folder(self, path: str, known: Folder, depth: int) -> Folder:
        where = f"{self.store}/{path}"
        try:
            changed = os.stat(where).st_ctime_ns  # not mtime, which copying tools set back
            names, has_record = (known[1], known[2] is not None) if changed == known[0] else self._list(where)
        except OSError as error:
            return self._unsearched(path, error)
        file = self._file(path, known[2]) if has_record else None
        children = {}
        for name in names:
            child = names[name] if isinstance(names[name], str) else known[1].get(name, _UNSEEN)
            children[name] = self._child(f"{path}/{name}" if path else name, child, depth + 1)
        return [changed if changed < self._trusted else 0, children, file]

    def _unsearched(self, path: str, error: OSError) -> Folder:
        """What cannot be opened is a problem; what is gone is not (a store need not exist)."""
        if not isinstance(error, FileNotFoundError):
            self._report(path, f"cannot be searched: {error.strerror}")
        return _UNSEEN

    def _child(self, path: str, known: Folder | str, depth: int) -> Folder | str:
        if depth > DEEPEST:
            known = "too deep to be searched"
        if isinstance(known, str):
            self._report(path, known)
            return known
        return self._folder(path, known, depth)

    def _list(self, where: str) -> tuple[dict[str, Any], bool]:
        """The folders in a folder by name, those not to be searched with the reason; and whether it has a record."""
        self.read += 1
        with os.scandir(where) as found:
            entries = sorted(found, key=_name)
        has_record = any(entry.name == RECORD for entry in entries)
        folders = [entry for entry in entries if entry.name != RECORD and _is_folder(entry)]
        return {_shown(entry.name): _refusal(entry) for entry in folders}, has_record

    def _file(self, path: str, known: File | None) -> File | None:
        where = f"{self.store}/{path}/{RECORD}"
        try:
            found = os.lstat(where)
        except OSError:
            return None  # gone since the folder was listed
        stamp = [found.st_mtime_ns, found.st_ctime_ns, found.st_size]
        if known is None or known[:3] != stamp:
            known = self._read(where, stamp)
        if isinstance(known[3], str):
            self._report(f"{path}/{RECORD}" if path else RECORD, known[3])
        else:
            self.rows.append((path, known[3]))
        return known

    def _read(self, where: str, stamp: list[int]) -> File:
        """The file as it is now; a damaged one is read again every time, whatever its stamp."""
        self.read += 1
        try:
            kept: list | str = self.summary(read_record(where))
        except RecordError as error:
            return [0, 0, 0, str(error)]
        return [*(stamp if stamp[1] < self._trusted else [0, 0, 0]), kept]

    def _report(self, path: str, why: str) -> None:
        self.problems.append(f"{self.store}/{path}: {why}")


_name = attrgetter("name")


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _refusal(entry: os.DirEntry) -> str | None:
    if entry.is_symlink():
        return "a link to a folder, not followed"
    return None if _shown(entry.name) == entry.name else "its name is not UTF-8"


def _shown(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")
