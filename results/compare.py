"""Methods against each other, paired: the same subsets and the same seeds."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

Accuracies = Mapping[str, Mapping["Pair", float]]
"""Accuracy in percent by method, then by what pairs it with the other methods'."""

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
_EXACT = 16  # pairs up to which all 2^n sign flips are tried
_FLIPS = 99_999  # random ones beyond that


class Cell(NamedTuple):
    dataset: str
    samples_per_class: int


class Pair(NamedTuple):
    """What two runs must share to be compared: the subset, and every other draw of the seed."""

    cell: Cell
    seed: int


@dataclass(frozen=True)
class Comparison:
    """`first` minus `second` in one cell, in percentage points over n pairs.

    low, high: 95% interval of the mean by Student's t; t_p: paired t test; flip_p: sign-flip permutation test,
    exact up to 16 pairs; t_holm and flip_holm: both corrected (Holm) over all comparisons made together;
    effect: mean over standard deviation of the differences (Cohen's d_z). None where n is too small or nothing varies.
    """

    dataset: str
    samples_per_class: int
    first: str
    second: str
    n: int
    difference: float
    low: float | None
    high: float | None
    t_p: float | None
    flip_p: float | None
    effect: float | None
    t_holm: float | None = None
    flip_holm: float | None = None


@dataclass(frozen=True)
class Ranking:
    """Average rank over cells (1 is best, ties share), and whether the methods differ at all.

    friedman_p: None for fewer than three methods or two cells; nemenyi: p of every pair of methods.
    """

    ranks: dict[str, float]
    cells: int
    friedman_p: float | None
    nemenyi: pd.DataFrame | None


def compare(accuracies: Accuracies, with_: str | None = None) -> list[Comparison]:
    """Every two methods, or every other one and `with_`, in every cell where they share a seed."""
    cells = sorted({pair.cell for found in accuracies.values() for pair in found})
    made = [
        _compare(cell, first, second, differences)
        for first, second in _couples(accuracies, with_)
        for cell in cells
        if len(differences := _differences(accuracies[first], accuracies[second], cell))
    ]
    return _with_holm(made)


def _couples(methods: Iterable[str], with_: str | None) -> Iterable[tuple[str, str]]:
    return combinations(methods, 2) if with_ is None else ((name, with_) for name in methods if name != with_)


def _differences(first: Mapping[Pair, float], second: Mapping[Pair, float], cell: Cell) -> np.ndarray:
    pairs = sorted(pair for pair in first if pair.cell == cell and pair in second)
    return np.array([first[pair] - second[pair] for pair in pairs])


def _compare(cell: Cell, first: str, second: str, differences: np.ndarray) -> Comparison:
    low, high, t_p = student(differences)
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    effect = float(differences.mean() / spread) if spread else None
    mean = float(differences.mean())
    return Comparison(*cell, first, second, len(differences), mean, low, high, t_p, sign_flip(differences), effect)


def student(differences: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """The 95% interval of the mean and the p of the paired t test; None for one pair or equal differences."""
    from scipy.stats import ttest_1samp

    if len(differences) < 2 or np.ptp(differences) == 0:
        return None, None, None
    test = ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(CONFIDENCE)
    return float(interval.low), float(interval.high), float(test.pvalue)


def sign_flip(differences: np.ndarray) -> float:
    """p of the hypothesis that each difference could as well have had the other sign (two-sided)."""
    from scipy.stats import permutation_test

    if len(differences) < 2:
        return 1.0
    flips = np.inf if len(differences) <= _EXACT else _FLIPS
    test = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=flips, rng=np.random.default_rng(0)
    )
    return float(test.pvalue)


def smallest_p(n: int) -> float:
    """The least p that an exact sign-flip test of n pairs can give."""
    return min(2.0 ** (1 - n), 1.0)


def _with_holm(made: Sequence[Comparison]) -> list[Comparison]:
    t, flip = (_holm([getattr(one, name) for one in made]) for name in ("t_p", "flip_p"))
    return [replace(one, t_holm=t[i], flip_holm=flip[i]) for i, one in enumerate(made)]


def _holm(values: Sequence[float | None]) -> list[float | None]:
    from statsmodels.stats.multitest import multipletests

    known = [value for value in values if value is not None]
    corrected = iter(multipletests(known, method="holm")[1] if known else ())
    return [None if value is None else float(next(corrected)) for value in values]


def rank(accuracies: Accuracies) -> Ranking:
    """Ranks by the mean over the seeds that all methods share, in the cells where there is one."""
    means = mean_accuracies(accuracies)
    ranks = means.rank(axis=1, ascending=False).mean().to_dict()
    friedman_p, nemenyi = _friedman(means) if means.shape[1] > 2 and len(means) > 1 else (None, None)
    return Ranking({str(name): float(value) for name, value in ranks.items()}, len(means), friedman_p, nemenyi)


def mean_accuracies(accuracies: Accuracies) -> pd.DataFrame:
    """Cells × methods."""
    common = sorted(set.intersection(*(set(found) for found in accuracies.values())))
    frame = pd.DataFrame({name: [found[pair] for pair in common] for name, found in accuracies.items()})
    datasets, sizes = ([pair.cell[axis] for pair in common] for axis in (0, 1))
    return frame.groupby([datasets, sizes]).mean()


def _friedman(means: pd.DataFrame) -> tuple[float | None, pd.DataFrame]:
    import scikit_posthocs
    from scipy.stats import friedmanchisquare

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all ranks tied
        p = float(friedmanchisquare(*means.to_numpy().T).pvalue)
    return (None if math.isnan(p) else p), scikit_posthocs.posthoc_nemenyi_friedman(means.reset_index(drop=True))
