"""Plans: every run in exactly one state, and an estimate from recorded wall times."""

import pytest
from click.testing import CliRunner

from benchmark import estimate
from benchmark.cli import cli
from benchmark.estimate import Costs
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.study import load_grid
from methods.cutout import Cutout
from results.files import FAILURE, write_json
from results.index import load_records
from results.locks import Lock
from results.records import write_record
from results.stores import Stores


@pytest.fixture
def grid(monkeypatch):
    """Two methods, and a third that is known by name alone."""
    monkeypatch.setattr(Cutout, "available", False)
    return load_grid("demo", Selection(methods=("baseline", "mixup", "cutout"), samples_per_class=(5,)))


def test_the_states_of_all_runs(store, grid, make_record, monkeypatch):
    runs = list(grid.runs())
    write_record(store / runs[0].path, make_record(runs[0], 50))
    write_json(store / runs[1].path / FAILURE, {})
    with Lock(store / runs[2].path):
        found = make_plan(grid, Stores(store, alone=True))
    assert found.counts() == {"done": 1, "failed": 1, "running": 1, "missing": 3, "stale": 0, "unavailable": 3}
    assert [run.key for run in found.to_run()] == [run.key for run in (*runs[3:4], *runs[4:5], runs[2], runs[5])]
    assert runs[1] in found.to_run(retry=True)
    assert runs[0] in found.to_run(force=True)


def test_an_older_version_is_stale_listed_and_run_again(store, grid, make_record, monkeypatch):
    old = list(grid.runs())[3]
    write_record(store / old.path, make_record(old, 50))
    monkeypatch.setattr(type(old.method), "version", 2)
    fresh = load_grid("demo", Selection(methods=("mixup",), samples_per_class=(5,)))
    found = make_plan(fresh, Stores(store, alone=True))
    assert found.counts()["stale"] == 1
    assert str(store / old.path) in found.stale[0]
    assert len(found.to_run()) == 3


def test_measured_records_count_as_done_unless_ignored(store, tmp_path, grid, make_record, monkeypatch):
    measured = tmp_path / "measured"
    monkeypatch.setattr("results.stores.MEASURED", measured)
    for run in list(grid.runs())[:2]:
        write_record(measured / run.path, make_record(run, 50))
    found = make_plan(grid, Stores(store))
    assert (found.counts()["done"], found.from_measured) == (2, 2)
    assert make_plan(grid, Stores(store, alone=True)).counts()["done"] == 0


def test_estimates_come_from_recorded_wall_times_of_this_kind_of_device(store, grid, make_record, monkeypatch):
    monkeypatch.setattr(estimate, "has_gpu", lambda: False)
    runs = list(grid.runs())
    _, guessed = Costs([], []).hours(runs)
    assert guessed
    write_record(store / runs[0].path, make_record(runs[0], 50))  # 11 s for 1,000 images
    hours, guessed = Costs(load_records([store]), []).hours(runs)
    images = sum(run.protocol.epochs * run.samples_per_class * 10 * run.protocol.repeats(5) for run in runs)
    assert not guessed
    assert hours == pytest.approx(images * 11 / 1000 / 3600)
    monkeypatch.setattr(estimate, "has_gpu", lambda: True)
    assert Costs(load_records([store]), []).hours(runs)[1]


def test_what_was_made_beside_other_work_says_nothing_about_speed(store, grid, make_record):
    run = next(iter(grid.runs()))
    record = make_record(run, 50)
    beside = record.model_copy(update={"environment": record.environment.model_copy(update={"nice": 19})})
    write_record(store / run.path, beside)
    assert Costs(load_records([store]), [], "cpu").hours([run])[1]
    write_record(store / run.path, record)
    assert not Costs(load_records([store]), [], "cpu").hours([run])[1]


def test_a_plan_says_what_images_are_not_here_and_what_cannot_be_run_at_all(monkeypatch, tmp_path, store):
    for name in ("DATA_ROOT", "WEIGHTS_ROOT"):
        monkeypatch.setenv(name, str(tmp_path))
    names = ("table3", "figure3")
    told = {name: CliRunner().invoke(cli, ["plan", name, "--results", str(store)]).stdout for name in names}
    assert "20 missing" in told["table3"] and "unavailable: imagenet: there is no" in told["table3"]
    assert "40 unavailable" in told["figure3"] and told["figure3"].endswith("nothing of it can be run here\n")
