"""Datasets whose images have boxes of objects, for detection; images are decoded when they are used."""

from pathlib import Path
from typing import Literal, NoReturn

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images
from datasets.images import open_rgb
from datasets.instances import BoxedImage, Instances
from datasets.registry import BadInput

Split = Literal["train", "test"]


class BoxDataset(Dataset):
    """A named source of images of any size with boxes. A training image's position is that by ascending official id.

    image_size: of the squares that images are stretched to where several are mixed.
    """

    image_size = 256

    def instances(self, split: Split) -> Instances:
        """Classes and images with their boxes; raises DataMissing or DataCorrupt."""
        raise NotImplementedError

    def content(self, split: Split, image: BoxedImage) -> bytes:
        """The bytes of an image's file; raises DataMissing that names it."""
        raise NotImplementedError

    def absent(self, split: Split, images: list[BoxedImage]) -> list[str]:
        """The file names of those images that are not on disk."""
        raise NotImplementedError

    def read(self, split: Split, image: BoxedImage) -> np.ndarray:
        """An image's pixels, uint8 H×W×3; raises DataCorrupt where they are not those that the boxes lie on."""
        rgb, _ = open_rgb(self.content(split, image), Path(image.file_name))
        if rgb.size != (image.width, image.height):
            found, told = (f"{width}×{height}" for width, height in (rgb.size, (image.width, image.height)))
            raise DataCorrupt(f"{self.name}: {image.file_name} has {found} pixels, its boxes are for {told}")
        return np.asarray(rgb)

    def class_names(self) -> list[str]:
        return self.instances("train").class_names

    def members(self) -> list[np.ndarray]:
        """Of each class the positions of the training images with a box of it that a detector can learn from."""
        images = self.instances("train").images
        labels = [image.boxes.learnable().labels for image in images]
        positions = np.repeat(np.arange(len(images)), [len(of_image) for of_image in labels])
        flat = np.concatenate([np.empty(0, np.int64), *labels])
        return [np.unique(positions[flat == label]) for label in range(self.num_classes)]

    def smallest_class(self) -> int:
        return min(len(members) for members in self.members() if len(members))

    def sizes(self) -> tuple[int, int]:
        return len(self.instances("train").images), len(self.instances("test").images)

    def read_test(self) -> int:
        return sum(self.read("test", image).ndim == 3 for image in self.instances("test").images)

    def present(self) -> np.ndarray:
        """All that are listed: which files lack is for `require`."""
        return np.arange(len(self.instances("train").images))

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        """Training images stretched to squares, uint8 n×S×S×3 of `image_size`."""
        images = self.instances("train").images
        return np.stack([self.square(self.read("train", images[index])) for index in indices])

    def square(self, pixels: np.ndarray) -> np.ndarray:
        """An image uint8 H×W×3 stretched to a square of `image_size`, bilinear."""
        from PIL import Image

        return np.asarray(Image.fromarray(pixels).resize((self.image_size, self.image_size), resample=2))

    def regions(self, indices: np.ndarray) -> np.ndarray:
        """The boxes of training images as regions of those squares, n×S×S (see `region_map`)."""
        images = self.instances("train").images
        return np.stack([region_map(images[index], self.image_size) for index in indices])

    def describe(self, index: int) -> str:
        return self.instances("train").images[index].file_name

    def require(self, indices: np.ndarray) -> None:
        images = self.instances("train").images
        self._require_files("train", [images[index] for index in indices])

    def check(self) -> None:
        for split in ("train", "test"):
            found = self.instances(split)
            if found.class_names != self.class_names() or len(found.class_names) != self.num_classes:
                raise DataCorrupt(f"{self.name}: {split} has {len(found.class_names)} classes, not those of train")
            self._require_files(split, found.images)
        if not any(len(image.boxes.labels) for image in self.instances("test").images):
            raise DataCorrupt(f"{self.name}: no test image has a box")

    def _require_files(self, split: Split, images: list[BoxedImage]) -> None:
        if absent := self.absent(split, images):
            told = f"{len(absent)} {split} images are not on disk, the first is {absent[0]}"
            raise DataMissing(f"{self.name}: {told}; {self.how_to_get()}")

    def remarks(self) -> list[str]:
        empty = [name for name, members in zip(self.class_names(), self.members(), strict=True) if not len(members)]
        told = f"{len(empty)} of {self.num_classes} classes have no training image ({', '.join(empty[:3])}, ...)"
        return [told] if empty else []

    def train_labels(self) -> np.ndarray:
        self.refuse()

    def test(self) -> Images:
        self.refuse()

    def refuse(self) -> NoReturn:
        """Raises BadInput: who asks takes it for a dataset of another kind."""
        raise BadInput(f"dataset '{self.text}' has boxes and no labels of whole images: it is for detection (table8)")


def region_map(image: BoxedImage, size: int) -> np.ndarray:
    """The boxes of an image stretched to size×size pixels, as regions: int16 size×size, 0 outside of all boxes.

    Box k has the number k + 1 by falling area, so that a smaller one lies on a larger one, as an object's part does.
    """
    regions = np.zeros((size, size), np.int16)
    scale = size / np.array([image.width, image.height] * 2)
    corners = np.round(image.boxes.learnable().corners * scale).astype(int)
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    for number, box in enumerate(np.argsort(-areas, kind="stable"), start=1):
        left, top, right, bottom = corners[box]
        regions[top:bottom, left:right] = number
    return regions
