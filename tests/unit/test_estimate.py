"""First guesses, where no wall time is recorded, against the wall times of results/measured."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest
import torch

from benchmark.estimate import GUESSED, Costs
from benchmark.run import Build, Run, with_needs
from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.registry import BadInput
from methods.flops import Work, count
from results.durations import about, parse_duration
from results.records import read_record
from results.stores import MEASURED, Stores


class Compared(NamedTuple):
    kind: str
    guessed: float
    recorded: float


@pytest.fixture(scope="module")
def half_precision() -> Iterator[None]:
    """A CPU with bf16, as the records were made on, whatever this one has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.estimate._slower", lambda device: 1.0)
        yield


@pytest.fixture(scope="module")
def compared(half_precision) -> list[Compared]:
    """Of every record that was not made at low priority, seconds as guessed on the machine's kind and as recorded."""
    found = list(_runs())
    jobs = [job for job, _ in found]
    return [*_compare(found), *_compare(_builds(jobs))]


def _runs() -> Iterator[tuple[Run, float]]:
    read = [read_record(path) for path in sorted(MEASURED.glob("quick/*/*/*/*/record.json"))]
    records = {record.key: record for record in read if record.environment.nice <= 0}
    assert {record.environment.precision for record in records.values()} == {"bf16"}
    for dataset in {record.run["dataset"]["name"] for record in records.values()}:
        rows = {record.row for record in records.values() if record.run["dataset"]["name"] == dataset}
        selection = Selection("quick", (dataset,), tuple(sorted(rows)), (5, 50), (0, 1, 2))
        for run in load_grid("table1", selection).runs():
            if record := records.pop(run.key, None):
                yield run, record.train_seconds + record.eval_seconds
    assert not records


def _builds(runs: Iterable[Run]) -> Iterator[tuple[Build, float]]:
    builds = {build.key: build for run in runs for build in with_needs(run.artifacts)}
    for record in Stores(MEASURED, alone=True).artifacts([]):
        if record.key in builds and record.environment.nice <= 0:
            yield builds[record.key], record.train_seconds


def _compare(found: Iterable[tuple[Run | Build, float]]) -> Iterator[Compared]:
    costs = Costs([], [], "cpu")
    for job, recorded in found:
        name = job.artifact.recipe.name if isinstance(job, Build) else f"{job.protocol.network} {job.method.name}"
        guessed, is_guess = costs.seconds(job)
        assert is_guess
        yield Compared(name, guessed, recorded)


def test_a_guess_is_within_a_factor_of_2_of_the_fastest_record_of_its_kind(compared):
    """Kinds of runs are networks and methods. Other work makes a record slower, up to 14 times as these show, never
    faster."""
    kinds: dict[str, float] = {}
    for kind, guessed, recorded in compared:
        kinds[kind] = max(kinds.get(kind, 0), guessed / recorded)
    assert len(kinds) > 15
    assert {kind: ratio for kind, ratio in kinds.items() if not 0.5 < ratio < 2} == {}


def test_all_guesses_together_are_within_a_factor_of_2_of_what_is_recorded(compared):
    guessed, recorded = (sum(getattr(each, name) for each in compared) for name in ("guessed", "recorded"))
    assert 0.5 < guessed / recorded < 2


@pytest.mark.usefixtures("half_precision")
def test_a_baseline_of_the_paper_preset_takes_what_docs_speed_says(monkeypatch):
    monkeypatch.setattr("benchmark.protocol.usable_cores", lambda: 2)
    selection = Selection("paper", ("cifar10-dedup",), ("baseline",), (5,), (0,))
    (run,) = load_grid("table1", selection).runs()
    assert 4.7 / 2 < Costs([], [], "cpu").hours([run])[0] < 2 * 4.7


def test_a_step_on_a_gpu_takes_its_operators_however_small_they_are(make_run):
    run = make_run("baseline", size=5, batch_size=10, epochs=4)
    assert run.steps == 20
    seconds, _ = Costs([], [], "cuda").seconds(run)
    assert 60 < seconds / run.steps * GUESSED["cuda"].operators < 90  # those of a wrn-10-1, forward and backward


def test_work_is_counted_and_added_up():
    product = count(lambda a, b: (a @ b).T, lambda: torch.ones(3, 4), lambda: torch.ones(4, 5))
    assert product == Work(flops=120, written=4 * 15, operators=1)
    assert (product + Work(seconds=2)) * 2 == Work(240, 120, 2, 4)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (29, "less than a minute"),
        (31, "about 1 min"),
        (59 * 60, "about 59 min"),
        (61 * 60, "about 1 h"),
        (16840, "about 4 h 40 min"),
        (9.9 * 3600, "about 9 h 50 min"),
        (9.99 * 3600, "about 10 h"),
        (31.4 * 3600, "about 31 h"),
        (72 * 3600, "about 3 days"),
        (40_000 * 3600, "about 1,667 days"),
    ],
)
def test_a_duration_is_as_precise_as_an_estimate(seconds, text):
    assert about(seconds) == text


def test_a_duration_is_a_number_and_a_unit():
    assert [parse_duration(text) for text in ("90s", "1.5m", " 2h ")] == [90, 90, 7200]
    for text in ("90", "2 h", "-1h", "1d"):
        with pytest.raises(BadInput, match="like 90s, 9m or 2h"):
            parse_duration(text)
