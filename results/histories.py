"""Learning curves: the history.csv beside a record, thinned to what a screen shows."""

import csv
import math
from pathlib import Path

from results.reader import read_content

POINTS = 40
_LARGEST = 5 * 2**20  # bytes; a history has a few hundred lines


def read_history(path: Path) -> dict[str, list[float]]:
    """Columns by name, at most 40 evenly spaced lines with the last one; {} for what is absent or damaged."""
    try:
        lines = list(csv.DictReader(read_content(path, _LARGEST).decode().splitlines()))
        columns = {name: [_number(line[name]) for line in _thinned(lines)] for name in (lines[0] if lines else ())}
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        return {}
    return columns if "step" in columns else {}


def _thinned(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    stride = max(math.ceil(len(lines) / POINTS), 1)
    return lines[::-1][::stride][::-1]


def _number(text: str) -> float:
    """A finite number with the digits that a screen shows; raises ValueError for anything else."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() else float(f"{value:.4g}")
