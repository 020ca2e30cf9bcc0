"""From records and published numbers to one tidy frame: a line per cell of a study."""

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import pandas as pd

from results.index import Records
from results.outline import AVERAGE, CellSpec, average_specs

__all__ = ["AVERAGE", "COLUMNS", "CellSpec", "PublishedCell", "aggregate", "average_specs", "load_published"]

PUBLISHED = Path(__file__).parent / "published"
PAPER_SEEDS = 5  # where a published file does not say "# Seeds: 3"
_SEEDS = re.compile(r"# Seeds: (\d+)$", re.MULTILINE)

COLUMNS = [
    "dataset",
    "method",
    "samples_per_class",
    "preset",
    "metric",
    "n",
    "mean",
    "std",
    "published_dataset",
    "published_mean",
    "published_std",
    "published_n",
    "difference",
    "z",
]


@dataclass(frozen=True)
class PublishedCell:
    """A number of a paper as printed; std is empty where the paper prints none. seeds: how many are behind it."""

    mean: str
    std: str
    seeds: int = PAPER_SEEDS


def load_published(name: str | None) -> dict[tuple[str, str, int, str], PublishedCell]:
    """The numbers of one file of results/published by (dataset, method, samples per class, metric)."""
    if name is None:
        return {}
    text = (PUBLISHED / name).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    seeds = int(found[1]) if (found := _SEEDS.search(text)) else PAPER_SEEDS
    return {
        (row["dataset"], row["method"], int(row["samples_per_class"] or 0), row["metric"]): PublishedCell(
            row["mean"], row["std"], seeds
        )
        for row in csv.DictReader(lines)
    }


def aggregate(
    cells: Iterable[CellSpec],
    records: Records,
    published: dict[tuple[str, str, int, str], PublishedCell],
) -> pd.DataFrame:
    """One line per cell, run or not, with the columns COLUMNS (numbers as in records, accuracies in percent).

    dataset is its id, as in records (CellSpec.dataset_id);
    std is the sample standard deviation over seeds (ddof=1), missing where n < 2;
    z = difference / sqrt(std²/n + published_std²/published_n), missing where a part of it is. On AVERAGE, mean and
    std are the means over the parts (as HydraMix Table 9 has them), n is the number of runs behind them, 0 unless all
    parts are complete, and there is no z, because that std is not of these n values.
    """
    return pd.DataFrame([_line(cell, records, published) for cell in cells], columns=COLUMNS)


class Measured(NamedTuple):
    n: int
    mean: float
    std: float


def _line(cell: CellSpec, records: Records, published: dict) -> list:
    n, mean, std = _average(cell, records) if cell.parts else _measure(cell, records)
    theirs = published.get((cell.published_dataset, cell.method, cell.samples_per_class, cell.metric))
    their_mean = float(theirs.mean) if theirs else math.nan
    their_std = float(theirs.std) if theirs and theirs.std else math.nan
    their_n = theirs.seeds if theirs else 0
    spread = math.sqrt(std**2 / n + their_std**2 / their_n) if n and theirs and not cell.parts else math.nan
    difference = mean - their_mean
    z = difference / spread if spread else math.nan
    ours, place = [n, mean, std], cell.published_dataset if theirs else None
    names = [cell.dataset_id, cell.method, cell.samples_per_class, cell.preset, cell.metric]
    return [*names, *ours, place, their_mean, their_std, their_n, difference, z]


def _measure(cell: CellSpec, records: Records) -> Measured:
    found = [records.by_key[key].metrics for key in cell.keys if key in records.by_key]
    values = [metrics[cell.metric] for metrics in found if cell.metric in metrics]
    n = len(values)
    return Measured(n, fmean(values) if n else math.nan, stdev(values) if n > 1 else math.nan)


def _average(cell: CellSpec, records: Records) -> Measured:
    parts = [_measure(part, records) for part in cell.parts]
    if any(part.n < max(len(spec.keys), 1) for part, spec in zip(parts, cell.parts, strict=True)):
        return Measured(0, math.nan, math.nan)
    return Measured(sum(part.n for part in parts), fmean(p.mean for p in parts), fmean(p.std for p in parts))
