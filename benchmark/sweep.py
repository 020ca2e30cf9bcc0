"""The verb `run`: checks before anything starts, the sweep, the summary."""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmark.estimate import has_gpu
from benchmark.plan import Plan
from benchmark.pool import Job, Sweep
from benchmark.progress import make_progress
from benchmark.protocol import usable_cores
from benchmark.run import Build
from datasets.registry import BadInput
from datasets.subset import find_subset
from results.store import FAILURE

_ASK_HOURS = 24
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Request:
    """What the command line asked of a sweep."""

    workers: int = 1
    time_limit: str | None = None
    dry_run: bool = False
    retry: bool = False
    force: bool = False
    fail_fast: bool = False
    keep_weights: bool = False
    yes: bool = False


def run_plan(plan: Plan, store: Path, request: Request, note: Callable[[str], None]) -> int:
    """Runs what the plan leaves to do; returns the exit status: 1 if any run failed, else 0."""
    limit = parse_duration(request.time_limit) if request.time_limit else None
    require_workers(request.workers)
    jobs = plan.jobs(request.retry, request.force)
    hours, guessed = plan.estimate(jobs)
    _announce(plan, request, note)
    if jobs:
        builds = sum(isinstance(job, Build) for job in jobs)
        first = f" after {builds} generators or other artifacts" if builds else ""
        guess = " (a guess: no wall time is recorded)" if guessed else ""
        note(f"{len(jobs) - builds} to run{first}, about {hours / request.workers:.2f} hours{guess}")
    for job in jobs if request.dry_run else []:
        note(f"would {'build' if isinstance(job, Build) else 'run'}: {job}")
    if jobs and not request.dry_run:
        require_data(jobs)
        _confirm(hours / request.workers, request)
        _sweep(jobs, store, request, time.time() + limit if limit else None, note)
    return 0 if request.dry_run else _status(plan, store, request)


def _sweep(jobs: list[Job], store: Path, request: Request, deadline: float | None, note: Callable[[str], None]) -> None:
    options = {"force": request.force, "keep_weights": request.keep_weights}
    sweep = Sweep(store, request.workers, options, deadline, request.fail_fast)
    try:
        with make_progress(len(jobs)) as watch:
            sweep.work(jobs, watch)
    finally:
        _summarise(sweep, note)


def _status(plan: Plan, store: Path, request: Request) -> int:
    """1 while any selected run, or an artifact it needs, has failed and not been done since, else 0."""
    failed = [run for run in plan.grid.runs() if (store / run.path / FAILURE).exists()]
    unbuilt = any((store / job.path / FAILURE).exists() for jobs in plan.builds.values() for job in jobs)
    return 1 if unbuilt or any(run not in plan.states["done"] for run in failed) else 0


def require_data(jobs: list[Job]) -> None:
    """Raises DataMissing or DataCorrupt, once, before anything starts."""
    for dataset in dict.fromkeys(job.dataset for job in jobs if not isinstance(job, Build)):
        dataset.check()
    for dataset, size, seed in dict.fromkeys((job.dataset, job.samples_per_class, job.seed) for job in jobs):
        find_subset(dataset, size, seed)


def require_workers(workers: int) -> None:
    if workers > usable_cores():
        raise BadInput(f"--workers {workers}: this machine has {usable_cores()} cores")


def parse_duration(text: str) -> float:
    """Seconds of 90s, 9m or 2h; raises BadInput otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match:
        raise BadInput(f"--time-limit {text}: expected a number and a unit, like 90s, 9m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def _announce(plan: Plan, request: Request, note: Callable[[str], None]) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in plan.counts().items() if count) or "no runs"
    measured = f" ({plan.from_measured} of the done ones in results/measured)" if plan.from_measured else ""
    note(f"{plan.grid.name}, preset {plan.grid.preset}: {counts}{measured}")
    if plan.states["failed"] and not request.retry:
        note(f"{len(plan.states['failed'])} failed before: --retry runs them again")


def _confirm(hours: float, request: Request) -> None:
    if hours > _ASK_HOURS and not request.yes and not has_gpu():
        if not sys.stdin.isatty():
            raise BadInput(f"no GPU here, and this may take {hours:.0f} hours: narrow it, or add --yes")
        click.confirm(f"No GPU here; this may take {hours:.0f} hours. Start?", abort=True, err=True)


def _summarise(sweep: Sweep, note: Callable[[str], None]) -> None:
    counts = Counter(end.state for end in sweep.ended) + Counter({"not started": len(sweep.waiting)})
    note("summary: " + ", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if counts["unfinished"] + counts["not started"]:
        note("the same command goes on from their checkpoints")
    for job, state, message in sweep.ended:
        if state == "failed":
            note(f"failed: {job}: {message}\n  details: {sweep.store / job.path / FAILURE}")
