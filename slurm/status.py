"""The verb `status`: plan, records and the executor's queue in one table."""

import datetime
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmark.estimate import Costs
from benchmark.plan import Plan, make_plan
from benchmark.run import Build, Run
from benchmark.study import Grid
from results.durations import about
from results.escape import one_line
from results.locks import read_holder
from results.states import read_progress
from results.stores import Stores
from slurm.queues import Queue, Standing, failed_since, find_standing, keys_of

STATES = ("done", "running", "queued", "failed", "missing", "stale")
_SHORT = {"running": "r", "queued": "q", "failed": "f", "missing": "-", "stale": "s"}
_SILENT_SECONDS = 60.0  # three heartbeats of a lock
_EVERY_SECONDS = 5.0
_REASONS = 5  # at most as many different ones are told


def _ended(state: str) -> str:
    return "is over, nobody knows how" if state == "UNKNOWN" else f"ended {state}"


@dataclass
class Status:
    """How a study stands. runs: the state of every run by key; builds: of the artifacts that open runs need.

    seconds_left: of work in jobs that are queued or running, divided among those at work; None where nothing
    is at work. silent: runs that say they run, but whose process has not given a sign of life.
    """

    plan: Plan
    standing: Standing
    runs: dict[str, str]
    builds: Counter[str]
    hours_used: float
    hours_of: str
    seconds_left: float | None
    silent: list[str] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        return Counter(self.runs.values())

    def cells(self) -> dict[tuple[str, str], dict[int, Counter[str]]]:
        """Runs by state, for every dataset and method, by size."""
        table: dict[tuple[str, str], dict[int, Counter[str]]] = {}
        for run in self.plan.grid.runs():
            row = table.setdefault((run.dataset.text, run.row), {})
            row.setdefault(run.samples_per_class, Counter())[self.runs[run.key]] += 1
        return table

    def notes(self) -> list[str]:
        """What a person should know that no count says."""
        lines = [f"left out: {problem}" for problem in self.standing.problems]
        lines += [text for text in (self.standing.queue.problem, self.standing.queue.hint) if text]
        waiting = {place.job.id: place.job for place in self.standing.held.values() if place.job.state == "PENDING"}
        reasons = Counter(job.reason for job in waiting.values() if job.reason not in ("", "None"))
        lines += [f"{n} jobs wait, Slurm says: {reason}" for reason, n in reasons.most_common(_REASONS)]
        lines += [f"no sign of life: {text}" for text in self.silent[:5]]
        lost = [key for key, state in self.runs.items() if state == "missing" and key in self.standing.last]
        ends = Counter(self.standing.last[key].job.state for key in lost)
        lines += [f"{n} runs are missing whose job {_ended(end)}: submit again" for end, n in ends.items()]
        return [one_line(line) for line in lines]


def find_status(grid: Grid, stores: Stores, earlier: Queue | None = None) -> Status:
    """Reads the stores and asks the executors; earlier: what they said last time, for when they do not answer."""
    plan = make_plan(grid, stores)
    standing = find_standing(stores.own, keys_of(grid.runs()), earlier)
    runs = {run.key: state_of(run, found, standing, stores.own) for found, jobs in plan.states.items() for run in jobs}
    builds = Counter(state_of(job, found, standing, stores.own) for found, jobs in plan.builds.items() for job in jobs)
    hours, of = _hours_used(plan, standing)
    left = _seconds_left(plan, stores, standing, runs)
    silent = [text for run in plan.states["running"] if (text := _silence(run, stores.own))]
    return Status(plan, standing, runs, builds, hours, of, left, silent)


def state_of(job: Run | Build, found: str, standing: Standing, store: Path) -> str:
    """A job's state, given what the plan found in the store: what is not there may be queued."""
    place = standing.held.get(job.key)
    if found in ("done", "running") or place is None:
        return found
    return "failed" if failed_since(store / job.path, job.key, place) else "queued"


def _silence(run: Run, store: Path) -> str | None:
    holder = read_holder(store / run.path / "lock")
    if holder is None or holder["age"] < _SILENT_SECONDS:
        return None
    return f"{run} on {holder['host']} for {holder['age']:.0f} s (another process may take over after 300 s)"


