"""What classifiers take for what: accuracy by class and confusions, from the predictions beside records."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from results.escape import one_line
from results.index import Entry
from results.predictions import Predictions, predictions_of
from results.records import Record, key_of

MOST_NUMBERS = 200_000  # of all matrices on a page; they take about half a megabyte
_WHOLE = 12  # classes up to which a matrix is printed
_MOST_CONFUSED = 10
_WIDTH = 16  # characters of a class's name


class Confused(NamedTuple):
    """`images` test images of the class `true` were taken for `said`."""

    images: int
    true: int
    said: int


def confused(matrix: np.ndarray, most: int = _MOST_CONFUSED) -> list[Confused]:
    """The most frequent confusions of a matrix of counts (rows: true classes), the most frequent first."""
    found = [Confused(int(matrix[i, j]), int(i), int(j)) for i, j in np.argwhere(matrix) if i != j]
    return sorted(found, key=lambda one: (-one.images, one.true, one.said))[:most]


def classes_text(said: Predictions) -> str:
    """Accuracy by class in percent, and the matrix of up to 12 classes or the most frequent confusions of more."""
    matrix, accuracies = said.confusion(), said.per_class()
    names = [_short(said.name_of(label)) for label in range(len(matrix))]
    lines = [[name, f"{accuracies[i]:.2f}", matrix[i].sum()] for i, name in enumerate(names) if matrix[i].any()]
    table = tabulate(lines, ("class", "accuracy", "images"), disable_numparse=True)
    return f"{table}\n\n{_matrix(matrix, names) if len(matrix) <= _WHOLE else _most(matrix, names)}"


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= _WIDTH else f"{name[: _WIDTH - 1]}…"


def _matrix(matrix: np.ndarray, names: list[str]) -> str:
    heads = ["true \\ said", *(name[:6] for name in names)]
    return tabulate([[name, *row] for name, row in zip(names, matrix, strict=True)], heads, disable_numparse=True)


def _most(matrix: np.ndarray, names: list[str]) -> str:
    lines = [[one.images, names[one.true], names[one.said]] for one in confused(matrix)]
    return tabulate(lines, ("images", "of class", "taken for"), disable_numparse=True)


def confusions(
    pairs: Iterable[tuple[Entry, Record]], named: Callable[[Entry], dict[str, Any]], problems: list[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """For a page: a matrix summed over the seeds of each run that differs in more than its seed, and what is too much.

    named: what the page tells of an entry. What cannot be trusted gets a problem; what has no predictions says nothing.
    """
    groups: dict[str, dict[str, Any]] = {}
    for entry, record in pairs:
        if said := predictions_of(entry, problems, record):
            identity = key_of({**record.run, "seed": 0})
            group = groups.setdefault(identity, {**named(entry), "seeds": [], "counts": np.zeros((0, 0), int)})
            _add(group, entry.seed, said)
    return _fitting(list(groups.values()))


def _add(group: dict[str, Any], seed: int, said: Predictions) -> None:
    made = said.confusion()
    size = max(len(made), len(group["counts"]))
    made = _padded(made, size) + _padded(group["counts"], size)
    names = [said.name_of(label) for label in range(len(made))]
    group.update(counts=made, names=names, seeds=[*group["seeds"], seed])


def _padded(matrix: np.ndarray, size: int) -> np.ndarray:
    return np.pad(matrix, (0, size - len(matrix)))


def _fitting(groups: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """As many matrices as a page holds, as lists, and in words how many it does not."""
    sizes = np.cumsum([group["counts"].size for group in groups])
    kept = [{**group, "counts": group["counts"].tolist()} for group in groups[: int((sizes <= MOST_NUMBERS).sum())]]
    lost = len(groups) - len(kept)
    return kept, [f"confusions of {lost} of {len(groups)} groups of runs"] if lost else []
