"""The one place that lists a folder of images: train/<class>/*, test/<class>/*, and what of it is not read."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from datasets.base import DataCorrupt, DataMissing
from datasets.images import SUFFIXES

SPLITS = ("train", "test")
_SHOWN = 5  # names that a message lists before it counts
_OTHER_NAMES_OF_TEST = ("val", "valid", "validation", "testing", "eval")


class Tree(NamedTuple):
    """The names of the classes, ascending; the images of each split by class and name; what else lies there."""

    classes: list[str]
    files: dict[str, list[Path]]
    others: list[Path]

    def require_test(self, path: Path) -> None:
        """Raises DataMissing unless there are test images of every class."""
        test = path / "test"
        if not self.files["test"]:
            raise DataMissing(f"{test} has no images ({test}/<class>/*.png); accuracy needs some{_instead(path)}")
        if absent := [name for name in self.classes if name not in {file.parent.name for file in self.files["test"]}]:
            raise DataMissing(f"{test} has no images of {few(absent)}: every class of train needs some")


def read_tree(path: Path) -> Tree:
    """Lists `path`; raises DataMissing where it is no such tree, DataCorrupt for a test class that train lacks."""
    train = path / "train"
    if not train.is_dir():
        there = few([entry.name for entry in entries(path)]) if path.is_dir() else ""
        there = f"; it holds {there}" if there else ""
        raise DataMissing(f"folder:{path} needs {path}/train/<class>/*.png and {path}/test/<class>/*.png{there}")
    classes = [entry.name for entry in entries(train) if _is_folder(entry)]
    if not classes:
        raise DataMissing(f"{train} has no class folders with images in them")
    found = {split: _list(path / split) for split in SPLITS}
    files = {split: [Path(file.path) for file in found[split] if _is_image(file)] for split in SPLITS}
    others = [Path(file.path) for split in SPLITS for file in found[split] if not _is_image(file)]
    if empty := sorted(set(classes) - {file.parent.name for file in files["train"]}):
        raise DataMissing(f"{train} has classes without images: {few(empty)}{_in_place_of_images(others)}")
    if strange := sorted({file.parent.name for file in files["test"]} - set(classes)):
        raise DataCorrupt(f"{path}/test has classes that train has not: {few(strange)}")
    return Tree(classes, files, others)


def count_kinds(paths: list[Path]) -> str:
    """How many there are of each kind, e.g. `12 .heic, 1 folder`."""
    kinds = Counter("folder" if path.is_dir() else path.suffix or "file without a suffix" for path in paths)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_SHOWN))


def few(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _list(split: Path) -> list[os.DirEntry]:
    """What is in a split's class folders; nothing where there is no such split."""
    if not os.path.lexists(split):
        return []
    return [file for entry in entries(split) if _is_folder(entry) for file in entries(Path(entry.path))]


def _is_image(entry: os.DirEntry) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES and not _is_folder(entry)


def _instead(path: Path) -> str:
    there = [name for name in _OTHER_NAMES_OF_TEST if (path / name).is_dir()]
    return f"; {path / there[0]} is not read: call it test" if there else ""


def _in_place_of_images(others: list[Path]) -> str:
    if not others:
        return ""
    if others[0].is_dir():
        return f" ({others[0]} is a folder: images lie directly in the folder of their class)"
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
