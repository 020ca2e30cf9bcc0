"""Tile sheets: strict names, checksums, and numbers that cannot be; every fault is named in one line."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli import cli
from datasets.base import DataCorrupt, DataMissing, _make_dataset
from datasets.cifar import Cifar10
from datasets.registry import BadInput

ROWS, COLUMNS, SIDE = 2, 3, 32
TRAIN, TEST = np.split(np.random.default_rng(3).integers(1, 256, (30, SIDE, SIDE, 3), dtype=np.uint8), [20])
CLASSES = [f"class{number}" for number in range(10)]


def save_sheet(path: Path, tiles: np.ndarray) -> None:
    padded = np.zeros((ROWS * COLUMNS, SIDE, SIDE, 3), np.uint8)
    padded[: len(tiles)] = tiles
    grid = padded.reshape(ROWS, COLUMNS, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(grid.reshape(ROWS * SIDE, COLUMNS * SIDE, 3)).save(path, lossless=True)


@pytest.fixture
def sheets(empty_root: Path) -> Path:
    """20 training images at every third position on four sheets, and 10 for the test on two."""
    folder = empty_root / "cifar10"
    folder.mkdir()
    for split, images in (("train", TRAIN), ("test", TEST)):
        for number, start in enumerate(range(0, len(images), ROWS * COLUMNS)):
            save_sheet(folder / f"{split}_{number}.webp", images[start : start + ROWS * COLUMNS])
    write_labels(folder)
    meta = {"height": SIDE, "width": SIDE, "class_names": CLASSES, "train_present": 20, "test_present": 10}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def write_labels(folder: Path, **changes: np.ndarray) -> None:
    lists = {"train": np.arange(60) % 10, "train_index": np.arange(0, 60, 3), "test": np.arange(10)}
    np.savez(folder / "labels.npz", **(lists | changes))


def change_meta(folder: Path, **changes: object) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | changes))


def add_checksums(folder: Path) -> None:
    files = [*folder.glob("*.webp"), folder / "labels.npz"]
    change_meta(folder, sha256={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})


def damage(file: Path) -> None:
    """Other bytes in the middle, of which the decoder makes other pixels or an error."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("checksums", [False, True])
def test_sheets_are_read_with_and_without_checksums(checksums, sheets):
    if checksums:
        add_checksums(sheets)
    dataset = Cifar10()
    dataset.check()
    assert np.array_equal(dataset.train_images(np.arange(0, 60, 3)), TRAIN)
    assert np.array_equal(dataset.test().images, TEST)
    assert len(dataset.remarks()) == (0 if checksums else 1)


def verify() -> str:
    """What `data verify` tells of the sheets that are there now."""
    _make_dataset.cache_clear()
    return CliRunner().invoke(cli, ["data", "verify", "--dataset", "cifar10"], catch_exceptions=False).output


def test_verify_says_that_there_are_no_checksums(sheets):
    assert "10 test images, all readable" in verify()
    assert "cifar10: its meta.json has no checksums of the sheets" in verify()
    add_checksums(sheets)
    assert "10 test images, all readable" in verify() and "checksums" not in verify()


@pytest.mark.parametrize("name", ["train_0.webp", "test_1.webp", "labels.npz"])
def test_a_damaged_file_is_known_by_its_checksum(name, sheets):
    add_checksums(sheets)
    damage(sheets / name)
    with pytest.raises(DataCorrupt, match=f"^{sheets / name} has another checksum than meta.json says"):
        Cifar10().check()


def test_a_sheet_without_its_checksum_is_refused_where_others_have_one(sheets):
    add_checksums(sheets)
    sums = json.loads((sheets / "meta.json").read_text())["sha256"]
    change_meta(sheets, sha256={name: value for name, value in sums.items() if name != "test_1.webp"})
    with pytest.raises(DataCorrupt, match=f"^{sheets}/test_1.webp is not among the checksums of meta.json"):
        Cifar10().check()


