"""The cells of a table before there are numbers in them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

AVERAGE = "average"  # stands where a dataset does, here and in the published files


@dataclass(frozen=True)
class CellSpec:
    """What a cell is made of: names and labels, and the keys of its runs, one per seed asked for.

    parts: the cells whose mean this one is; none where it stands for itself.
    """

    dataset: str
    dataset_label: str
    method: str
    method_label: str
    samples_per_class: int
    preset: str
    published_dataset: str | None
    keys: tuple[str, ...]
    parts: tuple["CellSpec", ...] = ()


def average_specs(cells: Iterable[CellSpec], datasets: Iterable[str]) -> list[CellSpec]:
    """For each method and size the mean over its datasets, as a cell on the dataset AVERAGE.

    datasets: those that the published average is over; it is compared only where each has one cell in its place.
    """
    rows: dict[tuple[str, int], list[CellSpec]] = {}
    for cell in cells:
        rows.setdefault((cell.method, cell.samples_per_class), []).append(cell)
    return [_average_spec(row, sorted(datasets)) for row in rows.values()]


def _average_spec(parts: list[CellSpec], datasets: list[str]) -> CellSpec:
    comparable = sorted(part.published_dataset or "" for part in parts) == datasets
    return replace(
        parts[0],
        dataset=AVERAGE,
        dataset_label="Average",
        published_dataset=AVERAGE if comparable else None,
        keys=tuple(key for part in parts for key in part.keys),
        parts=tuple(parts),
    )
