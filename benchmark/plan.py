"""What of a grid is done, failed, running, missing, stale or unavailable, and what the rest will cost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.estimate import Costs
from benchmark.locks import is_running
from benchmark.run import Build, Run
from benchmark.stores import Stores
from benchmark.study import Grid
from results.artifacts import ARTIFACT
from results.index import Records
from results.store import FAILURE, RECORD

__all__ = ["BUILD_STATES", "STATES", "Plan", "Stores", "make_plan", "with_needs"]

STATES = ("done", "failed", "running", "missing", "stale", "unavailable")
BUILD___all__ = ["BUILD_STATES", "STATES", "Plan", "Stores", "make_plan", "with_needs"]

BUILD_STATES = ("done", "failed", "running", "missing")


@dataclass
class Plan:
    """The runs of a grid by state. from_measured: how many of the done ones the committed store holds.

    stale: the files of older versions' records. builds: by state (done, failed, running, missing), the artifacts
    that the runs which are not done need.
    """

    grid: Grid
    states: dict[str, list[Run]]
    unavailable: int
    from_measured: int
    records: Records
    costs: Costs
    stale: list[str] = field(default_factory=list)
    builds: dict[str, list[Build]] = field(default_factory=lambda: {state: [] for state in BUILD_STATES})

    def counts(self) -> dict[str, int]:
        return {state: len(self.states[state]) for state in STATES[:-1]} | {"unavailable": self.unavailable}

    def estimate(self, jobs: Iterable[Run | Build]) -> tuple[float, bool]:
        """Hours of one process for `jobs`, and whether some of that rests on no recorded wall time."""
        return self.costs.hours(jobs)

    def jobs(self, retry: bool = False, force: bool = False) -> list[Run | Build]:
        """What `run` starts: the runs of `to_run`, each artifact before the first of them that needs it.

        An artifact that failed is left as it is without `retry`; its runs then fail and name it.
        """
        wanted = ["missing", "running"] + ["failed"] * (retry or force)
        open_builds = {job.key for state in wanted for job in self.builds[state]}
        jobs: dict[str, Run | Build] = {}
        for run in self.to_run(retry, force):
            jobs |= {job.key: job for job in with_needs(run.artifacts) if job.key in open_builds}
            jobs[run.key] = run
        return list(jobs.values())

    def to_run(self, retry: bool = False, force: bool = False) -> list[Run]:
        """The runs that `run` starts, whole seeds first, so that an interrupted sweep has complete ones."""
        wanted = ["missing", "stale", "running"] + ["failed"] * (retry or force) + ["done"] * force
        chosen = {run.key for state in wanted for run in self.states[state]}
        return sorted(
            (run for run in self.grid.runs() if run.key in chosen), key=lambda run: self.grid.seeds.index(run.seed)
        )


def make_plan(grid: Grid, stores: Stores, records: Records | None = None) -> Plan:
    """Sorts the grid's runs by state; records: what the stores hold, where it has been read already."""
    records = records or stores.records()
    states: dict[str, list[Run]] = {state: [] for state in STATES}
    for run in grid.runs():
        states[_state(run, records, stores.own)].append(run)
    unavailable = sum(len(grid.seeds) for cell in grid.cells if not cell.available)
    own = str(stores.own.resolve())
    measured = sum(records.by_key[run.key].store != own for run in states["done"])
    plan = Plan(grid, states, unavailable, measured, records, Costs(records, stores.artifacts()))
    for job in _unique_builds(run for state in STATES[1:] for run in states[state]):
        plan.builds[_build_state(job, stores.own)].append(job)
    plan.stale = [str(old.path) for run in states["stale"] for old in records.by_slot[run.slot]]
    return plan


def _state(run: Run, records: Records, store: Path) -> str:
    if run.key in records.by_key:
        return "done"
    folder = store / run.path
    if is_running(folder):
        return "running"
    if (folder / FAILURE).exists() and not (folder / RECORD).exists():
        return "failed"
    return "stale" if records.by_slot and run.slot in records.by_slot else "missing"


def _unique_builds(runs: Iterable[Run]) -> Iterator[Build]:
    """The artifacts that runs need, each once and after those it is made from."""
    return iter({job.key: job for run in runs for job in with_needs(run.artifacts)}.values())


def with_needs(jobs: Iterable[Build]) -> Iterator[Build]:
    """Builds, each after those it needs; one can come more than once."""
    for job in jobs:
        yield from with_needs(job.artifacts)
        yield job


def _build_state(job: Build, store: Path) -> str:
    folder = store / job.path
    if is_running(folder):
        return "running"
    if (folder / ARTIFACT).exists():
        return "done"
    return "failed" if (folder / FAILURE).exists() else "missing"
