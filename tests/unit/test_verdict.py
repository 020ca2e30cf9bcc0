"""Verdicts: the test behind them, every state, the summary, the exit code, and the page that is made of them."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import ttest_ind_from_stats
from statsmodels.stats.weightstats import ttost_ind

from benchmark.cli import cli
from benchmark.cli.summary import summary
from benchmark.outlines import load_outline, outlines_with_records
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from datasets.registry import BadInput
from results.aggregate import PublishedCell, load_published
from results.files import CHECKOUT
from results.headline import headline, open_seconds, time_of
from results.records import read_record, write_record
from results.reproduction import coverage, keep_the_less_favourable, reproduction
from results.stores import Stores
from results.verdict import PAPER_SEEDS, Scope, TableVerdict, Verdict, equivalence, judge_study, verdicts_text, welch

SPREAD = (-1.0, -0.5, 0.0, 0.5, 1.0)
BASELINE = {5: 31.37, 10: 38.09, 20: 47.50, 30: 53.19, 50: 58.84}


@pytest.fixture
def judge(store, make_record):
    """Plants `seeds` records of table1 around a mean per (method, size) on ciFAIR-10, and judges those cells."""

    def plant(means: dict, seeds: int = 5, **axes: object) -> dict:
        methods, sizes = {m for m, _ in means}, {n for _, n in means}
        picked = {"datasets": ("cifair10",), "methods": tuple(methods), "samples_per_class": tuple(sizes)} | axes
        selection = Selection(**picked)
        for cell in load_grid("table1", selection).cells:
            mean = means.get((cell.row, cell.samples_per_class))
            for run, away in zip(cell.runs[:seeds], SPREAD, strict=False):
                if mean is not None:
                    write_record(store / run.path, make_record(run, mean + away))
        verdict = judge_study(load_outline("table1", selection), Stores(store, alone=True).records())
        return {(cell.method, cell.samples_per_class): cell for cell in verdict.cells} | {"all": verdict}

    return plant


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize(("std", "theirs"), [(0.5, 3.28), (2.0, 0.1), (0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("difference", [0.0, 0.3, -4.0])
def test_p_is_that_of_scipy(n, std, theirs, difference):
    expected = ttest_ind_from_stats(30 + difference, std, n, 30, theirs, PAPER_SEEDS, equal_var=False).pvalue
    assert welch(30 + difference, std, n, 30, theirs) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize(("std", "theirs"), [(0.5, 3.28), (2.0, 0.1), (1.0, 1.0)])
@pytest.mark.parametrize("difference", [0.0, 0.3, -1.4, 4.0])
def test_equivalence_is_that_of_statsmodels(n, std, theirs, difference):
    ours, published = _values(30 + difference, std, n), _values(30, theirs, PAPER_SEEDS)
    expected = ttost_ind(ours, published, -2, 2, usevar="unequal")[0]
    assert equivalence(30 + difference, std, n, 30, theirs, 2.0) == pytest.approx(expected, rel=1e-9)


def _values(mean: float, std: float, n: int) -> np.ndarray:
    """n values with exactly this mean and sample standard deviation."""
    values = np.arange(n, dtype=float) ** 2
    return mean + std * (values - values.mean()) / values.std(ddof=1)


def test_a_mean_published_without_std_gets_the_difference_alone(judge, monkeypatch):
    assert math.isnan(welch(30, 1, 5, 29, math.nan)) and math.isnan(equivalence(30, 1, 5, 29, math.nan, 2))
    cells = load_published("hydramix-table1.csv")
    place = ("cifair10", "baseline", 5, "top1")
    monkeypatch.setattr("results.verdict.load_published", lambda name: {**cells, place: PublishedCell("31.37", "")})
    stand_in = judge({("baseline", 5): 32.0}, datasets=("cifar10-dedup",))
    assert stand_in["baseline", 5].state == "stand-in no std published"
    assert stand_in["all"].summary() == "0 of 1 cells run as in the paper: 1 stand-in no std published"
    found = judge({("baseline", 5): 32.0})
    cell = found["baseline", 5]
    assert (cell.state, cell.z, cell.p, cell.p_equal) == ("no std published", None, None, None)
    assert cell.difference == pytest.approx(0.63)
    assert found["all"].exit_code() == 3


def test_p_at_the_edges():
    assert math.isnan(welch(30, math.nan, 1, 30, 1))
    assert math.isnan(welch(30, 1, 5, math.nan, math.nan))
    assert welch(30, 0, 5, 30, 0) == 1
    assert welch(30, 0, 5, 31, 0) == 0
    assert equivalence(30, 0, 5, 31, 0, 2.0) == 0
    assert equivalence(30, 0, 5, 32, 0, 2.0) == 1


def test_compatible_and_off(judge):
    found = judge({("baseline", 5): 32.0, ("baseline", 50): 55.0})
    assert found["baseline", 5].state == "compatible"
    assert found["baseline", 50].state == "off"
    cell = found["baseline", 50]
    assert (cell.published, cell.published_std, cell.ours, cell.n) == (58.84, 0.82, 55.0, 5)
    assert cell.difference == pytest.approx(55 - 58.84)
    spread = math.sqrt(0.625 / 5 + 0.82**2 / 5)
    assert cell.z == pytest.approx((55 - 58.84) / spread)
    assert cell.p < 0.05


def test_fewer_seeds_than_the_study_are_incomplete(judge):
    assert judge({("baseline", 5): 32.0}, seeds=4)["baseline", 5].state == "incomplete"


def test_asking_for_fewer_seeds_does_not_complete_a_cell(judge, store):
    judge({("baseline", 5): 32.0})
    asked = Selection(datasets=("cifair10",), methods=("baseline",), samples_per_class=(5,), seeds=(0, 1, 2))
    (cell,) = judge_study(load_outline("table1", asked), Stores(store, alone=True).records()).cells
    assert (cell.n, cell.state) == (3, "incomplete")


def test_a_stand_in_is_never_counted_as_reproduced(judge):
    found = judge({("baseline", 5): 32.0, ("baseline", 50): 55.0}, datasets=("cifar10-dedup",))
    assert (found["baseline", 5].state, found["baseline", 50].state) == ("stand-in compatible", "stand-in off")
    assert found["all"].exit_code() == 3


def test_another_preset_and_a_changed_one_are_not_compared(judge):
    assert judge({("baseline", 5): 31.4}, preset="quick")["baseline", 5].state == "other preset"
    changed = judge({("baseline", 5): 31.4}, settings=("protocol.epochs=1",))
    assert changed["baseline", 5].state == "other preset"


def test_what_is_not_run_and_what_nobody_published(judge):
    found = judge({("baseline", 5): 31.4, ("mixup", 5): None, ("mixup(alpha=0.2)", 5): 31.0})
    assert found["mixup", 5].state == "not run"
    assert found["mixup(alpha=0.2)", 5].state == "nothing published"


def test_the_summary_line(judge):
    means = {("baseline", size): mean for size, mean in BASELINE.items()} | {
        ("mixup", 5): None,
        ("baseline", 100): 50.0,
    }
    verdict = judge(means)["all"]
    assert verdict.summary() == "6 of 12 cells run as in the paper: 3 equivalent, 2 compatible, 1 off"
    assert sum(verdict.counts().values()) == 12


def _verdict(*states: str) -> TableVerdict:
    cell = dict.fromkeys(Verdict.__dataclass_fields__, None)
    return TableVerdict("", Scope("paper", True, 5), tuple(Verdict(**cell | {"state": state}) for state in states))


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["equivalent", "compatible"], 0),
        (["compatible", "nothing published"], 0),
        (["compatible", "off", "not run"], 1),
        (["compatible", "not run"], 3),
        (["compatible", "incomplete"], 3),
        (["stand-in compatible"], 3),
        (["stand-in off"], 3),
        (["nothing published"], 3),
        ([], 3),
    ],
)
def test_exit_codes(states, code):
    assert _verdict(*states).exit_code() == code


def test_the_committed_page_is_what_committed_records_give(tmp_path):
    """After a change of records, studies or wording: make reproduction."""
    records = Stores(tmp_path).records()
    studies = [outlines_with_records(name, records) for name in study_names()]
    assert (CHECKOUT / "results" / "REPRODUCTION.md").read_text() == reproduction(studies, records)


def test_a_margin_decides_what_is_equivalent(judge, store):
    """61.17 ± 1.03 is published for Cutout at 50 per class: 0.3 away is within 3 points, and not surely within 1."""
    assert judge({("cutout", 50): 61.47})["cutout", 50].state == "compatible"
    axes = Selection(datasets=("cifair10",), methods=("cutout",), samples_per_class=(50,))
    (cell,) = judge_study(load_outline("table1", axes), Stores(store, alone=True).records(), margin=3.0).cells
    assert (cell.state, cell.margin) == ("equivalent", 3.0)
    assert cell.p_equal < 0.05 < cell.p


def test_coverage_counts_a_published_cell_once(judge, store):
    """Table 6 shows cells of Table 1 again; its own file prints them, so they count by file."""
    judge({("baseline", 5): 32.0, ("baseline", 50): 55.0})
    records = Stores(store, alone=True).records()
    studies = [outlines_with_records(name, records) for name in ("table1", "figure4", "figure5", "table1")]
    found = coverage(studies, records)
    assert (dict(found.found), found.begun, found.stand_ins.total()) == ({"compatible": 1, "off": 1}, 0, 0)
    assert found.total < 198 + 18 + 1
    assert found.sentence().startswith(f"Measured at the papers' preset: 2 of {found.total} published cells")


@pytest.mark.parametrize(("seeds", "words"), [(5, {"compatible": 1}), (2, {"incomplete": 1})])
def test_a_cell_on_a_stand_in_counts_once_though_both_papers_print_it(judge, store, seeds, words):
    found = judge({("baseline", 5): 31.0}, seeds=seeds, datasets=("cifar10-dedup",))
    assert found["baseline", 5].state == f"stand-in {next(iter(words))}"
    records = Stores(store, alone=True).records()
    studies = [outlines_with_records(name, records) for name in ("chimeramix-table1", "table1")]
    counted = coverage(studies, records)
    assert (counted.found.total(), dict(counted.stand_ins), counted.elsewhere) == (0, words, 0)
    begun_first = [outline for outlines in studies for outline in outlines[::-1]]  # as the report has them
    assert headline(begun_first, records, [], datetime.now(UTC)).measured == counted.sentence()


@pytest.mark.parametrize("words", [("equivalent", "off"), ("off", "incomplete"), ("incomplete", "no std published")])
def test_of_two_words_for_a_cell_the_less_favourable_counts(words):
    for first, second in (words, words[::-1]):
        states: dict = {}
        keep_the_less_favourable(states, (), f"stand-in {first}")
        keep_the_less_favourable(states, (), f"stand-in {second}")
        assert states == {(): "stand-in off" if "off" in words else "stand-in incomplete"}


def test_the_margins_stand_below_the_cells(judge):
    found = judge({("baseline", 5): 31.37, ("baseline", 50): 58.84})["all"]
    told = "p equal: that the means differ by less than so many points:"
    assert verdicts_text({"": found}).endswith(f"{told} 2 up to 20 samples per class and 1 above 20 samples per class")
    cells = tuple(replace(cell, margin=9.0) for cell in found.cells)
    by_hand = replace(found, scope=replace(found.scope, margin=9.0), cells=cells)
    assert verdicts_text({"": by_hand}).endswith(f"{told} 9")
    refused = CliRunner().invoke(cli, ["verdict", "--format", "markdown", "--margin", "9"])
    assert isinstance(refused.exception, BadInput) and "--margin" in str(refused.exception)


def test_what_is_left_learns_no_speed_from_runs_beside_other_work(judge, store, make_record):
    judge({("baseline", 5): 31.0}, seeds=2)
    outline = load_outline("table1", Selection(datasets=("cifair10",), methods=("baseline",), samples_per_class=(5,)))
    quiet = open_seconds(outline, Stores(store, alone=True).records())
    assert len(quiet) == 3 and time_of(quiet.values()).endswith("of one process at the speed of those done")
    for path in store.rglob("record.json"):
        record = read_record(path)
        beside = record.model_copy(update={"environment": record.environment.model_copy(update={"nice": 19})})
        write_record(path.parent, beside)
        assert "beside other work (nice 19)" in summary(path)
    busy = open_seconds(outline, Stores(store, alone=True).records())
    assert busy.keys() == quiet.keys() and time_of(busy.values()) == "3 of unknown time"
