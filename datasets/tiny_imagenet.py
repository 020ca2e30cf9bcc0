"""Tiny ImageNet at 32 pixels: a small stand-in for ImageNet."""

import hashlib
import io
import tarfile
from functools import cached_property
from pathlib import Path

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, data_root, register_dataset
from datasets.contents import read_regular
from datasets.imagenet import synsets
from datasets.images import open_rgb

_ANNOTATIONS = "val/val_annotations.txt"  # a line per image: its name, its wnid, a box


@register_dataset("tiny-imagenet32", label="Tiny ImageNet (200 classes, 32 px)", source="Le & Yang, 2015")
class TinyImagenet32(Dataset):
    """200 of ImageNet's classes at 32×32 pixels: the first 50 training images of each, and all 10,000 for validation.

    Fewer classes and smaller images than ImageNet: its accuracies are not to be held against ImageNet's. Classes are
    in the order of their wnids, images in that of their names. They lie in one archive, which is read once per process.
    """

    num_classes = 200
    image_size = 32
    stands_for = "imagenet"
    sha256 = "6056b32ad60a396ea8b0196cf5472ee6deb7aec6fe130b5a1529d7283969fccd"

    def class_names(self) -> list[str]:
        return [synsets()[wnid] for wnid in self._wnids]

    def train_labels(self) -> np.ndarray:
        return self._train.labels

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self._train.images[indices])

    def test(self) -> Images:
        return self._test

    def how_to_get(self) -> str:
        return "it is an archive of this project's developers; 'imagenet' is the official set"

    @property
    def _archive(self) -> Path:
        return data_root() / "tinyimagenet32" / "tinyimagenet32_subset.tar.xz"

    @cached_property
    def _files(self) -> dict[str, bytes]:
        """What the archive holds, by name; raises DataMissing or DataCorrupt unless it is the one that is meant."""
        if not self._archive.exists():
            raise DataMissing(f"{self.name}: there is no {self._archive}; {self.how_to_get()}")
        content = read_regular(self._archive)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DataCorrupt(f"{self._archive} is another archive than that of {self.name}; copy it again")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:xz") as archive:
            return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]

    @cached_property
    def _wnids(self) -> list[str]:
        return sorted(self._files["wnids.txt"].decode().split())

    @cached_property
    def _train(self) -> Images:
        names = sorted(name for name in self._files if name.startswith("train/"))
        return self._images(names, [name.split("/")[1] for name in names])

    @cached_property
    def _test(self) -> Images:
        lines = sorted(line.split("\t")[:2] for line in self._files[_ANNOTATIONS].decode().splitlines())
        return self._images([f"val/images/{name}" for name, _ in lines], [wnid for _, wnid in lines])

    def _images(self, names: list[str], wnids: list[str]) -> Images:
        labels = {wnid: label for label, wnid in enumerate(self._wnids)}
        images = [np.asarray(open_rgb(self._files[name], self._archive / name, as_stored=True).rgb) for name in names]
        return Images(np.stack(images), np.array([labels[wnid] for wnid in wnids], dtype=np.int64))
