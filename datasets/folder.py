"""Anybody's own images: folder:PATH with train/<class>/* and test/<class>/*."""

import hashlib
import io
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, register_dataset
from datasets.contents import Contents

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_SIZES = (32, 64, 96)


@register_dataset("folder", label="Folder", source="your own images")
class Folder(Dataset):
    """Images of a `train/<class>/…, test/<class>/…` tree, in the order of their names.

    All images are brought to one square size: the largest of 32, 64, 96 that the first image fills.
    The identity is a hash of the images' content, so moving the folder changes nothing and changing an
    image makes another dataset: every image that is used is one that the hash was taken of, or DataChanged
    is raised. Raises DataMissing for a tree that is not such, DataCorrupt for a file that is no image.
    """

    def __init__(self, path: str):
        self.path = Path(path).expanduser().resolve()
        self._contents = Contents()
        _ = self._tree  # whoever names a folder hears at once what is wrong with it

    @cached_property
    def _tree(self) -> "_Tree":
        return _read_tree(self.path)

    @cached_property
    def _content(self) -> str:
        digest = hashlib.sha256()
        for split, files in self._tree.files.items():
            for file in files:
                digest.update(os.fsencode(f"{split}/{file.parent.name}/{file.name}\n"))
                digest.update(self._contents.sha256(file))
        return digest.hexdigest()[:16]

    def refresh(self) -> None:
        before = vars(self).get("_content")
        self._forget("_tree", "_content")
        if self._content != before:
            self._forget("image_size", "_test")

    def _forget(self, *names: str) -> None:
        for name in names:
            vars(self).pop(name, None)

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self._tree.classes)

    @property
    def text(self) -> str:
        return f"folder:{self.path}"

    @cached_property
    def image_size(self) -> int:  # type: ignore[override]
        smallest = min(self._open(self._tree.files["train"][0]).size)
        return max((size for size in _SIZES if size <= smallest), default=_SIZES[0])

    @property
    def identity(self) -> dict[str, object]:
        return {**super().identity, "content": self._content}

    @property
    def training_source(self) -> str:
        return f"{self.name}@{self._content}"

    def class_names(self) -> list[str]:
        return self._tree.classes

    def train_labels(self) -> np.ndarray:
        return self._labels("train")

    def describe(self, index: int) -> str:
        return str(self._tree.files["train"][index].relative_to(self.path))

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        files = self._tree.files["train"]
        return np.stack([self._read(files[index]) for index in indices])

    @cached_property
    def _test(self) -> Images:
        files = self._tree.files["test"]
        if not files:
            raise DataMissing(f"{self.path}/test has no images ({self.path}/test/<class>/*.png); accuracy needs some")
        return Images(np.stack([self._read(file) for file in files]), self._labels("test"))

    def test(self) -> Images:
        return self._test

    def _labels(self, split: str) -> np.ndarray:
        labels = {name: label for label, name in enumerate(self._tree.classes)}
        return np.array([labels[file.parent.name] for file in self._tree.files[split]], dtype=np.int64)

    def _read(self, file: Path) -> np.ndarray:
        size = (self.image_size, self.image_size)
        return np.asarray(self._open(file).resize(size, resample=2))  # 2: bilinear

    def _open(self, file: Path) -> "PilImage":
        """An image of the tree in RGB; raises DataCorrupt that names the file."""
        from PIL import Image

        _ = self._content  # the hash of each file, which the bytes are held against
        content = self._contents.read(file)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for broken PNG chunks
            raise DataCorrupt(f"{file} is not a readable image ({error})") from error


class _Tree(NamedTuple):
    """The names of the classes, ascending, and the files of each split by class and name."""

    classes: list[str]
    files: dict[str, list[Path]]


def _read_tree(path: Path) -> _Tree:
    train = path / "train"
    if not train.is_dir():
        raise DataMissing(f"folder:{path} needs {path}/train/<class>/*.png and {path}/test/<class>/*.png")
    classes = [entry.name for entry in _entries(train) if _is_folder(entry)]
    if not classes:
        raise DataMissing(f"{train} has no class folders with images in them")
    files = {split: _images(path / split) for split in ("train", "test")}
    if empty := set(classes) - {file.parent.name for file in files["train"]}:
        raise DataMissing(f"{train} has classes without images: {', '.join(sorted(empty))}")
    if strange := {file.parent.name for file in files["test"]} - set(classes):
        raise DataCorrupt(f"{path}/test has classes that train has not: {', '.join(sorted(strange))}")
    return _Tree(classes, files)


def _images(split: Path) -> list[Path]:
    """The images of a split's classes; none where there is no such split."""
    if not split.exists():
        return []
    files = [file for entry in _entries(split) if _is_folder(entry) for file in _entries(Path(entry.path))]
    return [Path(file.path) for file in files if Path(file.name).suffix.lower() in _SUFFIXES and not _is_folder(file)]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # a link that leads to itself, or into what may not be looked at
        raise DataMissing(f"{entry.path} cannot be followed ({error.strerror})") from error


def _entries(folder: Path) -> list[os.DirEntry]:
    """What is in a folder and not hidden, by name; raises DataMissing where it may not be looked into."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataMissing(f"{folder} cannot be searched ({error.strerror})") from error
