"""The layouts in which image sets lie under the data root: `data prepare`'s arrays, or WebP tile sheets."""

import json
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Images
from datasets.files import draft_of, write_atomically

_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)  # what reading a bad file raises


class Source(Protocol):
    """One image set on disk, whatever its layout."""

    folder: Path

    def class_names(self) -> list[str]: ...
    def train_labels(self) -> np.ndarray: ...
    def train_index(self) -> np.ndarray: ...
    def train_pixels(self) -> np.ndarray: ...
    def test(self) -> Images: ...


class Arrays:
    """Arrays that `data prepare` wrote: train.npy, train_labels.npy, test.npy, test_labels.npy, classes.json."""

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def at(folder: Path) -> bool:
        return (folder / "classes.json").exists()

    def class_names(self) -> list[str]:
        try:
            return list(json.loads((self.folder / "classes.json").read_text()))
        except _DAMAGE as error:
            raise DataCorrupt(f"{self.folder / 'classes.json'} cannot be read ({error}); prepare again") from error

    def train_labels(self) -> np.ndarray:
        return self._load("train_labels").astype(np.int64)

    def train_index(self) -> np.ndarray:
        return np.arange(len(self._load("train_labels")))

    def train_pixels(self) -> np.ndarray:
        return self._load("train")

    def test(self) -> Images:
        return Images(np.asarray(self._load("test")), self._load("test_labels").astype(np.int64))

    def _load(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise DataMissing(f"{path} is missing; prepare the dataset again") from error
        except _DAMAGE as error:
            raise DataCorrupt(f"{path} cannot be read ({error}); delete its folder and prepare again") from error


def write_arrays(folder: Path, classes: list[str], **arrays: np.ndarray) -> None:
    """Writes the layout that Arrays reads; classes.json last, so its presence means that all is there."""
    for name, array in arrays.items():
        with draft_of(folder / f"{name}.npy") as draft, draft.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    write_atomically(folder / "classes.json", json.dumps(classes).encode())


class Sheets:
    """Lossless WebP tile sheets with labels.npz and meta.json, possibly holding only some training images.

    `train` in labels.npz lists the labels of the whole official training set; `train_index` says at
    which of its positions the images that are here stand.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def at(folder: Path) -> bool:
        return (folder / "meta.json").exists() and (folder / "labels.npz").exists()

    @cached_property
    def _meta(self) -> dict:
        try:
            meta = json.loads((self.folder / "meta.json").read_text())
            return {name: meta[name] for name in ("height", "width", "class_names", "train_present", "test_present")}
        except _DAMAGE as error:
            raise DataCorrupt(f"{self.folder / 'meta.json'} cannot be used ({error!r}); copy it again") from error

    def array(self, name: str) -> np.ndarray:
        path = self.folder / "labels.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return arrays[name].astype(np.int64)
        except _DAMAGE as error:
            raise DataCorrupt(f"{path} has no readable '{name}' ({error}); copy it again") from error

    def class_names(self) -> list[str]:
        return self._meta["class_names"]

    def train_labels(self) -> np.ndarray:
        return self.array("train")

    def train_index(self) -> np.ndarray:
        return self.array("train_index")

    def train_pixels(self) -> np.ndarray:
        return self._tiles("train")

    def test(self) -> Images:
        return Images(self._tiles("test"), self.array("test"))

    def _tiles(self, split: str) -> np.ndarray:
        paths = sorted(self.folder.glob(f"{split}_*.webp"), key=lambda path: int(path.stem.split("_")[1]))
        if not paths:
            raise DataMissing(f"{self.folder} has no {split}_*.webp; copy the folder again")
        tiles = np.concatenate([self._cut(path) for path in paths])
        present = self._meta[f"{split}_present"]
        if len(tiles) < present:
            raise DataMissing(f"{self.folder} holds {len(tiles)} {split} images, its meta.json says {present}")
        return tiles[:present]  # the last sheet is filled up with black tiles

    def _cut(self, path: Path) -> np.ndarray:
        from PIL import Image

        height, width = self._meta["height"], self._meta["width"]
        try:
            with Image.open(path) as image:
                sheet = np.asarray(image.convert("RGB"))
        except OSError as error:
            raise DataCorrupt(f"{path} cannot be decoded ({error}); copy it again") from error
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        grid = sheet[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)
        return grid.transpose(0, 2, 1, 3, 4).reshape(-1, height, width, 3)
