"""What kinds of its class images look like: the file values.csv beside a record of CLIP Synset Entropy."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from results.reader import RecordError, read_content

SHOWN = 5  # images of each class whose own values are kept
_LARGEST = 2**28  # bytes; ImageNet's 1,000 classes with ten synsets each have less than 2**20
_COLUMNS = ["class", "synset", "text", "mean"]  # then one for each image shown


class ClassValues(NamedTuple):
    """The synsets of a class (ids and texts, M each), the mean probability of each over all images (M), and its
    probability for the first images (M×k, k at most SHOWN)."""

    name: str
    synsets: Sequence[str]
    texts: Sequence[str]
    mean: np.ndarray
    images: np.ndarray


def values_csv(classes: Sequence[ClassValues]) -> bytes:
    """The file: a line for each class and synset."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    shown = max(one.images.shape[1] for one in classes)
    lines.writerow([*_COLUMNS, *(f"image {number}" for number in range(1, shown + 1))])
    for one in classes:
        for synset, words, mean, images in zip(one.synsets, one.texts, one.mean, one.images, strict=True):
            lines.writerow([one.name, synset, words, *(f"{value:.9g}" for value in (mean, *images))])
    return text.getvalue().encode()


def read_values(path: Path) -> list[ClassValues]:
    """The classes of a values.csv in its order; raises as `read_content`, and RecordError for a file that is none."""
    return parse_values(read_content(path, _LARGEST), path)


def parse_values(content: bytes, path: Path) -> list[ClassValues]:
    """The classes in the content of a values.csv; path: for the RecordError where it is none."""
    groups: dict[str, list[list[str]]] = {}
    try:
        head, *lines = csv.reader(io.StringIO(content.decode()))
        if head[: len(_COLUMNS)] != _COLUMNS:
            raise ValueError(f"its columns are {', '.join(head)}")
        for line in lines:
            groups.setdefault(line[0], []).append(line[1:])
        return [_class_values(name, lines) for name, lines in groups.items()]
    except (ValueError, IndexError, csv.Error) as error:
        raise RecordError(f"{path} holds no synsets' values: {error}") from error


def _class_values(name: str, lines: Iterable[list[str]]) -> ClassValues:
    synsets, texts, *columns = zip(*lines, strict=True)
    mean, *images = np.array(columns, dtype=float)
    return ClassValues(name, synsets, texts, mean, np.stack(images, axis=1))
