"""Methods against each other, paired: the same subsets and the same seeds."""

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from tabulate import tabulate

from datasets.registry import BadInput
from results.escape import one_line
from results.image_pairs import ImageComparison, images_lines
from results.index import Records
from results.metrics import METRICS
from results.outline import Outline
from results.pairs import CONFIDENCE, Pair, PairedCell, paired_entries

Accuracies = Mapping[str, Mapping[Pair, float]]
"""A metric (accuracy in percent) by method, then by what pairs it with the other methods'."""

ALPHA = 1 - CONFIDENCE
_NAMES = ("dataset", "per class", "first", "second", "pairs")
_HEAD = (*_NAMES, "difference", "95% interval", "t p", "Holm", "flip p", "Holm", "d_z")
_EXACT = 16  # pairs up to which all 2^n sign flips are tried
_FLIPS = 99_999  # random ones beyond that


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


def _differences(first: Mapping[Pair, float], second: Mapping[Pair, float], cell: PairedCell) -> np.ndarray:
    pairs = sorted(pair for pair in first if pair.cell == cell and pair in second)
    return np.array([first[pair] - second[pair] for pair in pairs])


def _compare(cell: PairedCell, first: str, second: str, differences: np.ndarray) -> Comparison:
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


def rank(accuracies: Accuracies, metric: str = "top1") -> Ranking:
    """Ranks by the mean over the seeds that all methods share, in the cells where there is one."""
    means = mean_accuracies(accuracies)
    ranks = means.rank(axis=1, ascending=METRICS[metric].better == "lower").mean().to_dict()
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


def require_accuracies(outline: Outline, records: Records) -> Accuracies:
    """The accuracies of an outline's methods; raises BadInput where fewer than two have records."""
    found = accuracies_of(outline, records)
    if len(found) < 2:
        raise BadInput("compare needs two different methods")
    for name, accuracies in found.items():
        if not accuracies:
            place = f"{outline.name} at preset {outline.preset}"
            raise BadInput(f"{name} has no records in {place}; see `hydrabench plan {outline.name}`")
    return found


def accuracies_of(outline: Outline, records: Records) -> dict[str, dict[Pair, float]]:
    """What there is of an outline, by method and pair."""
    found: dict[str, dict[Pair, float]] = {cell.method: {} for cell in outline.first_cells}
    for method, pair, entry in paired_entries(outline, records):
        found[method][pair] = entry.metrics[outline.metrics[0]]
    return found


def comparison_text(outline: Outline, accuracies: Accuracies, images: Sequence[ImageComparison] = ()) -> str:
    """The tables of the comparisons over seeds and, where there are predictions, over images."""
    made = compare(accuracies)
    metric = METRICS[outline.metrics[0]]
    what = f"first minus second, in {metric.points}, paired by seed"
    lines = [f"{outline.title}, preset {outline.preset}: {what}", ""]
    shown = {cell.dataset_id: cell.dataset_shown for cell in outline.measured_cells}
    lines += [tabulate([_line(one, shown[one.dataset]) for one in made], _HEAD, disable_numparse=True)] if made else []
    lines += ["", *_rank_lines(accuracies, metric.name), *_remarks(made)]
    return "\n".join([*lines, *images_lines(images, shown)])


def comparison_json(outline: Outline, accuracies: Accuracies, images: Sequence[ImageComparison] = ()) -> str:
    """The same as JSON; `images` beside `cells`."""
    made, ranking = compare(accuracies), ranking_of(accuracies, outline.metrics[0])
    value: dict[str, object] = {"study": outline.name, "preset": outline.preset, "cells": [asdict(one) for one in made]}
    value |= {"images": [asdict(one) for one in images]} if images else {}
    if ranking is not None:
        nemenyi = None if ranking.nemenyi is None else ranking.nemenyi.to_dict()
        value |= {"ranks": ranking.ranks, "ranked_cells": ranking.cells}
        value |= {"friedman_p": ranking.friedman_p, "nemenyi": nemenyi}
    return json.dumps(value | {"remarks": _remarks(made)}, indent=1)


def ranking_of(accuracies: Accuracies, metric: str = "top1") -> Ranking | None:
    """The ranks, or None where no cell has a seed that all methods share, or no number is better than another."""
    ranks = METRICS[metric].better != "neither" and set.intersection(*(set(found) for found in accuracies.values()))
    return rank(accuracies, metric) if ranks else None


def _line(one: Comparison, dataset: str) -> list[str]:
    interval = "–" if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}"
    ps = [_p(value) for value in (one.t_p, one.t_holm, one.flip_p, one.flip_holm)]
    names = [one_line(dataset), str(one.samples_per_class), one_line(one.first), one_line(one.second), str(one.n)]
    return [*names, f"{one.difference:+.2f}", interval, *ps, "–" if one.effect is None else f"{one.effect:+.2f}"]


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _rank_lines(accuracies: Accuracies, metric: str) -> list[str]:
    if METRICS[metric].better == "neither":
        return []
    ranking = ranking_of(accuracies, metric)
    if ranking is None:
        return ["No cell has a seed that all methods share: no ranks."]
    best_first = sorted(ranking.ranks.items(), key=lambda item: item[1])
    ranks = ", ".join(f"{one_line(name)} {value:.2f}" for name, value in best_first)
    lines = [f"average rank over {ranking.cells} cells (1 is best): {ranks}"]
    if ranking.friedman_p is not None:
        lines.append(f"Friedman test that all ranks are equal: p = {ranking.friedman_p:.4f}")
    return lines


def _remarks(made: Iterable[Comparison]) -> list[str]:
    """What a reader must know before he believes a p."""
    made = list(made)
    if not made:
        return ["The methods share no seed in any cell: nothing can be paired."]
    small = sorted({one.n for one in made if smallest_p(one.n) > ALPHA})
    remarks = [
        f"{n} pairs are too few for significance: the exact sign-flip test cannot go below p = {smallest_p(n):.4g}; "
        "the t test can, if the differences are normal. Run at least 6 seeds."
        for n in small
    ]
    reach = [one for one in made if smallest_p(one.n) <= ALPHA < smallest_p(one.n) * len(made)]
    if reach:
        pairs = f"{reach[0].n} pairs cannot reach p < {ALPHA:.2f} exactly"
        remarks.append(f"After Holm's correction over {len(made)} comparisons, {pairs}.")
    return remarks
