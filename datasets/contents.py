"""What files hold, by hash: taken again where a file may have changed, and asked of every file that is used."""

import hashlib
import os
import stat
from pathlib import Path

from datasets.base import DataChanged, DataCorrupt

Stamp = tuple[int, ...]


class Contents:
    """The sha256 of files. A file is read for it once, and again when its size, its times or its inode differ."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, bytes]] = {}

    def sha256(self, file: Path) -> bytes:
        """The hash of what a file holds now, as far as its stamp can tell; raises DataCorrupt for one without any."""
        stamp = _stamp(file)
        if file not in self._known or self._known[file][0] != stamp:
            self._known[file] = stamp, hashlib.sha256(_read(file)).digest()
        return self._known[file][1]

    def read(self, file: Path) -> bytes:
        """The bytes that `sha256` last told the hash of; raises DataChanged where the file has others by now."""
        content = _read(file)
        if hashlib.sha256(content).digest() != self._known[file][1]:
            raise DataChanged(f"{file} was replaced after its hash was taken: the same command takes it as it is now")
        return content


def _stamp(file: Path) -> Stamp:
    try:
        found = os.stat(file)
    except OSError as error:
        raise DataCorrupt(f"{file} cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        raise DataCorrupt(f"{file} is not a regular file")
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataCorrupt(f"{file} cannot be read ({error.strerror})") from error
