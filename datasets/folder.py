"""Anybody's own images: folder:PATH with train/<class>/* and test/<class>/*, or a list of them, or undivided ones."""

import hashlib
import os
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets.base import DataMissing, Dataset, Images, register_dataset
from datasets.contents import Contents
from datasets.drawn import draw_split
from datasets.images import central_square, hides_colours, open_rgb
from datasets.listed import tree_of_list
from datasets.options import FolderOptions
from datasets.paths import given_path
from datasets.registry import BadInput
from datasets.sizes import Sizes
from datasets.tree import Tree, count_kinds, few, read_tree

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_FEW = 5  # images: the smallest subset of the papers' tables has so many of each class


@register_dataset("folder", label="Folder", source="your own images")
class Folder(Dataset):
    """Images of a `train/<class>/…, test/<class>/…` tree, in the order of their names, or of a CSV file.

    The central square of each is brought to one size (datasets/sizes.py has the default).
    The identity is a hash of the images' content, of their division and, where older versions brought them to a
    size otherwise, of that size. So moving the folder changes nothing and changing an image makes another dataset:
    every image that is used is one that the hash was taken of, or DataChanged is raised. Raises DataMissing for
    a tree that is not such, DataCorrupt for a file that is no image.
    """

    def __init__(self, path: str, options: FolderOptions = FolderOptions()):  # noqa: B008 (it is frozen)
        self.path, self.options = given_path(path).resolve(), options
        self._contents = Contents()
        self._uncovered: dict[Path, bool] = {}  # of each image, whether colours are under transparency
        _ = self._tree  # whoever names a folder hears at once what is wrong with it

    @cached_property
    def _tree(self) -> Tree:
        if self.options.split is not None:
            return draw_split(self.path, self.options)
        return tree_of_list(self.path) if self.path.is_file() else read_tree(self.path)

    @cached_property
    def _content(self) -> str:
        digest = hashlib.sha256()
        for split, images in self._tree.images.items():
            for file, label in images:
                digest.update(os.fsencode(f"{split}/{label}/{file.name}\n"))
                digest.update(self._contents.sha256(file))
        if not self._sizes.as_before:
            digest.update(f"centre of {self._sizes.chosen}\n".encode())
        return digest.hexdigest()[:16]

    @cached_property
    def _sizes(self) -> Sizes:
        files = [file for split in self._tree.images for file in self._tree.files(split)]
        for file in files:
            self._contents.sha256(file)
        return Sizes.of([self._contents.header(file) for file in files], self.options.size)

    def refresh(self) -> None:
        before = vars(self).get("_content")
        self._forget("_tree", "_content", "_sizes")
        if self._content != before:
            self._forget("_test")
            self._uncovered.clear()

    def _forget(self, *names: str) -> None:
        for name in names:
            vars(self).pop(name, None)

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self._tree.classes)

    @property
    def text(self) -> str:
        return f"folder{self.options}:{self.path}"

    @property
    def image_size(self) -> int:  # type: ignore[override]
        return self._sizes.chosen

    @property
    def identity(self) -> dict[str, object]:
        size = {} if self._sizes.as_before else {"size": self._sizes.chosen}
        return {**super().identity, "content": self._content, **size}

    @property
    def training_source(self) -> str:
        return f"{self.name}@{self._content}"

    def class_names(self) -> list[str]:
        return self._tree.classes

    def train_labels(self) -> np.ndarray:
        return self._labels("train")

    def describe(self, index: int) -> str:
        file, top = self._tree.images["train"][index].file, self._tree.top
        return str(file.relative_to(top) if file.is_relative_to(top) else file)

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        images = self._tree.images["train"]
        return np.stack([self._read(images[index].file) for index in indices])

    @cached_property
    def _test(self) -> Images:
        self._tree.require_test()
        return Images(np.stack([self._read(file) for file in self._tree.files("test")]), self._labels("test"))

    def test(self) -> Images:
        return self._test

    def _labels(self, split: str) -> np.ndarray:
        labels = {name: label for label, name in enumerate(self._tree.classes)}
        return np.array([labels[image.label] for image in self._tree.images[split]], dtype=np.int64)

    def _read(self, file: Path) -> np.ndarray:
        return np.asarray(central_square(self._open(file), self.image_size))

    def _open(self, file: Path) -> "PilImage":
        """An image of the tree in RGB; raises DataCorrupt that names the file."""
        _ = self._content  # the hash of each file, which the bytes are held against
        rgb, self._uncovered[file] = open_rgb(self._contents.read(file), file)
        return rgb

    def notes(self) -> list[str]:
        told = [self._sizes.note] if self._sizes.note else []
        if self.options.split is not None:
            counts = " and ".join(f"{len(images)} {split}" for split, images in self._tree.images.items())
            told.append(f"{counts} images, of a split drawn by seed {self.options.seed}")
        elif self._tree.test.name != "test" and self._tree.test.is_dir():
            told.append(f"{self._tree.test} is taken for test")
        return told

    def doubts(self) -> list[str]:
        told = [self._in_both()]
        if uncovered := [
            file for split in self._tree.images for file in self._tree.files(split) if self._uncovers(file)
        ]:
            transparent = "partly transparent: the colours stored under it are what is learned"
            told.append(f"{len(uncovered)} images are {transparent} ({uncovered[0]})")
        if others := self._tree.others:
            told.append(f"not read: {count_kinds(others)} ({others[0]})")
        return list(filter(None, told))

    def remarks(self) -> list[str]:
        return [*self.doubts(), *filter(None, [self._few_images()])]

    def faults(self) -> list[str]:
        """Every image that cannot be read and every class without test images, a line each."""
        told = [line for split in self._tree.images for file in self._tree.files(split) if (line := self._fault(file))]
        try:
            self._tree.require_test()
        except DataMissing as error:
            told.append(str(error))
        return told

    def _fault(self, file: Path) -> str:
        try:
            self._contents.sha256(file)  # of this file alone: `_content` would say of all what is wrong with one
            open_rgb(self._contents.read(file), file)
        except BadInput as error:
            return str(error)
        return ""

    def _uncovers(self, file: Path) -> bool:
        if file not in self._uncovered:
            self._uncovered[file] = hides_colours(self._contents.read(file))
        return self._uncovered[file]

    def _few_images(self) -> str:
        counts = Counter(image.label for image in self._tree.images["train"])
        small = [f"{name} {count}" for name, count in counts.items() if count < _FEW]
        return f"fewer than {_FEW} training images of {few(small)}: no run has more per class" if small else ""

    def _in_both(self) -> str:
        learned = {self._contents.sha256(file) for file in self._tree.files("train")}
        twice = [image for image in self._tree.images["test"] if self._contents.sha256(image.file) in learned]
        if not twice:
            return ""
        classes = few([f"{count} of {name}" for name, count in Counter(image.label for image in twice).items()])
        return f"{len(twice)} images are in test and, with the same bytes, in train: {classes} ({twice[0].file})"
