"""Hashes of files follow what the files hold, and bytes that are not the hashed ones are refused."""

import hashlib
import os
from pathlib import Path

import pytest

from datasets import contents
from datasets.base import DataChanged, DataCorrupt
from datasets.contents import Contents


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(b"first")
    return path


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The files that were read since, in their order."""
    seen: list[Path] = []
    read = contents.read_regular
    monkeypatch.setattr(contents, "read_regular", lambda path: seen.append(path) or read(path))
    return seen


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def test_an_untouched_file_is_read_once(file, reads):
    known = Contents()
    assert [known.sha256(file) for _ in range(3)] == [digest(b"first")] * 3
    assert reads == [file]


def overwrite(file: Path) -> None:
    file.write_bytes(b"other")


def lengthen(file: Path) -> None:
    file.write_bytes(b"first and more")


def replace_with_the_old_times(file: Path) -> None:
    """As `cp -p` and `rsync -t` do, with a file of the same size."""
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"other")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [overwrite, lengthen, replace_with_the_old_times])
def test_a_change_gives_another_hash(change, file):
    known = Contents()
    assert known.sha256(file) == digest(b"first")
    change(file)
    assert known.sha256(file) == digest(file.read_bytes()) != digest(b"first")
    assert known.read(file) == file.read_bytes()


def test_a_touched_file_is_read_again_and_has_the_same_hash(file, reads):
    known = Contents()
    before = known.sha256(file)
    os.utime(file, ns=(1, 1))
    assert known.sha256(file) == before
    assert reads == [file, file]


def test_bytes_that_were_not_hashed_are_refused_even_under_an_unchanged_stamp(file, monkeypatch):
    monkeypatch.setattr(contents, "_stamp", lambda path: (0,))
    known = Contents()
    known.sha256(file)
    overwrite(file)
    with pytest.raises(DataChanged, match=f"^{file} was replaced after its hash was taken"):
        known.read(file)


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, why in (("pipe", "is not a regular file"), ("folder", "is not a regular file"), ("gone", "cannot be")):
        with pytest.raises(DataCorrupt, match=f"^{tmp_path / name} {why}"):
            Contents().sha256(tmp_path / name)
