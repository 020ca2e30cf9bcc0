"""Which jobs of a grid are held by something that was submitted, and how that stands with its executor."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmark.plan import with_needs
from benchmark.run import Run
from results.store import FAILURE, read_json
from slurm.queues import Queue, Task, ask
from slurm.submissions import Submission, cancelled_runs, folder_of, load_submissions


class Place(NamedTuple):
    """Where a run or a build was sent: its submission, and the job there that has it."""

    submission: Submission
    task: Task


@dataclass
class Standing:
    """held: by key, the live job that will do it. last: by key, the newest job that had it and is over.

    submissions: those that have any of the keys; tasks: their jobs.
    """

    submissions: list[Submission] = field(default_factory=list)
    queue: Queue = field(default_factory=Queue)
    held: dict[str, Place] = field(default_factory=dict)
    last: dict[str, Place] = field(default_factory=dict)


def find_standing(store: Path, keys: Collection[str], earlier: Queue | None = None) -> Standing:
    """Asks the executors of all submissions that have any of these keys; where they do not answer, what they
    said `earlier` is taken, and the problem says from when it is."""
    wanted = set(keys)
    submissions = [s for s in load_submissions(store) if not wanted.isdisjoint(s.job_keys())]
    queue = ask(submissions, store)
    if queue.problem and earlier and earlier.tasks:
        queue = earlier.kept_with(queue.problem)
    standing = Standing(submissions, queue)
    for submission in submissions:
        cancelled = cancelled_runs(folder_of(store, submission.id))
        for id_, _, packed in submission.tasks():
            task = standing.queue.tasks.get(id_, Task(id_, "UNKNOWN"))
            for key in wanted.intersection(packed) - cancelled:
                (standing.held if task.live else standing.last)[key] = Place(submission, task)
    return standing


def keys_of(runs: Iterable[Run]) -> set[str]:
    """The keys of runs and of all artifacts that they need."""
    return {key for run in runs for key in (run.key, *(build.key for build in with_needs(run.artifacts)))}


def failed_since(folder: Path, key: str, place: Place | None) -> bool:
    """Whether a failure in a run's folder is news to the job that holds the run, and not what it shall mend."""
    failure = read_json(folder / FAILURE)
    return failure is not None and (place is None or failure.get("failed") != place.submission.failures.get(key))
