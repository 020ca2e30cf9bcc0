"""The layouts in which image sets lie under the data root: `data prepare`'s arrays, or WebP tile sheets."""

import hashlib
import io
import json
import re
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt, TypeAdapter, ValidationError

from datasets.base import DataCorrupt, DataMissing, Images
from datasets.contents import read_regular, require_regular
from datasets.files import draft_of, write_atomically
from datasets.images import open_rgb

# what reading a bad file raises; RuntimeError: encrypted or of an unknown compression
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)

_NAMES = TypeAdapter(list[str])


class Source(Protocol):
    """One image set on disk, whatever its layout."""

    folder: Path

    def class_names(self) -> list[str]: ...
    def train_labels(self) -> np.ndarray: ...
    def train_index(self) -> np.ndarray: ...
    def train_pixels(self) -> np.ndarray: ...
    def test(self) -> Images: ...

    def remarks(self) -> list[str]:
        """As `Dataset.remarks`."""


class Arrays:
    """Arrays that `data prepare` wrote: train.npy, train_labels.npy, test.npy, test_labels.npy, classes.json."""

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def at(folder: Path) -> bool:
        last = folder / "classes.json"
        return last.exists() and last.stat().st_size > 0  # once it was not synced, and empty after a power cut

    def class_names(self) -> list[str]:
        path = self.folder / "classes.json"
        try:
            return _NAMES.validate_json(read_regular(path))
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise DataCorrupt(f"{path} is no list of names ({why}); delete its folder and prepare again") from error

    def train_labels(self) -> np.ndarray:
        return self._labels("train_labels")

    def train_index(self) -> np.ndarray:
        return np.arange(len(self._load("train_labels")))

    def train_pixels(self) -> np.ndarray:
        return self._load("train")

    def test(self) -> Images:
        return Images(np.asarray(self._load("test")), self._labels("test_labels"))

    def remarks(self) -> list[str]:
        return []

    def _labels(self, name: str) -> np.ndarray:
        labels = self._load(name)
        try:
            return _require_integers(labels, 1)
        except ValueError as error:
            path = self.folder / f"{name}.npy"
            raise DataCorrupt(f"{path} holds no labels ({error}); delete its folder and prepare again") from error

    def _load(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        if path.exists():
            require_regular(path, path.stat())  # a pipe would be waited for
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


class _Meta(BaseModel):
    """meta.json: the size of a tile in pixels, the classes, how many tiles are images, each file's sha256 in hex."""

    model_config = ConfigDict(strict=True)

    height: PositiveInt
    width: PositiveInt
    class_names: list[str]
    train_present: PositiveInt
    test_present: PositiveInt
    sha256: dict[str, str] = {}


class Sheets:
    """Lossless WebP tile sheets with labels.npz and meta.json, possibly holding only some training images.

    A split's sheets are SPLIT_0.webp, SPLIT_1.webp, ...; the last is filled up with black tiles. `train` in labels.npz
    lists the labels of the whole official training set; `train_index` says at which of its positions the images that
    are here stand. Where meta.json has `sha256`, a checksum of each sheet by its name (and of labels.npz, if it is
    named), every file is held against it before it is used. Raises DataMissing or DataCorrupt, with the file's name.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def at(folder: Path) -> bool:
        return (folder / "meta.json").exists() and (folder / "labels.npz").exists()

    @cached_property
    def _meta(self) -> _Meta:
        path = self.folder / "meta.json"
        try:
            return _Meta.model_validate_json(read_regular(path))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataCorrupt(f"{path} cannot be used ({where}: {first['msg']}); copy it again") from error

    def array(self, name: str, dimensions: int = 1) -> np.ndarray:
        """The integers that labels.npz has under a name."""
        content = self._read("labels.npz")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return _require_integers(arrays[name], dimensions)
        except _DAMAGE as error:
            path = self.folder / "labels.npz"
            raise DataCorrupt(f"{path} has no readable '{name}' ({error}); copy it again") from error

    def class_names(self) -> list[str]:
        return self._meta.class_names

    def train_labels(self) -> np.ndarray:
        return self._labels("train")

    def train_index(self) -> np.ndarray:
        index, total = self.array("train_index"), len(self.train_labels())
        if len(index) != self._meta.train_present or (np.diff(index, prepend=-1, append=total) < 1).any():
            raise DataCorrupt(
                f"{self.folder / 'labels.npz'}: 'train_index' is not {self._meta.train_present} ascending positions "
                f"below {total}; copy it again"
            )
        return index

    def train_pixels(self) -> np.ndarray:
        return self._tiles("train")

    def test(self) -> Images:
        images, labels = self._tiles("test"), self._labels("test")
        if len(labels) != len(images):
            raise DataCorrupt(
                f"{self.folder / 'labels.npz'} has {len(labels)} test labels for {len(images)} images; copy it again"
            )
        return Images(images, labels)

    def remarks(self) -> list[str]:
        unknown = "its meta.json has no checksums of the sheets: damage that can still be decoded is not noticed"
        return [] if self._meta.sha256 else [unknown]

    def _labels(self, split: str) -> np.ndarray:
        labels, classes = self.array(split), len(self.class_names())
        if not len(labels) or labels.min() < 0 or labels.max() >= classes:
            raise DataCorrupt(f"{self.folder / 'labels.npz'}: '{split}' is no list of labels below {classes}")
        return labels

    def _tiles(self, split: str) -> np.ndarray:
        paths = self._sheets(split)
        sheets = [self._cut(path) for path in paths]
        tiles, present = np.concatenate(sheets), self._meta.model_dump()[f"{split}_present"]
        if len(tiles) < present:
            raise DataMissing(f"{self.folder} holds {len(tiles)} {split} images, its meta.json says {present}")
        if len(tiles) - present >= len(sheets[-1]) or tiles[present:].any():
            raise DataCorrupt(f"{self.folder} holds more {split} images than the {present} that its meta.json says")
        return tiles[:present]

    def _sheets(self, split: str) -> list[Path]:
        """The paths of a split's sheets, in their order."""
        found = {path.name for path in self.folder.glob(f"{split}_*.webp")}
        names = [f"{split}_{number}.webp" for number in range(len(found))]
        if not found:
            raise DataMissing(f"{self.folder} has no {split}_*.webp; copy the folder again")
        if strange := sorted(name for name in found if not re.fullmatch(rf"{split}_(0|[1-9][0-9]*)\.webp", name)):
            raise DataCorrupt(f"{self.folder / strange[0]} is none of the sheets {split}_0.webp, ...: take it away")
        if found != set(names):
            raise DataMissing(f"{self.folder} lacks {min(set(names) - found)}; copy it again")
        return [self.folder / name for name in names]

    def _read(self, name: str) -> bytes:
        """A file's bytes, held against the checksum that meta.json has."""
        content, known = read_regular(self.folder / name), self._meta.sha256
        told = known.get(name)
        if known and told is None and name.endswith(".webp"):
            raise DataCorrupt(f"{self.folder / name} is not among the checksums of meta.json: copy the folder again")
        if told is not None and hashlib.sha256(content).hexdigest() != told.lower():
            raise DataCorrupt(f"{self.folder / name} has another checksum than meta.json says; copy it again")
        return content

    def _cut(self, path: Path) -> np.ndarray:
        height, width = self._meta.height, self._meta.width
        content = self._read(path.name)
        try:
            sheet = np.asarray(open_rgb(content, path).rgb)
        except DataCorrupt as error:
            raise DataCorrupt(f"{error}; copy it again") from error
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        if sheet.shape != (rows * height, columns * width, 3):
            raise DataCorrupt(f"{path} is not made of tiles of {height}×{width} pixels, as meta.json says")
        grid = sheet.reshape(rows, height, columns, width, 3)
        return grid.transpose(0, 2, 1, 3, 4).reshape(-1, height, width, 3)


def _require_integers(array: np.ndarray, dimensions: int) -> np.ndarray:
    if array.dtype.kind not in "iu" or array.ndim != dimensions:
        raise ValueError(f"{array.ndim} dimensions of {array.dtype}, not {dimensions} of integers")
    return array.astype(np.int64)
