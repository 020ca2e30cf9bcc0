"""Fetching official archives and turning them into plain arrays; nothing is unpickled before its md5 is right."""

import fcntl
import hashlib
import io
import os
import pickle
import shutil
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import PARTIAL_CONTENT, REQUESTED_RANGE_NOT_SATISFIABLE, HTTPException
from pathlib import Path
from urllib.error import HTTPError

import numpy as np

from datasets.base import DataCorrupt, DataMissing
from datasets.contents import require_regular
from datasets.files import make_folder, settle

_SILENT_SECONDS = 60.0  # until a server that says nothing counts as away
_CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class Archive:
    """An official archive: where it is published, its file name, its md5."""

    url: str
    md5: str

    @property
    def filename(self) -> str:
        return self.url.rsplit("/", 1)[1]

    def fetch(self, root: Path) -> Path:
        """The checked archive under `root`, downloaded if it is not there.

        Raises DataMissing where it cannot be downloaded, DataCorrupt where the md5 is wrong.
        """
        path = root / self.filename
        while not path.exists():
            make_folder(root)
            partial = root / f"{self.filename}.part"  # the final name only ever holds a whole download
            with self._alone(partial) as file:
                if file:
                    self._download(file, path)
                    settle(partial, path)
        if md5_of(path) != self.md5:
            raise DataCorrupt(f"{path} is not the official file; delete it and try again (its md5 is not {self.md5})")
        return path

    @contextmanager
    def _alone(self, partial: Path) -> Iterator[io.BufferedRandom | None]:
        """What a killed process has of a download, for this process alone; removed unless it is given another name.

        None where another process gave it one meanwhile. Raises DataMissing while another works on it.
        """
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        require_regular(partial, os.fstat(descriptor))
        with open(descriptor, "r+b") as file:
            if not _lock(descriptor):
                raise DataMissing(f"another process downloads {self.url} to {partial}: try again when it has ended")
            if not _leads_to(partial, descriptor):
                yield None
                return
            try:
                yield file
            finally:
                if _leads_to(partial, descriptor):
                    partial.unlink()

    def _download(self, file: io.BufferedRandom, path: Path) -> None:
        """Fills a file with the archive, after what it has of it, or anew where that is not its beginning."""
        for begun in dict.fromkeys((file.seek(0, os.SEEK_END), 0)):
            try:
                self._receive(file, begun)
            except (OSError, HTTPException) as error:
                raise DataMissing(
                    f"could not download {self.url} ({error}); fetch it elsewhere, put it at {path}"
                ) from error
            file.seek(0)
            if _md5(file) == self.md5:
                return
        raise DataCorrupt(f"{self.url} sent another file than the official one (its md5 is not {self.md5})")

    def _receive(self, file: io.BufferedRandom, begun: int) -> None:
        """Adds to the first `begun` bytes what the server sends after them; it may send all of it."""
        from tqdm import tqdm

        headers = {"User-Agent": "hydrabench"} | ({"Range": f"bytes={begun}-"} if begun else {})
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=_SILENT_SECONDS) as answer:
                file.truncate(begun if answer.status == PARTIAL_CONTENT else 0)
                file.seek(0, os.SEEK_END)
                with tqdm.wrapattr(answer, "read", total=answer.length, desc=self.filename, disable=None) as shown:
                    shutil.copyfileobj(shown, file, _CHUNK)
                file.flush()
        except HTTPError as error:
            if error.code != REQUESTED_RANGE_NOT_SATISFIABLE:  # there is nothing after them
                raise


def _lock(descriptor: int) -> bool:
    """Takes an open file for this process, until it closes it or dies; whether no other has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the md5 tells what two processes made of it
        pass
    return True


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def md5_of(path: Path) -> str:
    """In hex; raises DataCorrupt for what is no regular file."""
    require_regular(path, path.stat())  # a pipe would be waited for
    with path.open("rb") as file:
        return _md5(file)


def _md5(file: io.BufferedIOBase) -> str:
    return hashlib.file_digest(file, "md5").hexdigest()


def read_members(archive: Path, names: list[str]) -> list[bytes]:
    """The named members of a checked tar.gz or zip archive, in one pass; the names are paths' endings."""
    found = _zip_members(archive, names) if archive.suffix == ".zip" else _tar_members(archive, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataCorrupt(f"{archive} lacks {', '.join(missing)}")
    return [found[name] for name in names]


def _zip_members(archive: Path, names: list[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as file:
        return {n: file.read(member) for member in file.namelist() for n in names if member.rsplit("/", 1)[-1] == n}


def _tar_members(archive: Path, names: list[str]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive, "r|gz") as file:
        for member in file:
            name = member.name.rsplit("/", 1)[-1]
            if name in names:
                content = file.extractfile(member)
                found[name] = content.read() if content else b""
    return found


def cifar_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (N×32×32×3) and fine labels of one batch file of a checked CIFAR or ciFAIR archive."""
    batch = pickle.load(io.BytesIO(content), encoding="latin1")  # noqa: S301 - from an archive whose md5 was checked
    images = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels = batch["labels"] if "labels" in batch else batch["fine_labels"]
    return np.ascontiguousarray(images), np.asarray(labels, dtype=np.int64)


def stl10_images(content: bytes) -> np.ndarray:
    """N×96×96×3 from a binary of STL-10, which stores N×3×columns×rows."""
    return np.ascontiguousarray(np.frombuffer(content, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1))
