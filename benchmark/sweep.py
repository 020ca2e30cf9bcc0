"""The verb `run`: checks before anything starts, the sweep, the summary."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmark.checkout import code_state
from benchmark.estimate import has_gpu
from benchmark.job import Job, doubts, sweep_up_after
from benchmark.plan import Plan
from benchmark.pool import Ended, Pool, Watch
from benchmark.protocol import usable_cores
from benchmark.run import Build, with_needs
from benchmark.track import require_tracker
from datasets.registry import BadInput
from datasets.subset import find_subset
from results.durations import about, parse_duration
from results.files import FAILURE

_ASK_HOURS = 24


@dataclass(frozen=True)
class RunRequest:
    """What the command line asked of a sweep."""

    workers: int = 1
    time_limit: str | None = None
    dry_run: bool = False
    retry: bool = False
    force: bool = False
    fail_fast: bool = False
    keep_weights: bool = False
    deterministic: bool = False
    track: str | None = None
    yes: bool = False


class Screen(NamedTuple):
    """The person in front of a sweep. note: told a line; answer: given what was asked for; progress: gives a watch
    over so many jobs; confirm: asked before a long sweep, raises where the answer is no."""

    note: Callable[[str], None]
    answer: Callable[[str], None]
    progress: Callable[[int], AbstractContextManager[Watch]]
    confirm: Callable[[str], None]


def run_plan(plan: Plan, store: Path, request: RunRequest, screen: Screen) -> int:
    """Runs what the plan leaves to do; returns the exit status: 1 if any run failed, else 0."""
    note = screen.note
    limit = parse_duration(request.time_limit) if request.time_limit else None
    require_workers(request.workers)
    if request.track:
        require_tracker(request.track)
    if not request.dry_run:
        _sweep_up_after(plan, store)
    jobs = plan.jobs(request.retry, request.force)
    hours, guessed = plan.estimate(jobs)
    _announce(plan, request, note)
    if jobs:
        builds = sum(isinstance(job, Build) for job in jobs)
        first = f" after {builds} generators or other artifacts" if builds else ""
        guess = " (a guess: no wall time is recorded)" if guessed else ""
        note(f"{len(jobs) - builds} to run{first}, {about(3600 * hours / request.workers)}{guess}")
    if request.dry_run:
        warn_of_data(jobs, note)
        for job in jobs:
            screen.answer(f"would {'build' if isinstance(job, Build) else 'run'}: {job}")
        return 0
    ended = []
    if jobs:
        require_data(jobs)
        warn(jobs, note)
        _confirm(hours / request.workers, request, screen)
        ended = _sweep(jobs, store, request, time.time() + limit if limit else None, screen)
    return 1 if _still_failed(plan, ended) or plan.counts()["unavailable"] else 0


def _sweep(jobs: list[Job], store: Path, request: RunRequest, deadline: float | None, screen: Screen) -> list[Ended]:
    options = {name: getattr(request, name) for name in ("force", "keep_weights", "deterministic", "track")}
    pool = Pool(store, request.workers, options, deadline, request.fail_fast)
    try:
        with screen.progress(len(jobs)) as watch:
            pool.work(jobs, watch)
    finally:
        _summarise(pool, screen.note)
    return pool.ended


def _sweep_up_after(plan: Plan, store: Path) -> None:
    """Removes what kills left beside the finished runs of a plan and the artifacts that they were made with."""
    done = plan.states["done"]
    builds = {need.key: need for run in done for need in with_needs(run.artifacts)}
    jobs: list[Job] = [*done, *builds.values(), *plan.builds["done"]]
    for job in jobs:
        sweep_up_after(job, store)


def _still_failed(plan: Plan, ended: Iterable[Ended]) -> set[str]:
    """The keys of runs and artifacts that have failed, before or now, and were not done since."""
    failed = {job.key for jobs in (plan.states["failed"], plan.builds["failed"]) for job in jobs}
    for job, state, _ in ended:
        failed.discard(job.key)
        failed |= {job.key} if state == "failed" else set()
    return failed


def require_data(jobs: Sequence[Job]) -> None:
    """Raises DataMissing or DataCorrupt, once, before anything starts."""
    for dataset in dict.fromkeys(job.dataset for job in jobs if not isinstance(job, Build)):
        dataset.check()
    for _, recipe in dict.fromkeys((job.dataset, job.artifact.recipe) for job in jobs if isinstance(job, Build)):
        recipe.require()
    for dataset, size, seed in dict.fromkeys((job.dataset, job.samples_per_class, job.seed) for job in jobs):
        find_subset(dataset, size, seed)


def warn_of_data(jobs: Iterable[Job], note: Callable[[str], None]) -> None:
    """Says which datasets `require_data` would refuse, for a dry run: whether they are prepared, not every subset."""
    for dataset in dict.fromkeys(job.dataset for job in jobs):
        try:
            dataset.check()
        except BadInput as error:
            note(f"warning: {error}")


def warn(jobs: Iterable[Job], note: Callable[[str], None]) -> None:
    """Says once what the records of these jobs will say of their code and images."""
    for warning in [*code_state().warnings(), *doubts(jobs)]:
        note(f"warning: {warning}")


def require_workers(workers: int) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise BadInput(f"workers={workers!r} is no number of processes")
    if workers > usable_cores():
        raise BadInput(f"--workers {workers}: this machine has {usable_cores()} cores")


def _announce(plan: Plan, request: RunRequest, note: Callable[[str], None]) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in plan.counts().items() if count) or "no runs"
    measured = f" ({plan.from_measured} of the done ones in results/measured)" if plan.from_measured else ""
    note(f"{plan.grid.name}, preset {plan.grid.preset}: {counts}{measured}")
    for line in plan.made_otherwise():
        note(f"warning: {line}")
    for reason in plan.missing():
        note(f"unavailable: {reason}")
    if plan.states["failed"] and not request.retry:
        note(f"{len(plan.states['failed'])} failed before: --retry runs them again")


def _confirm(hours: float, request: RunRequest, screen: Screen) -> None:
    if hours > _ASK_HOURS and not request.yes and not has_gpu():
        screen.confirm(f"no GPU here, and this may take {about(3600 * hours)}")


def _summarise(pool: Pool, note: Callable[[str], None]) -> None:
    counts = Counter(end.state for end in pool.ended) + Counter({"not started": len(pool.waiting)})
    note("summary: " + ", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if counts["unfinished"] + counts["not started"]:
        note("the same command goes on from their checkpoints")
    for job, state, message in pool.ended:
        if state == "failed":
            details = pool.store / job.path / FAILURE
            note(f"failed: {job}: {message}" + (f"\n  details: {details}" if details.exists() else ""))
