"""The verb `submit`: what is missing of a study, packed into jobs and handed to an executor."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.checkout import code_state
from benchmark.estimate import Costs
from benchmark.job import Job
from benchmark.plan import Plan, make_plan
from benchmark.run import Build
from benchmark.study import Grid
from benchmark.sweep import require_data, warn, warn_of_data
from benchmark.track import require_tracker
from datasets.registry import BadInput
from results.durations import about
from results.locks import Lock, LockHeld
from results.states import read_failure
from results.stores import Stores
from slurm.packing import Arrangement, Array, Pack, spread
from slurm.profiles import Profile
from slurm.queues import Standing, failed_since, find_standing, keys_of, max_array_size
from slurm.submissions import FOLDER, SentArray, Submission, folder_of, new_id, save

if TYPE_CHECKING:
    from slurm.work import Order

Note = Callable[[str], None]
Estimates = Mapping[str, tuple[float, bool]]  # by key: seconds, and whether they are a guess


@dataclass(frozen=True)
class SubmitRequest:
    """What the command line asked of `submit`. max_hours: of estimated work of one process."""

    profile: str
    dry_run: bool = False
    retry: bool = False
    max_hours: float | None = None
    deterministic: bool = False
    track: str | None = None
    yes: bool = False


@dataclass
class Draft:
    """What would be sent: `jobs` in the order in which they start, packed into `arrays`.

    guessed: whether some of the estimated times rest on no recorded wall time.
    """

    plan: Plan
    standing: Standing
    profile: Profile
    jobs: list[Job]
    arrays: list[Array]
    guessed: bool
    submission: Submission
    request: SubmitRequest

    @property
    def seconds(self) -> float:
        """Estimated, of all jobs one after the other."""
        return sum(pack.seconds for array in self.arrays for pack in array.packs)


def submit(grid: Grid, stores: Stores, profile: Profile, request: SubmitRequest, note: Note) -> None:
    """Sends what is missing of a grid, and nothing that is queued already; a dry run prints the scripts instead."""
    _require_plain(stores.own)
    if request.track:
        require_tracker(request.track)
    if request.dry_run:
        draft = make_draft(make_plan(grid, stores), stores, profile, request)
        announce(draft, note)
        warn_of_data(draft.jobs, note)
        for text in scripts(draft, stores.own):
            click.echo(text)
        return
    try:
        with Lock(stores.own / FOLDER):  # two submits at once would send everything twice
            draft = make_draft(make_plan(grid, stores), stores, profile, request)
            announce(draft, note)
            if draft.jobs:
                _require_answer(draft)
                require_data(draft.jobs)
                _confirm(draft, request)
                send_all(draft, stores.own, note)
    except LockHeld as error:
        raise BadInput(f"another submit is at work: {error}") from error


def _require_plain(store: Path) -> None:
    """Raises BadInput for a path in which Slurm or submitit would read something else, like a job's id in %j."""
    odd = next((character for character in str(store) if character in "%\\" or not character.isprintable()), None)
    if odd is not None:
        raise BadInput(f"{store}: jobs cannot write into a path with {odd!r}; give --results another folder")


def make_draft(plan: Plan, stores: Stores, profile: Profile, request: SubmitRequest) -> Draft:
    """Leaves out what is done, queued or running, and packs the rest."""
    open_runs = [run for state, runs in plan.states.items() if state != "done" for run in runs]
    standing = find_standing(stores.own, keys_of(open_runs))
    device = "cuda" if profile.gres else "cpu"
    flops = profile.tflops * 1e12 if profile.tflops else None
    costs = Costs(plan.records, stores.artifacts([]), device, flops)
    jobs = _to_send(plan, standing, stores.own, request.retry)
    estimates = {job.key: costs.seconds(job) for job in jobs}
    jobs = _within(jobs, estimates, request.max_hours)
    arrays = _arrange(jobs, profile, estimates, standing)
    sent = [SentArray(array.kind, [[job.key for job in pack.jobs] for pack in array.packs]) for array in arrays]
    code = code_state()
    head = (new_id(), plan.grid.name, request.profile, profile.executor, profile.runs_per_gpu, device)
    submission = Submission(*head, code.commit, code.dirty, sent, _failures(plan, jobs, stores.own))
    return Draft(
        plan,
        standing,
        profile,
        jobs,
        arrays,
        any(estimates[job.key][1] for job in jobs),
        submission,
        request,
    )


def _failures(plan: Plan, jobs: list[Job], store: Path) -> dict[str, str]:
    """When the jobs that are tried again had failed, by key."""
    failed = {job.key for found in (plan.states["failed"], plan.builds["failed"]) for job in found}
    found = ((job.key, read_failure(store / job.path)) for job in jobs if job.key in failed)
    return {key: failure.failed for key, failure in found if failure}


def _to_send(plan: Plan, standing: Standing, store: Path, retry: bool) -> list[Job]:
    running = {job.key for jobs in (plan.states["running"], plan.builds["running"]) for job in jobs}
    jobs = [job for job in plan.jobs(retry) if job.key not in running]
    return [job for job in jobs if not _is_held(job, standing, store)]


def _is_held(job: Job, standing: Standing, store: Path) -> bool:
    """Whether a live job will still do it: one in which it has failed will not."""
    place = standing.held.get(job.key)
    return place is not None and not failed_since(store / job.path, job.key, place)


def _within(jobs: list[Job], estimates: Estimates, hours: float | None) -> list[Job]:
    """The first jobs that fit into a number of hours."""
    if hours is None:
        return jobs
    total, fitting = 0.0, []
    for job in jobs:
        total += estimates[job.key][0] / 3600
        if total > hours:
            break
        fitting.append(job)
    return fitting


