"""What executors know of their jobs (squeue and sacct, or this machine's processes), and which runs those hold."""

import datetime
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmark.run import Run, with_needs
from datasets.registry import BadInput
from results.escape import one_line
from results.states import read_failure
from slurm.packing import cut
from slurm.submissions import Submission, cancelled_runs, folder_of, load_submissions

_TIMEOUT = 30  # seconds
_AT_ONCE = 500  # names or ids on a command line: the kernel takes no more than 128 KiB in one argument


class Misunderstood(ValueError):
    """A line of Slurm's answer that has not the form that was asked for."""


_NO_ANSWER = (OSError, subprocess.SubprocessError, Misunderstood)
# a state that this code does not know is one of a job that is not over: its runs are not sent again
_OVER = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE",
         "OUT_OF_MEMORY", "REVOKED", "ENDED", "UNKNOWN"}  # fmt: skip
_ID = r"\d+(?:_\d+)?"
DEFAULT_MAX_ARRAY = 1001  # Slurm's own default of MaxArraySize


@dataclass(frozen=True)
class ClusterJob:
    """One job of an executor. state: Slurm's word for it; reason: why it waits, or how it ended.

    gpu_seconds: GPUs times seconds used so far, over all its starts.
    """

    id: str
    state: str
    reason: str = ""
    gpu_seconds: float = 0.0

    @property
    def live(self) -> bool:
        return self.state not in _OVER

    @property
    def running(self) -> bool:
        return self.live and self.state not in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT")


@dataclass
class Queue:
    """The jobs of some submissions by id, and when they were asked for.

    problem: why it is not known what is queued; hint: why less is known of jobs that ended.
    """

    jobs: dict[str, ClusterJob] = field(default_factory=dict)
    problem: str = ""
    hint: str = ""
    asked: datetime.datetime = field(default_factory=datetime.datetime.now)

    def live(self) -> dict[str, ClusterJob]:
        return {id_: job for id_, job in self.jobs.items() if job.live}

    def kept_with(self, problem: str) -> "Queue":
        """What was known before something stopped answering."""
        problem = problem.partition("; stale:")[0]
        said = f"{problem}; stale: the queue's states are from {self.asked:%H:%M:%S}"
        return Queue(self.jobs, said, self.hint, self.asked)


def ask(submissions: Iterable[Submission], store: Path) -> Queue:
    """The state of all jobs of `submissions`; fills in the job ids that a killed `submit` could not note."""
    submissions, queue = list(submissions), Queue()
    for submission in submissions:
        if submission.executor == "local":
            queue.jobs |= {job: _process(job, str(store)) for job, _, _ in submission.sent_packs()}
    on_slurm = [submission for submission in submissions if submission.executor == "slurm"]
    if on_slurm:
        _ask_slurm(on_slurm, queue)
    return queue


def _process(pid: str, store: str) -> ClusterJob:
    """A job of the local executor: its controller's process, which names the store on its command line."""
    try:
        process = psutil.Process(int(pid))
        command = " ".join(process.cmdline())
        alive = process.status() != psutil.STATUS_ZOMBIE and "submitit" in command and store in command
    except (psutil.Error, ValueError):
        alive = False
    return ClusterJob(pid, "RUNNING" if alive else "ENDED")


def _ask_slurm(submissions: list[Submission], queue: Queue) -> None:
    if not shutil.which("squeue"):
        queue.problem = "there is no Slurm here; records alone"
        return
    try:
        waiting = list(_squeue(submissions))
    except _NO_ANSWER as error:
        queue.problem = f"Slurm does not answer ({_first_line(error)})"
        return
    for submission in submissions:
        _find_lost_ids(submission, waiting)
    ids = {job.partition("_")[0] for submission in submissions for job, _, _ in submission.sent_packs()}
    try:
        ended = _sacct(ids) if ids else {}
    except _NO_ANSWER as error:  # what is queued is known all the same
        queue.hint, ended = f"no accounting, so nothing of jobs that ended ({_first_line(error)})", {}
    queue.jobs |= ended
    for _, job in waiting:
        queue.jobs[job.id] = ClusterJob(job.id, job.state, job.reason, ended.get(job.id, job).gpu_seconds)


def _squeue(submissions: list[Submission]) -> Iterator[tuple[str, ClusterJob]]:
    """(job name, job) of everything that squeue still lists; raises Misunderstood, as a job must not be missed."""
    for some in cut([submission.job_name for submission in submissions], _AT_ONCE):
        names = f"--name={','.join(some)}"
        for line in _lines("squeue", "--noheader", "--array", names, "--format=%i|%j|%T|%r"):
            match = re.fullmatch(rf"({_ID})\|([^|]+)\|(\w+)\|(.*)", line)
            if not match:
                raise Misunderstood(f"a line that is no job: {one_line(line)[:80]}")
            id_, name, state, reason = match.groups()
            yield name, ClusterJob(id_, state, reason)


def _find_lost_ids(submission: Submission, waiting: list[tuple[str, ClusterJob]]) -> None:
    """`submit` was killed between sbatch and its note: the array without ids is the one whose ids nobody has."""
    unknown = [array for array in submission.arrays if not array.jobs]
    known = {job.partition("_")[0] for job, _, _ in submission.sent_packs()}
    lost = sorted({job.id.partition("_")[0] for name, job in waiting if name == submission.job_name} - known)
    for array, job in zip(unknown, lost, strict=False):
        array.jobs = array_ids(job, len(array.packs))


