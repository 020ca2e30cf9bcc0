"""From records and published numbers to one tidy frame: a line per cell of a study."""

import csv
import math
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
PAPER_SEEDS = 5

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
    "difference",
    "z",
]


@dataclass(frozen=True)
class PublishedCell:
    """A number of a paper as printed; std is empty where the paper prints none."""

    mean: str
    std: str


def load_published(name: str | None) -> dict[tuple[str, str, int, str], PublishedCell]:
    """The numbers of one file of results/published by (dataset, method, samples per class, metric)."""
    if name is None:
        return {}
    lines = [line for line in (PUBLISHED / name).read_text().splitlines() if not line.startswith("#")]
    return {
        (row["dataset"], row["method"], int(row["samples_per_class"] or 0), row["metric"]): PublishedCell(
            row["mean"], row["std"]
        )
        for row in csv.DictReader(lines)
    }


def aggregate(
    cells: Iterable[CellSpec],
    records: Records,
    published: dict[tuple[str, str, int, str], PublishedCell],
    metric: str = "top1",
) -> pd.DataFrame:
    """One line per cell, run or not, with the columns COLUMNS (numbers in percent).

    dataset is its id, as in records (CellSpec.dataset_id);
    std is the sample standard deviation over seeds (ddof=1), missing where n < 2;
    z = difference / sqrt(std²/n + published_std²/5), missing where a part of it is. On AVERAGE, mean and std are
    the means over the parts (as HydraMix Table 9 has them), n is the number of runs behind them, 0 unless all parts
    are complete, and there is no z, because that std is not of these n values.
    """
    return pd.DataFrame([_line(cell, records, published, metric) for cell in cells], columns=COLUMNS)


class Measured(NamedTuple):
    n: int
    mean: float
    std: float


def _line(cell: CellSpec, records: Records, published: dict, metric: str) -> list:
    n, mean, std = _average(cell, records, metric) if cell.parts else _measure(cell, records, metric)
    theirs = published.get((cell.published_dataset, cell.method, cell.samples_per_class, metric))
    their_mean = float(theirs.mean) if theirs else math.nan
    their_std = float(theirs.std) if theirs and theirs.std else math.nan
    spread = math.sqrt(std**2 / n + their_std**2 / PAPER_SEEDS) if n and not cell.parts else math.nan
    difference = mean - their_mean
    z = difference / spread if spread else math.nan
    numbers = [n, mean, std, cell.published_dataset if theirs else None, their_mean, their_std, difference, z]
    return [cell.dataset_id, cell.method, cell.samples_per_class, cell.preset, metric, *numbers]


def _measure(cell: CellSpec, records: Records, metric: str) -> Measured:
    values = [getattr(records.by_key[key], metric) for key in cell.keys if key in records.by_key]
    n = len(values)
    return Measured(n, fmean(values) if n else math.nan, stdev(values) if n > 1 else math.nan)


def _average(cell: CellSpec, records: Records, metric: str) -> Measured:
    parts = [_measure(part, records, metric) for part in cell.parts]
    if any(part.n < max(len(spec.keys), 1) for part, spec in zip(parts, cell.parts, strict=True)):
        return Measured(0, math.nan, math.nan)
    return Measured(sum(part.n for part in parts), fmean(p.mean for p in parts), fmean(p.std for p in parts))
