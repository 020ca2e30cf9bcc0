"""A split of images that come without one, drawn by a seed."""

from pathlib import Path

import numpy as np

from datasets.base import DataCorrupt, DataMissing
from datasets.listed import has_split, read_list
from datasets.options import FolderOptions
from datasets.tree import OTHER_NAMES_OF_TEST, Labelled, Tree, few, list_classes, make_tree


def draw_split(path: Path, options: FolderOptions) -> Tree:
    """The images of PATH/<class>/*, or of a list without a split, of which a share of each class is trained on.

    Of n images of a class, by name, round(share · n) are drawn for training, at least one of each split. The same
    names, share and seed give the same split. Raises DataMissing, DataCorrupt where there are fewer than two images
    in a class, or a split is there already.
    """
    images, others = _undivided(path)
    by_class: dict[str, list[Labelled]] = {}
    for image in images:
        by_class.setdefault(image.label, []).append(image)
    if small := [name for name, found in by_class.items() if len(found) < 2]:
        raise DataMissing(f"{path} has a single image of {few(small)}: a split needs two of each class")
    rng = np.random.default_rng(options.seed)
    divided: dict[str, list[Labelled]] = {"train": [], "test": []}
    for _, found in sorted(by_class.items()):
        count = min(max(round((options.split or 0) * len(found)), 1), len(found) - 1)
        learned = set(rng.permutation(len(found))[:count].tolist())
        for position, image in enumerate(found):
            divided["train" if position in learned else "test"].append(image)
    return make_tree(divided, others, path, path, path.parent if path.is_file() else path)


def _undivided(path: Path) -> tuple[list[Labelled], list[Path]]:
    if path.is_file():
        if has_split(path):
            raise DataCorrupt(f"{path} has a column of splits: leave split out, or the column")
        return read_list(path)["train"], []
    if not path.is_dir():
        raise DataMissing(f"folder(split=...):{path} needs {path}/<class>/*.png, or a CSV file of path,label")
    if (path / "train").is_dir() and (there := [n for n in ("test", *OTHER_NAMES_OF_TEST) if (path / n).is_dir()]):
        raise DataCorrupt(f"{path} is divided into train and {there[0]}: leave split out, or name one of them")
    return list_classes(path)
