"""The mean of the seeds' probabilities: what it says, and of what it is made."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from benchmark.cli import cli
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.ensemble import ensembles, join, numbers
from results.files import PREDICTIONS
from results.pairs import Pair, PairedCell
from results.predictions import Predictions
from results.records import write_record

CELL = PairedCell("digits", 5)
LABELS = np.arange(40, dtype=np.int32) % 7


def said(seed: int, kept: bool = True) -> Predictions:
    """40 images of seven classes, with the truth somewhat likelier than the rest."""
    values = np.random.default_rng(seed).dirichlet(np.ones(7), 40)
    values[np.arange(40), LABELS] += 0.3
    values = (values / values.sum(1, keepdims=True)).astype(np.float16)
    return Predictions(LABELS, values.argmax(1).astype(np.int32), values if kept else None)


def test_the_numbers_are_scikit_learn_s_of_the_mean():
    members = [said(seed) for seed in range(3)]
    mean = np.mean([one.probabilities.astype(float) for one in members], axis=0)
    found = numbers(join(members))
    assert found["top1"] == pytest.approx(100 * np.mean(mean.argmax(1) == LABELS))
    assert found["top5"] == pytest.approx(100 * top_k_accuracy_score(LABELS, mean, k=5))
    assert found["balanced"] == pytest.approx(100 * balanced_accuracy_score(LABELS, mean.argmax(1)))
    assert found["loss"] == pytest.approx(log_loss(LABELS, mean / mean.sum(1, keepdims=True)), abs=1e-3)


def test_each_cell_says_its_seeds_and_those_without_probabilities_are_none():
    found = {Pair(CELL, seed): said(seed, kept=seed != 1) for seed in range(4)}
    (made,) = ensembles({"mixup": found, "baseline": {Pair(CELL, 0): said(0, kept=False)}})
    assert (made.method, made.seeds) == ("mixup", (0, 2, 3))
    assert made.single == pytest.approx(np.mean([100 * said(seed).correct.mean() for seed in (0, 2, 3)]))
    assert made.metrics == numbers(join([said(seed) for seed in (0, 2, 3)]))


def test_one_seed_is_itself():
    alone = said(5)
    alone.predicted[0] = (alone.predicted[0] + 1) % 7  # what float16 could not tell apart
    assert np.array_equal(join([alone]).predicted, alone.predicted)


def test_a_probability_of_nothing_has_a_loss():
    values = np.array([[1, 0], [1, 0]], np.float16)
    assert numbers(Predictions(np.array([0, 1], np.int32), np.zeros(2, np.int32), values))["loss"] == pytest.approx(
        -np.log(2.0**-24) / 2
    )


def test_a_file_of_other_test_images_is_named_and_left_out(store, make_record):
    """Another order, another number of classes: nothing in the file itself tells."""
    order = np.arange(40)[::-1]
    for run in load_grid("demo", Selection("demo", ("digits",), ("baseline",), (5,), tuple(range(5)))).runs():
        one = said(run.seed)
        if run.seed == 0:
            one = Predictions(one.labels[order], one.predicted[order], one.probabilities[order])
        if run.seed == 1:
            one = Predictions(one.labels, one.predicted, np.pad(one.probabilities, ((0, 0), (0, 2))))
        made = make_record(run, float(100 * one.correct.mean()))
        whole = made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 40})})
        write_record(store / run.path, whole)
        (store / run.path / PREDICTIONS).write_bytes(one.to_bytes())
    selectors = ["demo", "--results", str(store), "--ignore-measured", "--samples-per-class", "5", "--seeds", "0-4"]
    shown = CliRunner().invoke(cli, ["ensemble", *selectors, "--method", "baseline", "--format", "json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["ensembles"][0]["seeds"] == [2, 3, 4]
    left_out = [line for line in shown.stderr.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 2 and all("not of the test images and classes that most" in line for line in left_out)


def test_the_verb_reads_what_lies_beside_records(store, make_record):
    for run in load_grid("demo", Selection("demo", ("digits",), ("baseline",), (5,), (0, 1))).runs():
        made = make_record(run, float(100 * said(run.seed).correct.mean()))
        write_record(
            store / run.path,
            made.model_copy(update={"metrics": made.metrics.model_copy(update={"test_images": 40})}),
        )
        (store / run.path / PREDICTIONS).write_bytes(said(run.seed).to_bytes())
    selectors = ["demo", "--results", str(store), "--ignore-measured", "--samples-per-class", "5"]
    shown = CliRunner().invoke(cli, ["ensemble", *selectors, "--method", "baseline,mixup"])
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("digits")]
    assert line.split()[:4] == ["digits", "5", "baseline", "2"]
    assert f"{numbers(join([said(0), said(1)]))['top1']:.2f}" in line
    refused = CliRunner().invoke(cli, ["ensemble", *selectors, "--method", "mixup"])
    assert "no record of demo, so selected, has probabilities" in str(refused.exception)
