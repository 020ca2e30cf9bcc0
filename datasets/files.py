"""Files that outlast a power cut: written under another name, synced, renamed, and their folder synced. And read: no
pipe is waited for.

A rename alone promises nothing: after a cut the new name may lead to an empty file, or not be there.
"""

import errno
import io
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # raised without a name where content is written

Verify = Callable[[], None]
"""Raises where its caller may write no more; a lock's `verify` is one."""


class NotRegular(OSError):
    """What is there has no bytes of its own: a pipe, a folder, a device."""


def open_regular(path: Path | str, links: bool = True) -> io.FileIO:
    """A regular file, open for reading; never waits. links: whether one may lead to it.

    Raises NotRegular for anything else, OSError where there is nothing or it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "not a regular file", str(path))
    return io.FileIO(descriptor, "rb")


def write_atomically(path: Path, content: bytes, verify: Verify | None = None) -> None:
    """Writes a file whole: readers see the old one or the new one, and after a power cut one of the two.

    verify: called between draft and rename. Who takes a lock over sweeps drafts up before it looks at what is there,
    so that what lost the lock replaces nothing even when it was stopped after its last look.
    """
    with draft_of(path, verify) as draft:
        draft.write_bytes(content)


@contextmanager
def draft_of(path: Path, verify: Verify | None = None) -> Iterator[Path]:
    """A name beside `path` to write to: it takes the place of `path` where the block ends well, else it is removed."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "is no regular file, and is not replaced by one", str(path))  # root could
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield draft
        settle(draft, path, verify)
    except OSError as error:
        if error.filename == str(draft) or error.errno in _FULL:  # people know the file by its own name
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def settle(draft: Path, path: Path, verify: Verify | None = None) -> None:
    """Gives a written file, or a folder with all in it, its name beside it, for good; verify: as `write_atomically`."""
    _sync_all(draft)
    if verify:
        verify()
    os.replace(draft, path)
    _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it that are not there; a new one is synced into the one above it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a folder that may be written to and not looked into cannot be synced
            _sync(folder.parent)


def _sync_all(path: Path) -> None:
    """Syncs a file, or the files and folders in a folder, from the inside out."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in [*names, ""]:
            _sync(Path(folder, name))
    if not path.is_dir():
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
