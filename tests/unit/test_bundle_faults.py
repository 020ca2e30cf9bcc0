"""A bundle that is not whole, or not what it says, is refused in one line that names the file and says what to do."""

import errno
import io
import json
import os
import random
import struct
import zipfile

import numpy as np
import pytest

from datasets.base import DataCorrupt, get_dataset
from datasets.bundle import export, read_bundle
from datasets.registry import BadInput


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "good.npz"
    export([get_dataset("digits")], (2,), (0,), True, path)
    return path


@pytest.fixture
def change(good, tmp_path):
    """Writes the good bundle with some of its arrays replaced, left out (None), or its description changed."""

    def write(arrays=None, **described):
        with np.load(good) as file:
            content = dict(file)
        content |= arrays or {}
        meta = json.loads(content["meta"].tobytes())
        meta["datasets"][0] |= described
        content["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        np.savez_compressed(tmp_path / "b.npz", **{name: a for name, a in content.items() if a is not None})
        return tmp_path / "b.npz"

    return write


def _refusal(path):
    with pytest.raises(DataCorrupt) as caught:
        read_bundle.__wrapped__(path)
    text = str(caught.value)
    assert str(path) in text and "export it again" in text and "\n" not in text
    return text


def _rewritten(good, path, **options):
    """The good bundle's members in an archive of other options, its first member's bytes changed on the way."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", **options) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return path


def test_the_good_one_is_read_and_so_is_one_compressed_otherwise(good, tmp_path, change):
    for path in (good, change(), _rewritten(good, tmp_path / "l.npz", compression=zipfile.ZIP_LZMA)):
        assert np.array_equal(
            read_bundle.__wrapped__(path)["digits"].test().images, get_dataset("digits").test().images
        )


@pytest.mark.parametrize("member", ["0/train.npy", "0/test.npy", "meta.npy"])
@pytest.mark.parametrize("offset", [60, 80])
def test_damaged_bytes(good, tmp_path, member, offset):
    content = bytearray(good.read_bytes())
    place = zipfile.ZipFile(good).getinfo(member).header_offset + offset
    content[place : place + 4] = bytes(255 - value for value in content[place : place + 4])
    (tmp_path / "b.npz").write_bytes(content)
    _refusal(tmp_path / "b.npz")


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_cut_short(good, tmp_path, length):
    (tmp_path / "b.npz").write_bytes(good.read_bytes()[:length])
    _refusal(tmp_path / "b.npz")


@pytest.mark.parametrize(("field", "value", "why"), [(8, 1, "encrypted"), (10, 97, "compression")])
def test_encrypted_and_compressed_in_an_unknown_way(good, tmp_path, field, value, why):
    content = bytearray(good.read_bytes())
    place = content.index(b"PK\x01\x02")  # the first member's entry in the directory
    content[place + field : place + field + 2] = struct.pack("<H", value)
    (tmp_path / "b.npz").write_bytes(content)
    assert why in _refusal(tmp_path / "b.npz")


def _npy(header: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header.encode() + body


@pytest.mark.parametrize(
    "content",
    [
        _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 32, 32, 3)}\n"),
        _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (40, 32, 32, 3)}" + " " * 200_000 + "\n"),
        _npy("(" * 5_000 + "\n"),
        _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", b"\x80\x04N."),
        b"\x93NUMPY\x07\x00",
        b"",
        b"no array",
    ],
    ids=["huge", "long header", "deep header", "objects", "version", "empty", "text"],
)
def test_a_member_that_is_no_array(good, tmp_path, content):
    path = tmp_path / "b.npz"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            new.writestr(member.filename, content if member.filename == "0/train.npy" else old.read(member))
    _refusal(path)


def test_more_than_any_bundle_holds_is_not_read(good, monkeypatch):
    monkeypatch.setattr("datasets.bundle_file._LARGEST", 1000)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *arguments: pytest.fail("it was read"))
    assert "more than 1000 bytes" in _refusal(good)


INDEX = np.array([3, 1, 2])
IMAGES = np.zeros((3, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"meta": None}, "meta"),
        ({"0/train": None}, "it lacks 'train'"),
        ({"0/train_labels": None}, "it lacks 'train_labels'"),
        ({"0/test": None}, "it lacks 'test'"),
        ({"0/test_labels": None}, "it lacks 'test_labels'"),
        ({"0/train_index": INDEX, "0/train": IMAGES}, "ascending"),
        ({"0/train_index": np.array([1, 1, 2]), "0/train": IMAGES}, "ascending"),
        ({"0/train_index": np.array([-1, 1, 2]), "0/train": IMAGES}, "ascending"),
        ({"0/train_index": np.array([0, 1, 10**6]), "0/train": IMAGES}, "ascending"),
        ({"0/train_index": np.array([0.0, 1.0, 2.0]), "0/train": IMAGES}, "integers"),
        ({"0/train": IMAGES}, "train is 3×32×32×3"),
        ({"0/train": np.zeros((20, 32, 32, 3))}, "of float64"),
        ({"0/train": np.zeros((20, 1024), np.uint8)}, "train is 20×1024"),
        ({"0/train": np.zeros((20, 32, 32), np.uint8)}, "train is 20×32×32"),
        ({"0/test": IMAGES}, "test is 3×32×32×3"),
        ({"0/test_labels": np.array([[0, 1]])}, "test_labels has 2 dimensions"),
        ({"0/test": IMAGES, "0/test_labels": np.array([0, 1, 10])}, "below 10"),
        ({"0/test": IMAGES[:0], "0/test_labels": np.array([], int)}, "below 10"),
        ({"0/train_labels": np.zeros(1000, int)}, "not those of 10 classes"),
        ({"0/train_labels": np.array(["a"] * 1000)}, "integers"),
    ],
)
def test_arrays_that_are_not_a_datasets(change, arrays, why):
    if "meta" in arrays:
        path = change()
        with np.load(path) as file:
            rest = {name: file[name] for name in file.files if name != "meta"}
        np.savez(path, **rest)
        assert "it lacks" in _refusal(path)
        return
    assert why in _refusal(change(arrays))


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"num_classes": "10"}, "num_classes"),
        ({"num_classes": True}, "num_classes"),
        ({"num_classes": 9}, "10 names for 9 classes"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": 28}, "not 20×28×28×3"),
        ({"name": None}, "name"),
        ({"class_names": "0123456789"}, "class_names"),
        ({"identity": {"name": "cifar10", "version": 1}}, "identity"),
        ({"identity": {"name": "digits", "version": 1, "content": "0"}}, "identity"),
        ({"identity": {"name": "digits"}}, "identity"),
        ({"identity": []}, "identity"),
        ({"text": "cifar10"}, "identity"),
        ({"text": "folder:pets"}, "identity"),
        ({"family": "cifar10"}, "family 'cifar10' is not that of digits"),
        ({"training_source": "cifar10"}, "training_source 'cifar10' is not that of digits"),
    ],
)
def test_a_description_of_something_else(change, described, why):
    assert why in _refusal(change(**described))


@pytest.mark.parametrize("meta", [b"", b"[]", b"{}", b"[" * 100_000, b'{"format": 2}', b'{"format": 1, "datasets": 5}'])
def test_a_description_that_is_none(good, tmp_path, meta):
    with np.load(good) as file:
        content = dict(file) | {"meta": np.frombuffer(meta, np.uint8)}
    np.savez(tmp_path / "b.npz", **content)
    _refusal(tmp_path / "b.npz")


def test_two_of_one_name(good, tmp_path):
    with np.load(good) as file:
        content = dict(file)
    meta = json.loads(content["meta"].tobytes())
    meta["datasets"] *= 2
    content |= {name.replace("0/", "1/"): array for name, array in content.items() if name != "meta"}
    content["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(tmp_path / "b.npz", **content)
    assert "two of its datasets have one name" in _refusal(tmp_path / "b.npz")


def test_no_regular_file_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "b.npz")
    assert "not a regular file" in _refusal(tmp_path / "b.npz")
    (tmp_path / "c.npz").mkdir()
    assert "not a regular file" in _refusal(tmp_path / "c.npz")


def test_one_that_cannot_be_read_now_is_not_called_damaged(good, monkeypatch):
    opened = os.open

    def fail(name, *more, **other):
        if str(name) == str(good):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(name, *more, **other)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(DataCorrupt, match=rf"^{good} cannot be read \(Permission denied\)$"):
        read_bundle.__wrapped__(good)


def test_whatever_bytes_change_it_is_whole_or_refused_in_one_line(good, tmp_path):
    content, chance, refusals = good.read_bytes(), random.Random(0), []
    path = tmp_path / "b.npz"
    for _ in range(150):
        changed = bytearray(content)
        for place in (chance.randrange(len(content)), len(content) - 1 - chance.randrange(600), chance.randrange(400)):
            changed[place] = chance.randrange(256)
        path.write_bytes(changed)
        try:
            read_bundle.__wrapped__(path)
        except BadInput as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert all(text.isprintable() and str(path) in text for text in refusals)


def test_a_single_array_is_no_bundle(tmp_path):
    file = io.BytesIO()
    np.save(file, IMAGES)
    (tmp_path / "b.npz").write_bytes(file.getvalue())
    _refusal(tmp_path / "b.npz")
