"""What files hold, by hash: taken again where a file may have changed, and asked of every file that is used."""

import hashlib
import os
import stat
from pathlib import Path

from datasets.base import DataChanged, DataCorrupt
from datasets.files import NotRegular, open_regular
from datasets.images import Header, is_16_bit_grey, read_header

Stamp = tuple[int, ...]


class Contents:
    """The fingerprints of files: the sha256 of what they hold, and of how that is read where that changed once.

    A file is read for it once, and again when its size, its times or its inode differ.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, bytes, Header | None]] = {}

    def sha256(self, file: Path) -> bytes:
        """The hash of what a file holds now, as far as its stamp can tell; raises DataCorrupt for one without any."""
        stamp = _stamp(file)
        if file not in self._known or self._known[file][0] != stamp:
            self._known[file] = stamp, *_look(read_regular(file))
        return self._known[file][1]

    def header(self, file: Path) -> Header | None:
        """The header of the image that `sha256` last told the hash of; None for what is no image."""
        return self._known[file][2]

    def read(self, file: Path) -> bytes:
        """The bytes that `sha256` last told the hash of; raises DataChanged where the file has others by now."""
        content = read_regular(file)
        if _look(content)[0] != self._known[file][1]:
            raise DataChanged(f"{file} was replaced after its hash was taken: the same command takes it as it is now")
        return content


def read_regular(file: Path) -> bytes:
    """What a regular file holds; raises DataCorrupt, and does not wait, for a pipe, a folder or what cannot be read."""
    try:
        with open_regular(file) as opened:
            return opened.read()
    except NotRegular as error:
        raise DataCorrupt(f"{file} is not a regular file") from error
    except OSError as error:
        raise DataCorrupt(f"{file} cannot be read ({error.strerror})") from error


def _look(content: bytes) -> tuple[bytes, Header | None]:
    """The fingerprint, and the header of an image.

    Records of images that came out white or lying once are not taken for records of what they are now.
    """
    header = read_header(content)
    changed = b"16-bit grey, scaled\n" if is_16_bit_grey(content) else b""
    changed += b"turned upright\n" if header and header.turned else b""
    return hashlib.sha256(changed + content).digest(), header


def _stamp(file: Path) -> Stamp:
    try:
        found = os.stat(file)
    except OSError as error:
        raise DataCorrupt(f"{file} cannot be read ({error.strerror})") from error
    require_regular(file, found)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def require_regular(file: Path, found: os.stat_result) -> None:
    """Raises DataCorrupt for what is there and is no file with bytes of its own: a pipe, a folder, a device."""
    if not stat.S_ISREG(found.st_mode):
        raise DataCorrupt(f"{file} is not a regular file")