def _arrange(jobs: Sequence[Job], profile: Profile, estimates: Estimates, standing: Standing) -> list[Array]:
    def seconds(job: Job) -> float:
        return estimates[job.key][0]

    builds = [job for job in jobs if isinstance(job, Build)]
    runs = [job for job in jobs if not isinstance(job, Build)]
    if profile.executor != "slurm":  # a run waits by itself for an artifact that another process builds
        packs = spread([*builds, *runs], seconds, profile.processes)
        return [Array("jobs", (pack,)) for pack in packs]
    limit = profile.job_minutes * 60 * profile.runs_per_gpu
    queued = {key: place.job.id for key, place in standing.held.items()}
    return Arrangement(seconds, limit, max_array_size(), queued).arrays(builds, runs)


def announce(draft: Draft, note: Note) -> None:
    """Says how the study stands, what would be sent, at what cost, and what to be wary of."""
    plan, standing = draft.plan, draft.standing
    queued = sum(run.key in standing.held for run in plan.states["missing"] + plan.states["stale"])
    counts = plan.counts() | {"queued": queued}
    counts["missing"] -= queued
    note(f"{plan.grid.name}, preset {plan.grid.preset}: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n))
    for line in plan.made_otherwise():
        note(f"warning: {line}")
    for reason in plan.missing():
        note(f"unavailable: {reason}")
    for combination in plan.grid.left_out:
        note(f"left out, not in the study: {combination}")
    for problem in (*plan.records.problems, *standing.problems):
        note(f"left out: {problem}")
    if standing.queue.problem:
        note(f"warning: {standing.queue.problem}; what is queued there is not known")
    _announce_jobs(draft, note)
    _warn(draft, note)


def _announce_jobs(draft: Draft, note: Note) -> None:
    if not draft.jobs:
        note("nothing to submit")
        return
    builds = sum(isinstance(job, Build) for job in draft.jobs)
    packs = sum(len(array.packs) for array in draft.arrays)
    first = f"{builds} generators or other artifacts and " if builds else ""
    guess = " (a guess: no wall time is recorded for some of it)" if draft.guessed else ""
    unit = "on one GPU" if draft.profile.gres else "in one process"
    note(f"to submit: {first}{len(draft.jobs) - builds} runs in {packs} jobs, {len(draft.arrays)} times sbatch; "
         f"{about(draft.seconds / draft.profile.runs_per_gpu)} {unit}{guess}")  # fmt: skip


def _warn(draft: Draft, note: Note) -> None:
    commit, dirty = draft.submission.commit, draft.submission.dirty
    if draft.jobs:
        warn(draft.jobs, note)
    if dirty and draft.jobs:
        note("warning: the checkout has uncommitted changes; jobs run the code that is there when they start")
    older = {place.submission.commit for place in draft.standing.held.values()} - {commit}
    if older:
        names = ", ".join(sorted(str(name)[:10] for name in older))
        note(f"warning: queued jobs were submitted at {names}, the checkout is at {str(commit)[:10]} now: "
             "they will run the code of now, and their records will say so")  # fmt: skip


def _require_answer(draft: Draft) -> None:
    if draft.profile.executor == "slurm" and (problem := draft.standing.queue.problem):
        raise BadInput(f"{problem}: what is queued is not known, and would be sent twice")


def _confirm(draft: Draft, request: SubmitRequest) -> None:
    if request.yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("nobody is there to confirm: add --yes")
    click.confirm("Submit?", abort=True, err=True)


def scripts(draft: Draft, store: Path) -> Iterable[str]:
    """The text of every sbatch script; ids that Slurm will give print as <job 1>, <job 2>, ..."""
    from slurm.executors import script

    if draft.profile.executor != "slurm":
        return
    folder = folder_of(store, draft.submission.id)
    for number, array in enumerate(draft.arrays, 1):
        after = [*(f"<job {place + 1}>" for place in array.after), *array.queued]
        text = script(draft.profile, folder, draft.submission.job_name, len(array.packs), after)
        yield f"# <job {number}>: {array.kind}, {_describe(array.packs)}\n{text}"


def _describe(packs: Sequence[Pack]) -> str:
    seconds = sum(pack.seconds for pack in packs)
    return f"{sum(len(pack.jobs) for pack in packs)} in {len(packs)} jobs, {about(seconds)}"


def send_all(draft: Draft, store: Path, note: Note) -> None:
    """Hands everything to the executor; the note of what is sent is written before, the ids right after each call."""
    from slurm import executors

    submission, profile = draft.submission, draft.profile
    folder = folder_of(store, submission.id)
    save(store, submission)
    for number, (array, sent) in enumerate(zip(draft.arrays, submission.arrays, strict=True)):
        orders = [_order(draft, pack, store, folder) for pack in array.packs]
        if profile.executor == "debug":
            executors.run_here(folder, orders)
            continue
        if profile.executor == "local":
            executor = executors.local_executor(profile, folder, number)
        else:
            sent.after = [*(submission.arrays[place].base for place in array.after), *array.queued]
            executor = executors.slurm_executor(profile, folder, submission.job_name, sent.after)
        sent.jobs = executors.send(executor, orders)
        save(store, submission)
        note(f"submitted {array.kind}: {_describe(array.packs)}, as {sent.base}")


def _order(draft: Draft, pack: Pack, store: Path, folder: Path) -> "Order":
    from slurm.work import Order

    failures = {
        job.key: draft.submission.failures[job.key] for job in pack.jobs if job.key in draft.submission.failures
    }
    side_by_side = draft.profile.runs_per_gpu
    asked = draft.request
    return Order(pack.jobs, store, folder, side_by_side, code_state(), failures, asked.deterministic, asked.track)
