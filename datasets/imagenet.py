"""ImageNet (ILSVRC 2012) from its official files; images are decoded when they are used, never all of them."""

import os
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, data_root, register_dataset
from datasets.contents import read_regular
from datasets.images import open_rgb
from datasets.on_demand import OnDemand
from datasets.tree import entries, few
from datasets.validation import validation_classes

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_RESIZED, _SIZE = 256, 224  # pixels: of the shorter side, then of the crop
_BILINEAR = 2


@lru_cache(maxsize=1)
def synsets() -> dict[str, str]:
    """The 1,000 classes: a name for people by WordNet id (wnid), ascending, which is the order of their labels."""
    lines = Path(__file__).with_name("imagenet_synsets.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


@register_dataset("imagenet", label="ImageNet", source="Russakovsky et al., 2015")
class Imagenet(Dataset):
    """1,281,167 training and 50,000 validation images, which test; of 1,000 classes by ascending wnid.

    Under the data root lie imagenet/train/<wnid>/*.JPEG and imagenet/val/, in such folders too or flat with the labels
    that datasets/validation.py reads. Positions follow the names of files. The papers do not say how they cut images
    (FIDELITY section 14): all, those of training too, are the central 224 pixels after the shorter side is brought to
    256 bilinearly, as validation images usually are. A file that is no image is named when it is used.
    """

    num_classes = 1000
    image_size = _SIZE
    counts: ClassVar[dict[str, int]] = {"train": 1_281_167, "val": 50_000}

    @property
    def path(self) -> Path:
        return data_root() / self.name

    def class_names(self) -> list[str]:
        return list(synsets().values())

    def train_labels(self) -> np.ndarray:
        return self._train.labels

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        return self._train.images[indices]

    def describe(self, index: int) -> str:
        return self._train_files[index]

    def test(self) -> Images:
        return self._test

    def check(self) -> None:
        """As `Dataset.check`, without a look into the images: that would take hours."""
        self._require("the training set", *self._train)
        self._require("the validation set", *self._test)

    def remarks(self) -> list[str]:
        return [f"its {len(self._train.labels)} training images were listed, not read: each is when a run picks it"]

    def how_to_get(self) -> str:
        return (
            f"image-net.org gives it to people with an account: put its images at {self.path}/train/<wnid>/*.JPEG and "
            f"{self.path}/val (docs/data.md), or take tiny-imagenet32 in its place"
        )

    @cached_property
    def _train_files(self) -> list[str]:
        return self._in_classes("train")

    @cached_property
    def _train(self) -> Images:
        return self._images(self._train_files, map(_wnid, self._train_files))

    @cached_property
    def _test(self) -> Images:
        val = self.path / "val"
        if any((val / wnid).is_dir() for wnid in synsets()):
            files = self._in_classes("val")
            return self._images(files, map(_wnid, files))
        files = [f"val/{name}" for name in self._listed(val)]
        self._require_count("val", files)
        return self._images(files, validation_classes(self.path, [Path(name).stem for name in files], synsets()))

    def _images(self, files: list[str], wnids: Iterable[str]) -> Images:
        path, labels = self.path, {wnid: label for label, wnid in enumerate(synsets())}
        images = OnDemand(len(files), _SIZE, lambda position: _decode(path / files[position]))
        return Images(images, np.array([labels[wnid] for wnid in wnids], dtype=np.int64))

    def _in_classes(self, split: str) -> list[str]:
        """The images of a split's class folders; raises DataMissing or DataCorrupt unless all are there."""
        folder = self.path / split
        there = {entry.name for entry in self._entries(folder)}
        if absent := [wnid for wnid in synsets() if wnid not in there]:
            raise DataMissing(f"{self.name}: {folder} lacks the folders {few(absent)}; {self.how_to_get()}")
        files = [f"{split}/{wnid}/{name}" for wnid in synsets() for name in self._listed(folder / wnid)]
        self._require_count(split, files)
        return files

    def _listed(self, folder: Path) -> list[str]:
        return [entry.name for entry in self._entries(folder) if entry.name.endswith(".JPEG")]

    def _entries(self, folder: Path) -> list[os.DirEntry]:
        if not folder.is_dir():
            raise DataMissing(f"{self.name}: there is no {folder}; {self.how_to_get()}")
        return entries(folder)

    def _require_count(self, split: str, files: list[str]) -> None:
        # with some of the images, a seed would pick others under the same key
        if len(files) != self.counts[split]:
            raise DataCorrupt(
                f"{self.name}: {self.path / split} holds {len(files)} .JPEG files, not {self.counts[split]}: "
                "unpack its archive anew"
            )


def _wnid(file: str) -> str:
    return file.split("/")[1]


def _decode(file: Path) -> np.ndarray:
    """An image as it is used, 224×224×3 of uint8; raises DataCorrupt with the file's name."""
    return np.asarray(cut_centre(open_rgb(read_regular(file), file, as_stored=True).rgb))


def cut_centre(image: "PilImage") -> "PilImage":
    """The central 224 pixels of an image whose shorter side is 256 then; rounded as torchvision rounds."""
    short = min(image.size)
    width, height = (_RESIZED * side // short for side in image.size)
    left, top = (round((side - _SIZE) / 2) for side in (width, height))
    return image.resize((width, height), _BILINEAR).crop((left, top, left + _SIZE, top + _SIZE))