@pytest.mark.parametrize(
    "name", ["train_0_old.webp", "train_00.webp", "train_.webp", "test_0 (1).webp", "test_-1.webp"]
)
def test_a_name_that_is_no_sheets_is_refused(name, sheets):
    shutil.copy(sheets / "test_1.webp", sheets / name)
    with pytest.raises(DataCorrupt) as error:
        Cifar10().check()
    split = name.partition("_")[0]
    assert str(error.value) == f"{sheets / name} is none of the sheets {split}_0.webp, ...: take it away"


def test_a_gap_is_not_filled_by_a_later_sheet(sheets):
    (sheets / "train_1.webp").rename(sheets / "train_4.webp")
    with pytest.raises(DataMissing, match=f"^{sheets} lacks train_1.webp"):
        Cifar10().check()


@pytest.mark.parametrize("surplus", [TRAIN[:6], TRAIN[:0]])
def test_a_sheet_too_many_is_an_error(surplus, sheets):
    save_sheet(sheets / "train_4.webp", surplus)
    with pytest.raises(DataCorrupt, match=f"^{sheets} holds more train images than the 20 that its meta.json says"):
        Cifar10().check()


def test_an_image_too_many_is_an_error(sheets):
    change_meta(sheets, test_present=9)
    with pytest.raises(DataCorrupt, match="holds more test images than the 9"):
        Cifar10().check()


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": "32"},
        {"width": -32},
        {"width": 32.5},
        {"train_present": -1},
        {"test_present": "all"},
        {"test_present": True},
        {"class_names": "airplane"},
        {"class_names": [1, 2]},
        {"sha256": {"test_0.webp": 5}},
    ],
)
def test_numbers_that_cannot_be_are_named(change, sheets):
    change_meta(sheets, **change)
    (field,) = change
    with pytest.raises(
        DataCorrupt, match=rf"^{sheets}/meta.json cannot be used \({field}.*\); copy it again$"
    ) as error:
        Cifar10().check()
    assert "\n" not in str(error.value)


def test_tiles_of_another_size_are_named(sheets):
    change_meta(sheets, height=30)
    with pytest.raises(DataCorrupt, match="is not made of tiles of 30×32 pixels"):
        Cifar10().check()


@pytest.mark.parametrize(
    "change",
    [
        {"train_index": np.arange(0, 60, 3)[::-1]},
        {"train_index": np.arange(0, 80, 4)},
        {"train_index": np.arange(-3, 57, 3)},
        {"train_index": np.arange(0, 57, 3)},
        {"train_index": np.zeros(20, int)},
        {"train_index": np.arange(0, 60, 3) + 0.5},
        {"train": np.arange(60)},
        {"train": np.arange(60) - 1},
        {"train": np.zeros((60, 1), int)},
        {"train": np.arange(0)},
        {"test": np.arange(9)},
        {"test": np.array(["a"] * 10)},
    ],
)
def test_labels_that_cannot_be_are_named(change, sheets):
    write_labels(sheets, **change)
    with pytest.raises(DataCorrupt, match=f"^{sheets}/labels.npz"):
        Cifar10().check()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("change", [pipe, folder])
@pytest.mark.parametrize("name", ["meta.json", "labels.npz", "train_2.webp", "test_0.webp"])
def test_what_is_no_file_is_named_and_not_waited_for(name, change: Callable, sheets):
    change(sheets / name)
    with pytest.raises(BadInput, match=f"^{sheets / name}"):
        Cifar10().check()


def test_a_pipe_in_place_of_prepared_arrays_is_not_waited_for(empty_root):
    prepared = empty_root / "prepared" / "cifar10"
    prepared.mkdir(parents=True)
    (prepared / "classes.json").write_text(json.dumps(CLASSES))
    os.mkfifo(prepared / "test.npy")
    with pytest.raises(DataCorrupt, match=rf"^{prepared}/test.npy is not a regular file"):
        Cifar10().test()
