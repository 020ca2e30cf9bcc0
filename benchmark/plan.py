"""What of a grid is done, failed, running, missing, stale or unavailable, and what the rest will cost."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.estimate import Costs
from benchmark.job import doubts
from benchmark.outlines import PlanSummary
from benchmark.run import Build, Run, with_needs
from benchmark.study import Grid
from datasets.paths import is_file_name, real_path
from datasets.registry import BadInput
from results.artifacts import ARTIFACT
from results.index import Records
from results.records import dataset_id
from results.states import open_state
from results.stores import Stores

STATES = ("done", "failed", "running", "missing", "stale", "unavailable")
BUILD_STATES = ("done", "failed", "running", "missing")


@dataclass
class Plan:
    """The runs of a grid by state, and the artifacts that those which are not done need."""

    grid: Grid
    states: dict[str, list[Run]]
    unavailable: int  # runs of methods that lack something on this machine
    from_measured: int  # of the done ones, how many the committed store holds
    records: Records
    costs: Costs
    stale: list[str] = field(default_factory=list)  # the files of older versions' records
    builds: dict[str, list[Build]] = field(default_factory=lambda: {state: [] for state in BUILD_STATES})

    def counts(self) -> dict[str, int]:
        counts = {state: len(self.states[state]) for state in STATES}
        return counts | {"unavailable": counts["unavailable"] + self.unavailable}

    def missing(self) -> tuple[str, ...]:
        """What keeps runs from being made here, and how to get it."""
        return (*self.grid.missing, *dict.fromkeys(run.missing for run in self.states["unavailable"]))

    def estimate(self, jobs: Iterable[Run | Build]) -> tuple[float, bool]:
        """Hours of one process for `jobs`, and whether some of that rests on no recorded wall time."""
        return self.costs.hours(jobs)

    def summary(self) -> PlanSummary:
        """What people are told of it."""
        jobs = self.jobs()
        hours, guessed = self.estimate(jobs)
        return PlanSummary(
            study=self.grid.name,
            title=self.grid.study.title,
            note=self.grid.study.note,
            preset=self.grid.preset,
            seeds=self.grid.seeds,
            left_out=self.grid.left_out,
            counts=self.counts(),
            from_measured=self.from_measured,
            stale=tuple(self.stale),
            builds=tuple((state, job) for state, jobs in self.builds.items() for job in jobs),
            hours=hours,
            guessed=guessed,
            missing=(*self.missing(), *dict.fromkeys(_lacking(jobs))),
            doubts=(*self.made_otherwise(), *doubts(jobs)),
        )

    def made_otherwise(self) -> list[str]:
        """A line where a person's own preset has records of open runs that were made with other values."""
        if not is_file_name(self.grid.preset):
            return []
        done = {run.key for run in self.states["done"]}
        places = {
            (dataset_id(run.identity["dataset"]), run.samples_per_class, run.row, run.seed)  # type: ignore[arg-type]
            for run in self.grid.runs()
            if run.key not in done
        }
        of_preset = [entry for entry in self.records if entry.preset == self.grid.preset]
        count = sum((e.dataset, e.samples_per_class, e.row, e.seed) in places for e in of_preset)
        told = f"{count} records of {self.grid.preset} were made with other values: it changed since, or --set did"
        return [told] if count else []

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
    """Sorts the grid's runs by state; records: what the stores hold, where it has been read already; its problems get
    what else is left out."""
    records = records or stores.records()
    states: dict[str, list[Run]] = {state: [] for state in STATES}
    for run in grid.runs():
        states[_state(run, records, stores.own)].append(run)
    unavailable = sum(len(grid.seeds) for cell in grid.cells if not cell.available)
    own = str(real_path(stores.own))
    measured = sum(records.by_key[run.key].store != own for run in states["done"])
    plan = Plan(grid, states, unavailable, measured, records, Costs(records, stores.artifacts(records.problems)))
    for job in _unique_builds(run for state in STATES[1:-1] for run in states[state]):
        plan.builds[_build_state(job, stores.own, records.problems)].append(job)
    plan.stale = [str(old.path) for run in states["stale"] for old in records.by_slot[run.slot]]
    return plan


def _lacking(jobs: Iterable[Run | Build]) -> Iterator[str]:
    """What of the images is not here; states and hours are as if it were, since sweeps are planned elsewhere."""
    for dataset in dict.fromkeys(job.dataset for job in jobs):
        try:
            dataset.present()
        except BadInput as error:
            yield str(error)


def _state(run: Run, records: Records, store: Path) -> str:
    if run.key in records.by_key:
        return "done"
    if run.missing:
        return "unavailable"
    if state := open_state(store / run.path, records.problems):
        return state
    return "stale" if records.by_slot and run.slot in records.by_slot else "missing"


def _unique_builds(runs: Iterable[Run]) -> Iterator[Build]:
    """The artifacts that runs need, each once and after those it is made from."""
    return iter({job.key: job for run in runs for job in with_needs(run.artifacts)}.values())


def _build_state(job: Build, store: Path, problems: list[str]) -> str:
    if state := open_state(store / job.path, problems, ARTIFACT):
        return state
    return "done" if os.path.exists(store / job.path / ARTIFACT) else "missing"
