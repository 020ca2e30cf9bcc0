"""Anybody's own images: folder:PATH with train/<class>/* and test/<class>/*."""

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets.base import Dataset, Images, register_dataset
from datasets.contents import Contents
from datasets.images import hides_colours, open_rgb
from datasets.paths import given_path
from datasets.tree import Tree, count_kinds, read_tree

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

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
        self.path = given_path(path).resolve()
        self._contents = Contents()
        self._uncovered: dict[Path, bool] = {}  # of each image, whether colours are under transparency
        _ = self._tree  # whoever names a folder hears at once what is wrong with it

    @cached_property
    def _tree(self) -> Tree:
        return read_tree(self.path)

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
            self._uncovered.clear()

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
        self._tree.require_test(self.path)
        return Images(np.stack([self._read(file) for file in self._tree.files["test"]]), self._labels("test"))

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
        _ = self._content  # the hash of each file, which the bytes are held against
        rgb, self._uncovered[file] = open_rgb(self._contents.read(file), file)
        return rgb

    def doubts(self) -> list[str]:
        train, test = ({self._contents.sha256(file): file for file in files} for files in self._tree.files.values())
        found = {
            "partly transparent: the colours stored under it are what is learned": self._uncovered_files(),
            "in test and, with the same bytes, in train": [test[content] for content in test if content in train],
        }
        told = [f"{len(files)} images are {what} ({files[0]})" for what, files in found.items() if files]
        if others := self._tree.others:
            told.append(f"not read: {count_kinds(others)} ({others[0]})")
        return told

    def _uncovered_files(self) -> list[Path]:
        return [file for files in self._tree.files.values() for file in files if self._uncovers(file)]

    def _uncovers(self, file: Path) -> bool:
        if file not in self._uncovered:
            self._uncovered[file] = hides_colours(self._contents.read(file))
        return self._uncovered[file]
