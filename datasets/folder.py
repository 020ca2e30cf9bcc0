"""Anybody's own images: folder:PATH with train/<class>/* and test/<class>/*."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets.base import DataCorrupt, DataMissing, Dataset, Images, register_dataset

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_SIZES = (32, 64, 96)


@register_dataset("folder", label="Folder", source="your own images")
class Folder(Dataset):
    """Images of a `train/<class>/…, test/<class>/…` tree, in the order of their names.

    All images are brought to one square size: the largest of 32, 64, 96 that the first image fills.
    The identity is a hash of the images' content, so moving the folder changes nothing and changing an
    image makes another dataset. Raises DataMissing for a tree that is not such, DataCorrupt for a file
    that is no image.
    """

    def __init__(self, path: str):
        self.path = Path(path).expanduser().resolve()
        if not (self.path / "train").is_dir():
            raise DataMissing(f"folder:{path} needs {self.path}/train/<class>/*.png and {self.path}/test/<class>/*.png")
        self._classes = sorted(entry.name for entry in (self.path / "train").glob("[!.]*") if entry.is_dir())
        if not self._classes:
            raise DataMissing(f"{self.path}/train has no class folders with images in them")
        if empty := set(self._classes) - {file.parent.name for file in self._files("train")}:
            raise DataMissing(f"{self.path}/train has classes without images: {', '.join(sorted(empty))}")
        if strange := {file.parent.name for file in self._files("test")} - set(self._classes):
            raise DataCorrupt(f"{self.path}/test has classes that train has not: {', '.join(sorted(strange))}")

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self._classes)

    @property
    def text(self) -> str:
        return f"folder:{self.path}"

    @property
    def title(self) -> str:
        return f"{self.label} {self.path.name}"

    @cached_property
    def image_size(self) -> int:  # type: ignore[override]
        smallest = min(_open(self._files("train")[0]).size)
        return max((size for size in _SIZES if size <= smallest), default=_SIZES[0])

    @cached_property
    def _content(self) -> str:
        digest = hashlib.sha256()
        for split in ("train", "test"):
            for file in self._files(split):
                digest.update(f"{split}/{file.parent.name}/{file.name}\n".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def identity(self) -> dict[str, object]:
        return {**super().identity(), "content": self._content}

    @property
    def training_source(self) -> str:
        return f"{self.name}@{self._content}"

    def class_names(self) -> list[str]:
        return self._classes

    def train_labels(self) -> np.ndarray:
        return self._labels("train")

    def describe(self, index: int) -> str:
        return str(self._files("train")[index].relative_to(self.path))

    def train_images(self, indices: np.ndarray) -> np.ndarray:
        files = self._files("train")
        return np.stack([self._read(files[index]) for index in indices])

    @cached_property
    def _test(self) -> Images:
        files = self._files("test")
        if not files:
            raise DataMissing(f"{self.path}/test has no images ({self.path}/test/<class>/*.png); accuracy needs some")
        return Images(np.stack([self._read(file) for file in files]), self._labels("test"))

    def test(self) -> Images:
        return self._test

    def _files(self, split: str) -> list[Path]:
        return sorted(file for file in (self.path / split).glob("[!.]*/[!.]*") if file.suffix.lower() in _SUFFIXES)

    def _labels(self, split: str) -> np.ndarray:
        return np.array([self._classes.index(file.parent.name) for file in self._files(split)], dtype=np.int64)

    def _read(self, file: Path) -> np.ndarray:
        size = (self.image_size, self.image_size)
        return np.asarray(_open(file).resize(size, resample=2))  # 2: bilinear


def _open(file: Path) -> "PilImage":
    """An image in RGB; raises DataCorrupt that names the file."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for broken PNG chunks
        raise DataCorrupt(f"{file} is not a readable image ({error})") from error
