"""The harness of `make chaos` for two kills, and that it sees what it looks for."""

import shutil
from collections import Counter

import chaos
import pytest

from benchmark.execute import execute
from results.records import write_record


@pytest.fixture
def two_runs(store, make_run):
    runs = [make_run(seed=seed) for seed in (0, 1)]
    for run in runs:
        assert execute(run, store).state == "done"
    return runs


def test_the_harness_sees_what_is_lost_doubled_differing_and_left(store, two_runs):
    undisturbed, tally = chaos.results(store), chaos.Tally()
    chaos.compare(store, undisturbed, tally)
    assert (tally.compared, tally.faults.total()) == (2, 0)
    first, second = (store / run.path for run in two_runs)
    (first / "checkpoint.pt").touch()
    record = next(entry.record() for entry in chaos.load_records([store]) if entry.seed == 0)
    write_record(first, record.model_copy(update={"weights_sha256": "0" * 64}))
    shutil.copytree(second, second.parents[1] / "elsewhere" / second.name)  # whose key counts for neither
    chaos.compare(store, undisturbed | {"another": "key"}, tally)
    assert +tally.faults == Counter(left=1, differing=1, doubled=1, lost=2)


def test_a_sweep_that_is_killed_twice_leaves_what_an_undisturbed_one_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(chaos, "METHODS", ("baseline",))
    tally = chaos.chaos(tmp_path, kills=2, seed=0)
    assert tally.rounds >= 1
    assert tally.kills.total() >= 2
    assert tally.faults.total() == 0, tally
