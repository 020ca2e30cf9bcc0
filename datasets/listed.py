"""Images as a CSV file lists them: path, label and, where the file divides them, split."""

import csv
import io
from pathlib import Path

from datasets.base import DataCorrupt, DataMissing
from datasets.contents import read_regular
from datasets.tree import OTHER_NAMES_OF_TEST, SPLITS, Labelled, Tree, is_image, make_tree

_COLUMNS = ("path", "label")
_SPLIT = "split"
_WORDS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(OTHER_NAMES_OF_TEST, "test")


def read_list(path: Path) -> dict[str, list[Labelled]]:
    """The images of each split by class and path; all of them in `train` where there is no column `split`.

    Paths are relative to the file's folder. Raises DataCorrupt that names the line which is wrong.
    """
    images: dict[str, list[Labelled]] = {split: [] for split in SPLITS}
    seen: dict[Path, int] = {}
    for number, line in _lines(path):
        where = f"{path} line {number}"
        file, label = path.parent / _value(line, "path", where), _value(line, "label", where)
        if Path(label).name != label:  # generated images are written into folders of these names
            raise DataCorrupt(f"{where}: the label '{label:.60}' cannot be the name of a folder")
        if not is_image(file.name):
            raise DataCorrupt(f"{where}: {file.name} is no image that is read, by its suffix")
        if file in seen:
            raise DataCorrupt(f"{where}: {file.name} is already in line {seen[file]}")
        seen[file] = number
        images[_split_of(line, where)].append(Labelled(file, label))
    return {split: sorted(found, key=lambda image: (image.label, image.file)) for split, found in images.items()}


def has_split(path: Path) -> bool:
    """Whether the list divides its images itself."""
    return any(_SPLIT in line for _, line in _lines(path)[:1])


def tree_of_list(path: Path) -> Tree:
    """Raises DataMissing for a list that divides nothing."""
    if not has_split(path):
        raise DataMissing(f"{path} has no column '{_SPLIT}' of train and test: folder(split=0.8):{path} draws a split")
    return make_tree(read_list(path), [], path, path, path.parent)


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines after the header by column, with their numbers, empty ones left out."""
    try:
        text = read_regular(path).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        lines = [(reader.line_num, line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataCorrupt(f"{path} is no CSV file in UTF-8 ({error})") from error
    if not set(_COLUMNS) <= set(columns):
        raise DataCorrupt(f"{path} needs a first line that names its columns: path,label or path,label,split")
    if not lines:
        raise DataMissing(f"{path} lists no images")
    return lines


def _value(line: dict[str, str], column: str, where: str) -> str:
    value = (line.get(column) or "").strip()
    if not value or not {"\n", "\r", "\0"}.isdisjoint(value):
        raise DataCorrupt(f"{where}: its {column} is '{value!r:.60}'")
    return value


def _split_of(line: dict[str, str], where: str) -> str:
    word = (line.get(_SPLIT) or "").strip().lower() if _SPLIT in line else "train"
    if word not in _WORDS:
        raise DataCorrupt(f"{where}: its {_SPLIT} is '{word:.60}', not train or test")
    return _WORDS[word]
