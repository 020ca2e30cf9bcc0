"""Fetching official archives and turning them into plain arrays; nothing is unpickled before its md5 is right."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from datasets.base import DataCorrupt, DataMissing
from datasets.contents import require_regular
from datasets.files import make_folder, settle


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
        if not path.exists():
            partial = root / f"{self.filename}.part"  # the final name only ever holds a whole download
            try:
                self._download(partial)
                settle(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        self._require_md5(path, f"{path} is not the official file; delete it and try again")
        return path

    def _require_md5(self, path: Path, message: str) -> None:
        if md5_of(path) != self.md5:
            raise DataCorrupt(f"{message} (its md5 is not {self.md5})")

    def _download(self, partial: Path) -> None:
        from torchvision.datasets.utils import download_url

        partial.unlink(missing_ok=True)  # torchvision would take a left-over one for the whole file
        make_folder(partial.parent)
        try:
            download_url(self.url, str(partial.parent), filename=partial.name)
        except (OSError, HTTPException, RuntimeError) as error:
            place = partial.with_name(self.filename)
            raise DataMissing(
                f"could not download {self.url} ({error}); fetch it elsewhere, put it at {place}"
            ) from error
        self._require_md5(partial, f"{self.url} sent another file than the official one")


def md5_of(path: Path) -> str:
    """In hex; raises DataCorrupt for what is no regular file."""
    require_regular(path, path.stat())  # a pipe would be waited for
    with path.open("rb") as file:
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
