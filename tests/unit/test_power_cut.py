"""What is said to be there is there after a power cut: files and folders are synced in the order that makes it so."""

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli.imports import import_records
from benchmark.cli.outputs import replaced
from datasets.base import DataCorrupt, DataMissing, get_dataset
from datasets.bundle import export
from datasets.cifar import Cifar10, Cifar10Dedup
from datasets.download import Archive
from datasets.files import draft_of, make_folder, write_atomically
from datasets.sheets import write_arrays
from results.records import write_record


class Disk:
    """What was synced, renamed and made, in order; each event with the path as it was then."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def lasting(self, path: Path) -> bool:
        """Whether a file, and the folders made for it, would be there and whole after a power cut now."""
        renamed = max((n for n, event in enumerate(self.events) if event == ("rename", str(path))), default=-1)
        if renamed < 1 or self.events[renamed - 1][0] != "from":
            return False
        draft = self.events[renamed - 1][1]
        whole = ("sync", draft) in self.events[:renamed]
        named = ("sync", str(path.parent)) in self.events[renamed:]
        return whole and named and all(map(self._is_lasting_folder, path.parents))

    def _is_lasting_folder(self, folder: Path) -> bool:
        made = ("mkdir", str(folder))
        return made not in self.events or ("sync", str(folder.parent)) in self.events[self.events.index(made) :]


@pytest.fixture
def disk(tmp_path, monkeypatch):
    found, fsync, replace, mkdir = Disk(), os.fsync, os.replace, os.mkdir

    def sync(descriptor):
        fsync(descriptor)
        found.events.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))

    def rename(source, target):
        replace(source, target)
        found.events += [("from", str(source)), ("rename", str(target))]

    def make(path, *more):
        mkdir(path, *more)
        found.events.append(("mkdir", str(path)))

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    monkeypatch.setattr(os, "mkdir", make)
    return found


def test_a_rename_alone_does_not_last(disk, tmp_path):
    (tmp_path / "draft").write_text("content")
    os.replace(tmp_path / "draft", tmp_path / "file")
    assert not disk.lasting(tmp_path / "file")


def test_a_file_in_new_folders_lasts(disk, tmp_path):
    path = tmp_path / "store" / "digits" / "n5" / "file"
    write_atomically(path, b"content")
    assert disk.lasting(path) and path.read_bytes() == b"content"
    assert [event for event in disk.events if event[0] == "mkdir"]
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_what_ends_badly_leaves_the_old_file_and_no_draft(disk, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with suppress(KeyError), draft_of(path) as draft:
        draft.write_bytes(b"half")
        raise KeyError
    assert [file.name for file in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"old"


def test_who_may_write_no_more_replaces_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"old")

    def refuse():
        raise PermissionError

    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "file", b"new", refuse)
    assert (tmp_path / "file").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_of_images_lasts_with_all_in_it(disk, tmp_path):
    with replaced(tmp_path / "out" / "images") as draft:
        for name in "ab":
            (draft / name).mkdir()
            (draft / name / "0.png").write_bytes(b"image")
    assert disk.lasting(tmp_path / "out" / "images")
    synced = [path for kind, path in disk.events[: disk.events.index(("from", str(draft)))] if kind == "sync"]
    assert {str(draft / name) for name in ("a", "b", "a/0.png", "b/0.png")} <= set(synced)


def test_folders_that_are_there_are_not_made_again(disk, tmp_path):
    make_folder(tmp_path)
    assert disk.events == []


def test_prepared_arrays_last_and_classes_come_last(disk, tmp_path):
    folder = tmp_path / "prepared" / "small"
    write_arrays(folder, ["a", "b"], train=np.zeros((2, 4, 4, 3), np.uint8), train_labels=np.array([0, 1]))
    renamed = [Path(path).name for kind, path in disk.events if kind == "rename"]
    assert renamed == ["train.npy", "train_labels.npy", "classes.json"]
    assert all(disk.lasting(folder / name) for name in renamed)


def _prepared(root, classes):
    images = np.zeros((10, 32, 32, 3), np.uint8)
    labels = np.arange(10)
    folder = root / "prepared" / "cifar10"
    write_arrays(folder, classes, train=images, train_labels=labels, test=images, test_labels=labels)
    return folder / "classes.json"


def test_what_a_power_cut_left_empty_is_prepared_again(empty_root, monkeypatch):
    _prepared(empty_root, list("abcdefghij")).write_bytes(b"")
    with pytest.raises(DataMissing, match="data prepare --dataset cifar10"):
        Cifar10().check()
    monkeypatch.setattr(Archive, "fetch", lambda archive, root: pytest.fail("fetched"))
    with pytest.raises(pytest.fail.Exception, match="fetched"):
        Cifar10().prepare()


@pytest.mark.parametrize("content", ["[]", '["a"]', '"abcdefghij"', "[0,1,2,3,4,5,6,7,8,9]", "{}", "5", "null", "["])
def test_classes_that_are_not_the_datasets_are_not_called_ready(empty_root, content):
    path = _prepared(empty_root, list("abcdefghij"))
    Cifar10().check()
    path.write_text(content)
    with pytest.raises(DataCorrupt, match=str(path.parent)):
        Cifar10().check()
    with pytest.raises(DataCorrupt, match=str(path.parent)):
        Cifar10Dedup().check()


def test_a_download_lasts(disk, tmp_path, monkeypatch):
    content = b"an archive"

    def receive(archive, file, begun):
        file.write(content)

    monkeypatch.setattr(Archive, "_receive", receive)
    archive = Archive("http://nowhere.invalid/archive.zip", hashlib.md5(content).hexdigest())
    assert disk.lasting(archive.fetch(tmp_path / "new" / "root"))


def test_a_bundle_lasts(disk, tmp_path):
    path = tmp_path / "bundles" / "b.npz"
    export([get_dataset("digits")], (2,), (0,), False, path)
    assert disk.lasting(path)
    assert np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)["0/train"].dtype == np.uint8


def test_an_import_lasts_when_it_says_done(disk, tmp_path, make_run, make_record):
    for seed in (0, 1):
        run = make_run(seed=seed)
        write_record(tmp_path / "there" / run.path, make_record(run, 50.0))
        (tmp_path / "there" / run.path / "history.csv").write_text("step,loss\n1,2\n")
    disk.events.clear()
    copied = import_records(tmp_path / "there", tmp_path / "here").copied
    assert len(copied) == 2
    assert all(disk.lasting(path) and disk.lasting(path.with_name("history.csv")) for path in copied)
    renamed = [Path(path).name for kind, path in disk.events if kind == "rename"]
    assert renamed == ["history.csv", "record.json"] * 2
