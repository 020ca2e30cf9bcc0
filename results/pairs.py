"""What two runs must share to be compared."""

from collections.abc import Iterator
from typing import NamedTuple

from results.index import Entry, Records
from results.outline import Outline

CONFIDENCE = 0.95  # of the intervals of differences


class PairedCell(NamedTuple):
    """Where methods are compared: a dataset, by its id, at a size."""

    dataset: str
    samples_per_class: int


class Pair(NamedTuple):
    """What two runs must share to be compared: the subset, and every other draw of the seed."""

    cell: PairedCell
    seed: int


def paired_entries(outline: Outline, records: Records) -> Iterator[tuple[str, Pair, Entry]]:
    """What there is of an outline's first metric: method, pair and record."""
    for cell in outline.first_cells:
        place = PairedCell(cell.dataset_id, cell.samples_per_class)
        for seed, key in zip(outline.seeds, cell.keys, strict=False):
            if key in records.by_key:
                yield cell.method, Pair(place, seed), records.by_key[key]
