"""The verbs `logs` and `cancel`."""

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from benchmark.selection import study_names
from datasets.paths import name_or_file
from datasets.registry import BadInput, unknown
from results.escape import one_line, printable
from results.files import LOG
from results.reader import Absent, RecordError, open_regular
from results.states import read_failure
from slurm import queues
from slurm.submissions import Submission, cancel_run, folder_of, load_submissions

_TAIL_LINES = 30
_TAIL_BYTES = 2**20
_KEY = re.compile("[0-9a-f]*")


def print_logs(target: str, store: Path) -> None:
    """Prints the log of a run or a build, its failure, and the ends of the logs of the jobs that had it."""
    problems: list[str] = []
    key, folder = find_job(target, store)
    if folder is not None:
        _print_file(folder / LOG, problems)
        if failure := read_failure(folder):
            click.echo(printable(f"== failed {failure.failed}\n{failure.traceback or failure.error}"))
    for submission, job in _jobs_of(key, load_submissions(store, problems)):
        for path in sorted(folder_of(store, submission.id).glob(f"{job}_*_log.*")):
            _print_file(path, problems, _TAIL_LINES)
    for problem in problems:
        click.echo(f"left out: {one_line(problem)}", file=sys.stderr)


def find_job(target: str, store: Path) -> tuple[str, Path | None]:
    """The key and, once it has begun, the folder of the run or build that a key, its beginning or a folder names."""
    key = target.rstrip("/").rsplit("-", 1)[-1].strip("[]")
    if not _KEY.fullmatch(key):
        raise BadInput(f"no run '{target}' in {store}; a run is named by its key or the beginning of it")
    folders = {path.name.rsplit("-", 1)[1]: path for path in _folders(store, key)}
    submitted = {found for s in load_submissions(store) for found in s.job_keys() if found.startswith(key)}
    found = sorted(folders.keys() | submitted)
    if len(found) > 1:
        raise BadInput(f"'{target}' fits {len(found)} runs: {', '.join(found[:5])}")
    if not found:
        raise BadInput(f"no run '{target}' in {store}; a run is named by its key or the beginning of it")
    return found[0], folders.get(found[0])


def _folders(store: Path, key: str) -> Iterator[Path]:
    for depth in ("*/*/*", "artifacts/*/*/*"):
        yield from store.glob(f"{depth}/seed*-{key}*")


def _jobs_of(key: str, submissions: Iterable[Submission]) -> Iterator[tuple[Submission, str]]:
    return ((s, job) for s in submissions for job, _, keys in s.sent_packs() if key in keys)


def _print_file(path: Path, problems: list[str], last: int | None = None) -> None:
    """Prints a log, however long, or its last lines; nothing where there is none."""
    try:
        with open_regular(path) as file:
            click.echo(f"== {one_line(str(path))}")
            if last:
                file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_BYTES, 0))
                lines = file.read().decode(errors="replace").splitlines()
                click.echo(printable("\n".join(lines[-last:])))
            else:
                text = io.TextIOWrapper(io.BufferedReader(file), errors="replace")
                for part in iter(lambda: text.read(_TAIL_BYTES), ""):
                    click.echo(printable(part), nl=False)
    except Absent:
        return
    except (RecordError, OSError) as error:
        problems.append(f"{path}: {error}")


def cancel_target(target: str, store: Path, note: Callable[[str], None]) -> None:
    """Cancels all jobs of a study, or one run; what is cancelled can be submitted again and goes on."""
    study = name_or_file(target)
    submissions = load_submissions(store)
    if study in study_names() or any(submission.study == study for submission in submissions):
        _cancel_study(study, store, note)
    elif submissions:
        _cancel_run(target, store, note)
    else:
        raise unknown("study", target, study_names())


def _cancel_study(study: str, store: Path, note: Callable[[str], None]) -> None:
    submissions = [submission for submission in load_submissions(store) if submission.study == study]
    live = _live(submissions, store)
    for executor in sorted({submission.executor for submission in submissions}):
        ids = {job for s in submissions if s.executor == executor for job, _, _ in s.sent_packs() if job in live}
        if ids:
            queues.cancel(executor, sorted({job.partition("_")[0] for job in ids}))
    note(f"{study}: cancelled {len(live)} jobs")


def _cancel_run(target: str, store: Path, note: Callable[[str], None]) -> None:
    """A job that holds nothing else is cancelled; one that holds more is asked to leave the run out."""
    key, _ = find_job(target, store)
    held = list(_jobs_of(key, load_submissions(store)))
    live = _live([submission for submission, _ in held], store)
    for submission, job in held:
        if job in live:
            cancel_run(store, submission.id, key)
            if _packed_with(submission, job) == [key]:
                queues.cancel(submission.executor, [job])
    note(f"{key}: cancelled" if live else f"{key}: nothing to cancel, no job has it")


def _packed_with(submission: Submission, job: str) -> list[str]:
    return next(keys for id_, _, keys in submission.sent_packs() if id_ == job)


def _live(submissions: list[Submission], store: Path) -> set[str]:
    """The ids of the jobs that are queued or running; raises BadInput where Slurm does not answer."""
    queue = queues.ask(submissions, store)
    if queue.problem:
        raise BadInput(f"cannot cancel: {queue.problem}")
    return set(queue.live()) & {job for submission in submissions for job, _, _ in submission.sent_packs()}