def _hours_used(plan: Plan, standing: Standing) -> tuple[float, str]:
    """Hours and what they are of: Slurm's accounting where it knows of GPUs, else the records' own times."""
    accounted = sum(job.gpu_seconds for job in standing.queue.jobs.values())
    if accounted:
        return accounted / 3600, "of GPUs by Slurm's accounting"
    records = [plan.records.by_key[run.key] for run in plan.states["done"]]
    return sum(r.train_seconds + r.eval_seconds for r in records) / 3600, "in the records"


def _seconds_left(plan: Plan, stores: Stores, standing: Standing, runs: dict[str, str]) -> float | None:
    working = {place.job.id: place.submission for place in standing.held.values() if place.job.running}
    side_by_side = sum(submission.runs_per_gpu for submission in working.values())
    if not side_by_side:
        return None
    device = next(iter(working.values())).device
    costs = Costs(plan.records, stores.artifacts([]), device)
    jobs: list[Run | Build] = [run for run in plan.grid.runs() if runs[run.key] in ("queued", "running")]
    jobs += [job for builds in plan.builds.values() for job in builds if job.key in standing.held]
    work = sum(costs.seconds(job)[0] * (1 - _share_done(job, stores.own)) for job in jobs)
    return work / side_by_side


def _share_done(job: Run | Build, store: Path) -> float:
    progress = read_progress(store / job.path)
    return progress.share if progress else 0.0


def show(grid: Grid, stores: Stores, form: str) -> None:
    """Prints the status once, as text or JSON."""
    status = find_status(grid, stores)
    for problem in status.plan.records.problems:
        click.echo(f"left out: {one_line(problem)}", file=sys.stderr)
    if form == "json":
        click.echo(json.dumps(as_json(status), indent=1, ensure_ascii=False))
    else:
        Console().print(render(status))


def as_json(status: Status) -> dict[str, object]:
    counts = {state: status.counts()[state] for state in STATES}
    left = None if status.seconds_left is None else round(status.seconds_left)
    return {
        "study": status.plan.grid.name,
        "preset": status.plan.grid.preset,
        **counts,
        "unavailable": status.plan.unavailable,
        "artifacts": dict(status.builds),
        "hours_used": round(status.hours_used, 4),
        "seconds_left": left,
        "notes": status.notes(),
        "runs": status.runs,
    }


def render(status: Status) -> Group:
    """A table of methods by sizes, and below it the totals."""
    cells = status.cells()
    sizes = sorted({size for row in cells.values() for size in row})
    table = Table("dataset", "method", *map(str, sizes), box=None, pad_edge=False)
    for (dataset, method), row in cells.items():
        table.add_row(
            Text(one_line(dataset)),
            Text(one_line(method)),
            *(_cell(row[size]) if size in row else "" for size in sizes),
        )
    return Group(table, Text("\n".join(["", *_totals(status), *status.notes()])))


def _cell(counts: Counter[str]) -> str:
    others = " ".join(f"{counts[state]}{letter}" for state, letter in _SHORT.items() if counts[state])
    return f"{counts['done']}/{counts.total()} {others}".strip()


def _totals(status: Status) -> list[str]:
    counts = status.counts()
    letters = {state: f" ({letter})" for state, letter in _SHORT.items()}
    lines = ["runs: " + ", ".join(f"{counts[state]} {state}{letters.get(state, '')}" for state in STATES)]
    if status.plan.unavailable:
        lines[0] += f", {status.plan.unavailable} unavailable"
    if status.builds:
        lines.append("artifacts: " + ", ".join(f"{count} {state}" for state, count in status.builds.items()))
    used = f"{about(3600 * status.hours_used)} {status.hours_of}"
    if status.seconds_left is None:
        return [*lines, used]
    end = datetime.datetime.now() + datetime.timedelta(seconds=status.seconds_left)
    return [*lines, f"{used}; {about(status.seconds_left)} left, until {end:%a %H:%M}"]


def watch_status(grid: Grid, stores: Stores) -> None:
    """Shows the status again and again, until nothing is queued or running."""
    console, queue = Console(), None
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            status = find_status(grid, stores, queue)
            queue = status.standing.queue
            if console.is_terminal:
                live.update(render(status), refresh=True)
            else:
                console.print(
                    f"{datetime.datetime.now():%H:%M:%S} " + "; ".join([*_totals(status), *status.notes()]),
                    markup=False,
                )
            if not status.standing.queue.live() and not status.counts()["running"]:
                return
            time.sleep(_EVERY_SECONDS)
