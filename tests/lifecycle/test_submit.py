"""The verb `submit` without a cluster: dry runs, refusals, and what is packed into what."""

import re

import pytest


@pytest.fixture
def submit(hydrabench, store):
    def call(*arguments: str, **more):
        words = ["--results", str(store), "--ignore-measured"]
        return hydrabench("submit", *arguments, *words, **more)

    return call


def test_a_dry_run_needs_neither_data_nor_cluster_and_leaves_nothing(submit, store, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", "/nowhere")
    answer = submit("table1", "--profile", "slurm-example", "--dry-run", "--method", "baseline,mixup")
    assert answer.returncode == 0, answer.stderr
    assert "warning: cifair10:" in answer.stderr
    assert "(a guess: no wall time is recorded for some of it)" in answer.stderr
    assert answer.stdout.count("#!/bin/bash") == 1
    assert re.search(r"# <job 1>: runs, 180 in \d+ jobs", answer.stdout)
    assert not store.exists()


def test_a_real_submit_refuses_without_data_and_without_anyone_to_confirm(submit, store, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", "/nowhere")
    refused = submit("table1", "--profile", "slurm-example", "--yes", "--method", "baseline")
    assert (refused.returncode, "data prepare" in refused.stderr) == (2, True)
    alone = submit("demo", "--profile", "slurm-example", "--seeds", "0", stdin=-3)
    assert (alone.returncode, "add --yes" in alone.stderr) == (2, True)
    assert not list(store.rglob("submission.json"))


def test_max_hours_sends_the_first_runs_that_fit(submit):
    words = ("table1", "--method", "baseline", "--profile", "slurm-example", "--dry-run")
    runs, hours = sent(submit(*words).stdout)
    fewer, less = sent(submit(*words, "--max-hours", str(hours / 2)).stdout)
    assert runs == 90
    assert 0 < fewer < runs
    assert hours / 4 < less <= hours / 2
    assert "nothing to submit" in submit(*words, "--max-hours", "1e-9").stderr


def sent(scripts: str) -> tuple[int, float]:
    """Runs and hours in the heading of the only script."""
    ((runs, hours),) = re.findall(r"# <job 1>: runs, (\d+) in \d+ jobs, about (\d+) h", scripts)
    return int(runs), int(hours)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo"], "Missing option '--profile'"),
        (["demo", "--profile", "slurm-exmple"], "did you mean slurm-example"),
        (["dmo", "--profile", "debug"], "did you mean demo"),
        (["demo", "--profile", "debug", "--max-hours", "0"], "Invalid value for '--max-hours'"),
    ],
)
def test_bad_input_is_one_line(submit, arguments, message):
    answer = submit(*arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
