"""The one place that lists a folder of images: train/<class>/*, test/<class>/*, and what of it is not read."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from datasets.base import DataCorrupt, DataMissing
from datasets.images import SUFFIXES

SPLITS = ("train", "test")
_OTHER_NAMES_OF_TRAIN = ("train", "training")  # in small letters: some disks tell these apart from train
OTHER_NAMES_OF_TEST = ("val", "valid", "validation", "testing", "eval")
_SHOWN = 5  # names that a message lists before it counts
_DEEPER = "images"  # the folder of a class that may hold its images, as in Tiny ImageNet


class Labelled(NamedTuple):
    """An image's file, and the name of its class."""

    file: Path
    label: str


class Tree(NamedTuple):
    """The names of the classes, ascending; the images of each split by class and name; what else lies there.

    test: the folder or the list that test images are, or would be, of. top: what people name images from.
    """

    classes: list[str]
    images: dict[str, list[Labelled]]
    others: list[Path]
    test: Path
    top: Path

    def files(self, split: str) -> list[Path]:
        return [image.file for image in self.images[split]]

    def require_test(self) -> None:
        """Raises DataMissing unless there are test images of every class."""
        if not self.images["test"]:
            raise DataMissing(f"{self.test} has no images ({self.test}/<class>/*.png); accuracy needs some")
        if absent := [name for name in self.classes if name not in {image.label for image in self.images["test"]}]:
            raise DataMissing(f"{self.test} has no images of {few(absent)}: every class of train needs some")


def make_tree(images: dict[str, list[Labelled]], others: list[Path], train: Path, test: Path, top: Path) -> Tree:
    """Raises DataMissing where nothing is to be trained on, DataCorrupt for a test class that train lacks."""
    classes = sorted({image.label for image in images["train"]})
    if not classes:
        raise DataMissing(f"{train} has no class folders with images in them")
    if strange := sorted({image.label for image in images["test"]} - set(classes)):
        raise DataCorrupt(f"{test} has classes that train has not: {few(strange)}")
    return Tree(classes, images, others, test, top)


def read_tree(path: Path) -> Tree:
    """Lists the two splits of `path`; raises DataMissing where it is no such tree, DataCorrupt as `make_tree`."""
    train, test = path / "train", _test_of(path)
    if not train.is_dir():
        raise DataMissing(f"folder:{path} needs {path}/train/<class>/*.png and {path}/test/<class>/*.png{_held(path)}")
    learned, others = list_classes(train)
    tested, more = list_classes(test, empty=True) if os.path.lexists(test) else ([], [])
    return make_tree({"train": learned, "test": tested}, others + more, train, test, path)


def list_classes(folder: Path, empty: bool = False) -> tuple[list[Labelled], list[Path]]:
    """The images of a folder of classes, and what else the classes hold; empty: of a class, there may be none.

    Raises DataMissing that names the classes without images.
    """
    images: list[Labelled] = []
    others: list[Path] = []
    without: dict[str, list[Path]] = {}
    for entry in filter(_is_folder, entries(folder)):
        read, rest = _list_class(Path(entry.path))
        images += [Labelled(file, entry.name) for file in read]
        others += rest
        if not read:
            without[entry.name] = rest
    if without and not empty:
        instead = _in_place_of_images([other for rest in without.values() for other in rest])
        raise DataMissing(f"{folder} has classes without images: {few(list(without))}{instead}")
    return images, others


def count_kinds(paths: list[Path]) -> str:
    """How many there are of each kind, e.g. `12 .heic, 1 folder`."""
    kinds = Counter("folder" if path.is_dir() else path.suffix or "file without a suffix" for path in paths)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_SHOWN))


def few(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def is_image(name: str) -> bool:
    """Whether a file of this name is read, whatever the case of its suffix."""
    return Path(name).suffix.lower() in SUFFIXES


def _test_of(path: Path) -> Path:
    """The folder of the test images: `test`, else the first of its other names that is there."""
    there = (path / name for name in ("test", *OTHER_NAMES_OF_TEST))
    return next(filter(os.path.lexists, there), path / "test")


def _list_class(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images of one class, one folder deeper where none lies in its own; and what else is there."""
    images: list[Path] = []
    others: list[Path] = []
    for entry in entries(folder):
        (images if is_image(entry.name) and not _is_folder(entry) else others).append(Path(entry.path))
    if not images and (deeper := folder / _DEEPER) in others and deeper.is_dir():
        images, more = _list_class(deeper)
        others = [other for other in others if other != deeper] + more
    return images, others


def _held(path: Path) -> str:
    if not path.is_dir():
        return ""
    names = [entry.name for entry in entries(path)]
    if named := next((name for name in names if name.lower() in _OTHER_NAMES_OF_TRAIN), ""):
        return f"; it holds {named}: rename it to train"
    return f"; it holds {few(names)}: are these classes, folder(split=0.8):PATH draws a split" if names else ""


def _in_place_of_images(others: list[Path]) -> str:
    if not others:
        return ""
    if others[0].is_dir():
        return f" ({others[0]} is a folder: images lie directly in the folder of their class, or in its {_DEEPER}/)"
    return f" ({count_kinds(others)} there; read are {', '.join(sorted(SUFFIXES))})"


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # a link that leads to itself, or into what may not be looked at
        raise DataMissing(f"{entry.path} cannot be followed ({error.strerror})") from error


def entries(folder: Path) -> list[os.DirEntry]:
    """What is in a folder and not hidden, by name; raises DataMissing where it may not be looked into."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataMissing(f"{folder} cannot be searched ({error.strerror})") from error
