"""Training images that a program hands over: in memory, without files and without a test set."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from datasets.base import Dataset
from datasets.checks import require_integers
from datasets.registry import BadInput


class Given(Dataset):
    """images: uint8 N×H×H×3; labels: N integers below num_classes. Presets spend on it what they do on folders.

    The identity is a hash of images and labels: the same ones are the same dataset, in every process.
    """

    name = "given"
    label = "Images of a program"
    source = "your own images"
    family = "folder"

    def __init__(self, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]):
        self._images, self._labels, self._class_names = images, labels, list(class_names)
        self.num_classes, self.image_size = len(class_names), images.shape[1]

    @cached_property
    def _content(self) -> str:
        shape = f"{self._images.shape} {self.num_classes}\n".encode()
        content = (np.ascontiguousarray(values).tobytes() for values in (self._images, self._labels))
        return hashlib.sha256(b"".join([shape, *content])).hexdigest()[:16]

    @property
    def identity(self) -> dict[str, object]:
        return {**super().identity, "content": self._content}

    @property
    def training_source(self) -> str:
        return f"{self.name}@{self._content}"

    def class_names(self) -> list[str]:
        return self._class_names

    def train_labels(self) -> np.ndarray:
        return self._labels

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        return self._images[indices]


def take_images(images: Any, labels: Any = None) -> Given:
    """The dataset of N×3×H×H images (uint8, or floats from 0 to 1) with N labels, tensors or arrays alike.

    Or of a sequence of (image, label), like torchvision's ImageFolder, its images PIL's or tensors of one size.
    Raises BadInput for other shapes and ranges, and for a class with fewer than two images.
    """
    names = getattr(images, "classes", None)
    if labels is None:
        images, labels = _apart(images)
    pixels, numbers = _bytes(_array(images)), _labels(_array(labels))
    if len(pixels) != len(numbers):
        raise BadInput(f"{len(pixels)} images have {len(numbers)} labels")
    if names is None and (highest := int(numbers.max())) >= len(numbers):
        raise BadInput(
            f"a label is {highest}, of {len(numbers)} images: labels run from 0 to the number of classes - 1"
        )
    names = list(map(str, range(highest + 1) if names is None else names))
    _require_classes(numbers, names)
    return Given(pixels, numbers, names)


def _apart(pairs: Any) -> tuple[np.ndarray, list]:
    if not hasattr(pairs, "__len__") or not hasattr(pairs, "__getitem__") or hasattr(pairs, "shape"):
        raise BadInput("images without labels: give both, or a sequence of (image, label) like an ImageFolder")
    found = [pairs[number] for number in range(len(pairs))]
    if not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in found):
        raise BadInput("a sequence of (image, label) is wanted, like an ImageFolder")
    images = [_image(image) for image, _ in found]
    if len(sizes := sorted({image.shape for image in images})) > 1:
        told = " and ".join("×".join(map(str, size)) for size in sizes[:2])
        raise BadInput(
            f"images of one size are wanted, not {told}: give the dataset a transform that resizes and crops"
        )
    return np.stack(images) if images else np.zeros((0, 3, 1, 1), np.uint8), [label for _, label in found]


def _image(image: Any) -> np.ndarray:
    """3×H×W of a PIL image or of a tensor."""
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1) if hasattr(image, "convert") else _array(image)


def _array(values: Any) -> np.ndarray:
    try:
        return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    except (TypeError, ValueError) as error:  # lists of different lengths, bfloat16
        raise BadInput(f"this makes no array: {str(error).splitlines()[0]}") from error


def _bytes(images: np.ndarray) -> np.ndarray:
    """uint8 N×H×H×3."""
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        hint = "; permute N×H×W×3 by (0, 3, 1, 2)" if images.ndim == 4 and images.shape[-1] == 3 else ""
        shape = "×".join(map(str, images.shape))
        raise BadInput(f"images are {shape or 'a number'}, not N×3×H×H: square, in colour{hint}")
    if images.dtype != np.uint8:
        require_unit(images.dtype.kind, *_range(images))
        images = np.rint(images.astype(np.float64) * 255).astype(np.uint8)
    return images.transpose(0, 2, 3, 1)


def _range(images: np.ndarray) -> tuple[float, float]:
    return (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)


def require_unit(kind: str, lowest: float, highest: float) -> None:
    """Raises BadInput unless values of a numpy kind are floats from 0 to 1."""
    if kind != "f":
        raise BadInput("images are neither uint8 nor floats from 0 to 1")
    if not (lowest >= 0 and highest <= 1):
        raise BadInput(
            f"images run from {lowest:.3g} to {highest:.3g}, not from 0 to 1: augment before you normalise; "
            "0 to 255 are uint8"
        )


def _labels(labels: np.ndarray) -> np.ndarray:
    try:
        require_integers("the list of labels", labels)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if not len(labels):
        raise BadInput("there are no images")
    return labels.astype(np.int64)


def _require_classes(labels: np.ndarray, names: Sequence[str]) -> None:
    """Each label a class's, and two images or more of every class."""
    require_known(int(labels.min()), int(labels.max()), len(names))
    counts: Iterable[int] = np.bincount(labels, minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        if count < 2:
            raise BadInput(f"class {name} has {count} image{'' if count == 1 else 's'}; each class needs two or more")


def require_known(lowest: int, highest: int, num_classes: int) -> None:
    """Raises BadInput unless labels lie in 0..num_classes-1."""
    if lowest < 0 or highest >= num_classes:
        found = lowest if lowest < 0 else highest
        raise BadInput(f"label {found} is no class: labels run from 0 to {num_classes - 1}")
