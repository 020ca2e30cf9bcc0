"""COCO 2017, official and in part: 80 classes of objects in boxes."""

import hashlib
import os
import zipfile
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from datasets.base import DataCorrupt, DataMissing, data_root, register_dataset
from datasets.boxes import BoxDataset, Split
from datasets.contents import read_regular
from datasets.download import Archive
from datasets.instances import BoxedImage, Instances, read_instances

_FOLDERS: dict[Split, str] = {"train": "train2017", "test": "val2017"}
_PAGE = "http://images.cocodataset.org"
_ARCHIVES = (
    Archive(f"{_PAGE}/annotations/annotations_trainval2017.zip", "f4bbac642086de4f52a3fdda2de5fa2c"),
    Archive(f"{_PAGE}/zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80"),
    Archive(f"{_PAGE}/zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2"),
)


class _Coco(BoxDataset):
    num_classes = 80
    expected: ClassVar[dict[Split, int]]  # images of each split

    @cached_property
    def _instances(self) -> dict[Split, Instances]:
        return {}

    def instances(self, split: Split) -> Instances:
        if split not in self._instances:
            self._instances[split] = self._read_instances(split)
        return self._instances[split]

    def _read_instances(self, split: Split) -> Instances:
        content, origin = self.annotations(split)
        found = read_instances(content, origin)
        if len(found.images) != self.expected[split]:
            raise DataCorrupt(f"{origin} lists {len(found.images)} images, not {self.expected[split]}: get it anew")
        return found

    def annotations(self, split: Split) -> tuple[bytes, str]:
        """The bytes of a split's instances file, and what it is called."""
        raise NotImplementedError


@register_dataset("coco", label="COCO", source="Lin et al., 2014")
class Coco(_Coco):
    """COCO 2017 as its archives unpack under $DATA_ROOT/coco; `val2017` is the test set, as test labels are secret."""

    expected = {"train": 118_287, "test": 5_000}

    @property
    def root(self) -> Path:
        return data_root() / "coco"

    def annotations(self, split: Split) -> tuple[bytes, str]:
        path = self.root / "annotations" / f"instances_{_FOLDERS[split]}.json"
        if not path.exists():
            raise DataMissing(f"{self.name}: no {path}; {self.how_to_get()}")
        return read_regular(path), str(path)

    def how_to_get(self) -> str:
        return (
            f"run 'hydrabench data prepare --dataset coco' where there is a network (20 GB), or unpack "
            f"{', '.join(archive.filename for archive in _ARCHIVES)} of {_PAGE} in {self.root}"
        )

    def content(self, split: Split, image: BoxedImage) -> bytes:
        self._require_files(split, [image])
        return read_regular(self.root / _FOLDERS[split] / image.file_name)

    def absent(self, split: Split, images: list[BoxedImage]) -> list[str]:
        folder = self.root / _FOLDERS[split]
        return [image.file_name for image in images if not os.path.isfile(folder / image.file_name)]

    def prepare(self) -> None:
        for archive in _ARCHIVES:
            with zipfile.ZipFile(archive.fetch(self.root)) as file:
                names = [name for name in file.namelist() if not (self.root / name).exists()]
                file.extractall(self.root, names)


@register_dataset("coco128-part", label="COCO (40 images)", source="Lin et al., 2014")
class Coco128Part(_Coco):
    """16 training and 24 test images of COCO 2017, with boxes that YOLO's text files tell and no crowds.

    21 of the 80 classes are on a training image. A stand-in to try things with: its AP says nothing about COCO.
    """

    stands_for = "coco"
    expected = {"train": 16, "test": 24}
    _SHA256 = "57be768cec20f85b6df402bd834d06e2201171e70f94d10ee269ea1a16140c9d"

    @cached_property
    def _archive(self) -> Path:
        path = data_root() / "coco128" / "coco128_subset.zip"
        if not path.exists():
            raise DataMissing(f"{self.name}: no {path}; 'coco' is the official set")
        if hashlib.sha256(read_regular(path)).hexdigest() != self._SHA256:
            raise DataCorrupt(f"{path} is not the archive of the 40 images (its sha256 is not {self._SHA256})")
        return path

    def annotations(self, split: Split) -> tuple[bytes, str]:
        name = f"annotations/instances_{_FOLDERS[split]}_from_yolo.json"
        with zipfile.ZipFile(self._archive) as file:
            return file.read(name), f"{self._archive}: {name}"

    def content(self, split: Split, image: BoxedImage) -> bytes:
        with zipfile.ZipFile(self._archive) as file:
            return file.read(_member(split, image))

    def absent(self, split: Split, images: list[BoxedImage]) -> list[str]:
        with zipfile.ZipFile(self._archive) as file:
            names = set(file.namelist())
        return [image.file_name for image in images if _member(split, image) not in names]


def _member(split: Split, image: BoxedImage) -> str:
    return f"images/{_FOLDERS[split]}/{image.file_name}"
