"""Paired comparisons against hand-computed values and against the plain definitions of the tests."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from results.compare import Pair, PairedCell, compare, rank, sign_flip, smallest_p

CELL, OTHER = PairedCell("digits", 5), PairedCell("digits", 20)


def _runs(cell: PairedCell, values: list[float], first_seed: int = 0) -> dict[Pair, float]:
    return {Pair(cell, first_seed + seed): value for seed, value in enumerate(values)}


A, B = [31.0, 33.0, 32.5, 30.0, 34.0], [30.0, 31.0, 32.0, 29.5, 31.0]


def test_one_cell_by_hand():
    (found,) = compare({"a": _runs(CELL, A), "b": _runs(CELL, B)})
    differences = np.array(A) - np.array(B)  # 1, 2, 0.5, 0.5, 3
    assert (found.dataset, found.samples_per_class, found.first, found.second, found.n) == ("digits", 5, "a", "b", 5)
    assert found.difference == pytest.approx(1.4)
    margin = 2.7764451 * differences.std(ddof=1) / math.sqrt(5)
    assert (found.low, found.high) == pytest.approx((1.4 - margin, 1.4 + margin))
    assert found.t_p == pytest.approx(ttest_rel(A, B).pvalue)
    assert found.flip_p == 2 / 32
    assert found.effect == pytest.approx(1.4 / differences.std(ddof=1))
    assert (found.t_holm, found.flip_holm) == (found.t_p, found.flip_p)


@pytest.mark.parametrize("differences", [[1.0, 2.0, -0.5, 0.5, 3.0], [0.1, -0.2, 0.3], [1, 1, -1, 2, 0.5, -0.1, 3]])
def test_sign_flips_are_all_tried(differences):
    values = np.array(differences)
    means = np.array([np.mean(values * signs) for signs in itertools.product((1, -1), repeat=len(values))])
    one_sided = min(np.mean(means >= values.mean() - 1e-12), np.mean(means <= values.mean() + 1e-12))
    assert sign_flip(values) == pytest.approx(min(1, 2 * one_sided))


def test_many_pairs_are_flipped_at_random_but_the_same_way_every_time():
    values = np.random.default_rng(1).normal(0.3, 1, 40)
    assert sign_flip(values) == sign_flip(values)
    assert sign_flip(values) == pytest.approx(ttest_rel(values, 0 * values).pvalue, abs=0.02)


def test_the_least_p():
    assert [smallest_p(n) for n in (1, 2, 5, 6)] == [1, 0.5, 0.0625, 0.03125]


def test_pairs_need_the_same_seed_and_the_same_cell():
    (found,) = compare({"a": _runs(CELL, A), "b": _runs(CELL, B, 3) | _runs(OTHER, B)})
    assert found.n == 2
    assert found.difference == pytest.approx(np.mean([30.0 - 30.0, 34.0 - 31.0]))


def test_one_pair_and_equal_differences_have_no_spread():
    (single,) = compare({"a": _runs(CELL, [31.0]), "b": _runs(CELL, [30.0])})
    assert (single.low, single.t_p, single.effect, single.flip_p) == (None, None, None, 1)
    (equal,) = compare({"a": _runs(CELL, [31.0, 32.0]), "b": _runs(CELL, [30.0, 31.0])})
    assert (equal.difference, equal.t_p, equal.effect, equal.flip_p) == (1.0, None, None, 0.5)


def test_holm_is_over_all_comparisons():
    made = compare({"a": _runs(CELL, A) | _runs(OTHER, A), "b": _runs(CELL, B) | _runs(OTHER, A[::-1])})
    small, large = sorted(one.t_p for one in made)  # type: ignore[type-var]
    assert sorted(one.t_holm for one in made) == pytest.approx([2 * small, max(2 * small, large)])  # type: ignore[type-var]


def test_ranks_share_ties_and_need_common_seeds():
    runs = {"a": _runs(CELL, [3.0, 5.0]), "b": _runs(CELL, [4.0, 4.0]), "c": _runs(CELL, [1.0, 1.0, 99.0])}
    assert rank(runs).ranks == {"a": 1.5, "b": 1.5, "c": 3.0}


def test_friedman_and_nemenyi_over_cells():
    cells = [PairedCell("digits", size) for size in (1, 2, 5, 10, 20, 50)]
    runs = {name: {Pair(cell, 0): lead + cell[1] for cell in cells} for lead, name in enumerate("cba")}
    found = rank(runs)
    assert found.ranks == {"a": 1, "b": 2, "c": 3}
    assert found.friedman_p == pytest.approx(math.exp(-6))  # chi² of 12 with 2 degrees of freedom
    assert found.nemenyi.loc["a", "c"] < 0.05 < found.nemenyi.loc["a", "b"]