def array_ids(job: str, count: int) -> list[str]:
    """Slurm's ids of `count` jobs sent at once: an array where there are several."""
    return [f"{job}_{index}" for index in range(count)] if count > 1 else [job]


def _sacct(ids: Iterable[str]) -> dict[str, ClusterJob]:
    """How jobs stand in the accounting, every start of a job added up; a line of another form says nothing."""
    columns = "--format=JobID,State,ElapsedRaw,AllocTRES"
    jobs: dict[str, ClusterJob] = {}
    for some in cut(sorted(ids), _AT_ONCE):
        for line in _lines("sacct", "-X", "-D", "-n", "-P", columns, "-j", ",".join(some)):
            if match := re.fullmatch(rf"({_ID})\|((\w+)[^|]*)\|(\d*)\|(.*)", line):
                id_, told, state, elapsed, resources = match.groups()
                used = int(elapsed or 0) * _gpus(resources) + (jobs[id_].gpu_seconds if id_ in jobs else 0)
                jobs[id_] = ClusterJob(id_, state, told, used)
    return jobs


def _gpus(resources: str) -> int:
    """GPUs in sacct's AllocTRES, like billing=4,cpu=4,gres/gpu=1,mem=16G,node=1."""
    found = re.search(r"(?:^|,)gres/gpu=(\d{1,9})(?:,|$)", resources)
    return int(found[1]) if found else 0


def max_array_size() -> int:
    """The site's MaxArraySize, or Slurm's default where no Slurm answers."""
    try:
        lines = _lines("scontrol", "show", "config")
    except _NO_ANSWER:
        return DEFAULT_MAX_ARRAY
    found = (re.fullmatch(r"MaxArraySize\s*=\s*([1-9]\d{0,8})", line) for line in lines)
    return next((int(match[1]) for match in found if match), DEFAULT_MAX_ARRAY)


def cancel(executor: str, jobs: list[str]) -> None:
    """Ends jobs, also those that have not started; raises BadInput with the reason where one is not taken, after all
    have been tried."""
    if executor == "local":
        for pid in jobs:
            _terminate(int(pid))
        return
    refused = []
    for some in cut(jobs, _AT_ONCE):
        try:
            _lines("scancel", *some)
        except _NO_ANSWER as error:
            refused.append(_first_line(error))
    if refused:
        raise BadInput(f"scancel did not take all of {len(jobs)} jobs ({refused[0]}); `status` says what is left")


def _terminate(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        controller = psutil.Process(pid)
        for process in (*controller.children(recursive=True), controller):  # a shell before it passes no signal on
            process.terminate()


def _lines(*command: str) -> list[str]:
    """What a program prints, without empty lines; what is not text in it is escaped."""
    done = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", errors="backslashreplace", timeout=_TIMEOUT
    )
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _first_line(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return one_line(said.strip().splitlines()[0]) if said.strip() else type(error).__name__


class Place(NamedTuple):
    """Where a run or a build was sent: its submission, and the job of the executor that has it."""

    submission: Submission
    job: ClusterJob


@dataclass
class Standing:
    """held: by key, the live job that will do it. last: by key, the newest job that had it and is over.

    submissions: those that have any of the keys; queue: what the executors say of their jobs.
    """

    submissions: list[Submission] = field(default_factory=list)
    queue: Queue = field(default_factory=Queue)
    held: dict[str, Place] = field(default_factory=dict)
    last: dict[str, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # files of submissions that were left out


def find_standing(store: Path, keys: Collection[str], earlier: Queue | None = None) -> Standing:
    """Asks the executors of all submissions that have any of these keys; where they do not answer, what they
    said `earlier` is taken, and the problem says from when it is."""
    wanted = set(keys)
    problems: list[str] = []
    submissions = [s for s in load_submissions(store, problems) if not wanted.isdisjoint(s.job_keys())]
    queue = ask(submissions, store)
    if queue.problem and earlier and earlier.jobs:
        queue = earlier.kept_with(queue.problem)
    standing = Standing(submissions, queue, problems=problems)
    for submission in submissions:
        cancelled = cancelled_runs(folder_of(store, submission.id))
        for id_, _, packed in submission.sent_packs():
            job = standing.queue.jobs.get(id_, ClusterJob(id_, "UNKNOWN"))
            if id_ not in standing.queue.jobs and queue.problem:  # it may be queued and it may be over
                continue
            for key in wanted.intersection(packed) - cancelled:
                (standing.held if job.live else standing.last)[key] = Place(submission, job)
    return standing


def keys_of(runs: Iterable[Run]) -> set[str]:
    """The keys of runs and of all artifacts that they need."""
    return {key for run in runs for key in (run.key, *(build.key for build in with_needs(run.artifacts)))}


def failed_since(folder: Path, key: str, place: Place | None) -> bool:
    """Whether a failure in a run's folder is news to the job that holds the run, and not what it shall mend."""
    failure = read_failure(folder)
    return failure is not None and (place is None or failure.failed != place.submission.failures.get(key))
