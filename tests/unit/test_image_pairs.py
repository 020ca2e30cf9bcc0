"""Two methods image by image: against the tests' definitions and plain resampling."""

import json
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.files import PREDICTIONS
from results.image_pairs import compare_images, interval, mcnemar
from results.pairs import Pair, PairedCell
from results.predictions import Predictions
from results.records import write_record

CELL = PairedCell("digits", 5)


def _said(right: np.ndarray) -> Predictions:
    labels = np.arange(len(right), dtype=np.int32) % 3
    return Predictions(labels, np.where(right, labels, (labels + 1) % 3).astype(np.int32), None)


def test_mcnemar_is_the_exact_binomial_test():
    assert mcnemar(1, 9) == pytest.approx(2 * (comb(10, 0) + comb(10, 1)) / 2**10)
    assert mcnemar(5, 5) == mcnemar(0, 0) == 1


def test_the_interval_is_that_of_resampled_images():
    values = np.repeat([1, -1, 0], [30, 10, 160])
    drawn = np.random.default_rng(1).choice(values, (5000, 200)).mean(1) * 100
    assert interval(30, 10, 200) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.6)
    assert interval(30, 10, 200) == interval(30, 10, 200)
    assert interval(0, 0, 200) == (0, 0)


def test_images_that_one_alone_gets_right():
    right = np.arange(60) < 40
    said = {"a": {Pair(CELL, 0): _said(right), Pair(CELL, 1): _said(right)}, "b": {Pair(CELL, 0): _said(right[::-1])}}
    (found,) = compare_images(said)
    assert (found.first, found.second, found.seed, found.first_alone, found.second_alone) == ("a", "b", 0, 20, 20)
    assert found.low < 0 < found.high


@pytest.fixture
def measured(store, make_record):
    """Baseline and MixUp of the demo at two seeds; three predictions of four."""
    for run in load_grid("demo", Selection("demo", ("digits",), ("baseline", "mixup"), (5,), (0, 1))).runs():
        right = np.arange(100) < (75 if run.method.name == "baseline" else 80)
        made = make_record(run, float(100 * right.mean()))
        whole = made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 100})})
        write_record(store / run.path, whole)
        if (run.method.name, run.seed) != ("mixup", 1):
            (store / run.path / PREDICTIONS).write_bytes(_said(right).to_bytes())
    return store


def _compare(store, *more: str):
    words = ["compare", "mixup", "baseline", "--study", "demo", "--seeds", "0-1", "--samples-per-class", "5"]
    return CliRunner().invoke(cli, [*words, "--results", str(store), "--ignore-measured", *more])


def test_compare_shows_them_where_there_are_predictions(measured):
    line = _compare(measured).output.splitlines()[-1].split()
    assert line[2:7] == ["mixup", "baseline", "0", "5", "0"] and line[7] == "0.0625"
    (found,) = json.loads(_compare(measured, "--format", "json").output)["images"]
    assert (found["seed"], found["first_alone"], found["mcnemar_p"]) == (0, 5, 0.0625)


def test_compare_passes_over_predictions_that_are_of_another_record(measured):
    path = next(measured.rglob(f"*mixup*/*/{PREDICTIONS}"), None) or next(measured.rglob(PREDICTIONS))
    path.write_bytes(_said(np.ones(100, bool)).to_bytes())
    answer = _compare(measured)
    assert answer.exit_code == 0 and "not of this record's accuracy" in answer.output
