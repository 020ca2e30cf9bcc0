"""What one job of an executor does: the jobs of its pack, until all have ended or it is told to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from submitit.core.utils import DelayedSubmission

from benchmark.checkout import CodeState
from benchmark.job import Job
from benchmark.pool import Ended, Pool, perform
from benchmark.run import with_needs
from results.artifacts import ARTIFACT
from results.files import RECORD
from results.locks import is_running
from results.states import Progress, read_failure
from slurm.submissions import cancelled_runs

PARENT = "HYDRABENCH_PARENT"  # the environment's name for the pid of what started this process
_LOOK_SECONDS = 5.0  # how often cancelled runs are looked for


@dataclass(frozen=True)
class Order:
    """A pack on its way. folder: the submission's; side_by_side: how many runs at once; code: as it was
    when the order was sent; failures: when the runs that it tries again had failed, by key; deterministic: whether
    GPUs repeat their bits, as far as they can; track: where losses are shown as they come."""

    jobs: tuple[Job, ...]
    store: Path
    folder: Path
    side_by_side: int
    code: CodeState
    failures: dict[str, str] = field(default_factory=dict)
    deterministic: bool = False
    track: str | None = None

    @property
    def options(self) -> dict[str, object]:
        """How its jobs are attempted, but for what only a pool knows."""
        return {"deterministic": self.deterministic, "track": self.track}


def work_here(order: Order) -> None:
    """The jobs of an order in this process, one after the other."""
    for job in order.jobs:
        _say(f"{job}: {': '.join(perform(job, order.store, order.options))}")


class Work:
    """The function that submitit calls in a job, and calls `checkpoint` of when a signal comes before it listens."""

    def __call__(self, order: Order) -> dict[str, int]:
        return Shift(order).work()

    def checkpoint(self, order: Order) -> DelayedSubmission:
        return DelayedSubmission(self, order)


work = Work()


class Shift:
    """One start of a job: it works on what an earlier start has left of its order."""

    def __init__(self, order: Order):
        self.order = order
        self._signals: set[int] = set()
        self._parent = int(os.environ.get(PARENT, os.getppid()))
        self.counts: dict[str, int] = {}
        self._pool: Pool | None = None
        self._looked = 0.0

    def work(self) -> dict[str, int]:
        """Ends when every job of the order is done, failed or cancelled, and returns how many of each there are.

        USR2 (preemption, the time limit) stops at checkpoints and queues this job again; TERM, and the death of
        what started this process, only stop. What another process works on is waited for: it may never end it.
        """
        self._listen()
        left = self._left(self.order.jobs)
        while left and not self._told():
            waiting = [job for job in left if self._is_elsewhere(job)]
            ready = [job for job in left if job not in waiting]
            if ready:
                self._work_on(ready)
            else:
                time.sleep(1)
            left = self._left(left)
        if left:
            self._leave(len(left))
        return self.counts

    def _listen(self) -> None:
        """USR2 is also blocked, which child processes inherit: it is sent to them too, and would kill them."""
        for number in (signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, lambda number, frame: self._signals.add(number))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    def _told(self) -> str:
        """Why to stop, if at all; USR2 counts over TERM, as preemption sends both."""
        if os.getppid() != self._parent:
            return "the death of its parent"
        heard = self._signals | signal.sigpending()
        return "USR2" if signal.SIGUSR2 in heard else "TERM" if signal.SIGTERM in heard else ""

    def _leave(self, left: int) -> None:
        """Ends this process with work to do.

        TERM with the job still running is the first word of a preemption: what exits now would not be queued again,
        so it waits for Slurm's next step. Of a cancelled or requeued job Slurm has taken note before the signal.
        """
        while self._told() == "TERM" and _slurm_says_running():
            time.sleep(2)
        if (why := self._told()) == "USR2":
            _requeue()
        sys.exit(f"stopped by {why} with {left} of its runs to do")

    def _left(self, jobs: Sequence[Job]) -> list[Job]:
        cancelled = cancelled_runs(self.order.folder)
        return [job for job in jobs if job.key not in cancelled and not self._has_ended(job)]

    def _has_ended(self, job: Job) -> bool:
        folder = self.order.store / job.path
        if (folder / RECORD).exists() or (folder / ARTIFACT).exists():
            return True
        failure = read_failure(folder)
        return failure is not None and failure.failed != self.order.failures.get(job.key)

    def _is_elsewhere(self, job: Job) -> bool:
        return any(is_running(self.order.store / part.path) for part in (job, *with_needs(job.artifacts)))

    def _work_on(self, jobs: list[Job]) -> None:
        options = {"submitted": self.order.code, **self.order.options}
        self._pool = Pool(self.order.store, self.order.side_by_side, options)
        self._pool.work(jobs, self._watch)

    def _watch(self, running: dict[str, tuple[Job, Progress]], ended: list[Ended]) -> None:
        assert self._pool
        for run, state, message in ended:
            self.counts[state] = self.counts.get(state, 0) + 1
            _say(f"{state}: {run}: {message}")
        if self._told():
            self._pool.stop()
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._pool.cancel(cancelled_runs(self.order.folder))


def _slurm_job() -> str | None:
    """This job's id, where this is one of Slurm's."""
    job, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{job}_{task}" if task else os.environ.get("SLURM_JOB_ID")


def _slurm_says_running() -> bool:
    if (job := _slurm_job()) is None:
        return False
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip() == "RUNNING"
    except (OSError, subprocess.SubprocessError):
        return False


def _requeue() -> None:
    """Queues this Slurm job again; it keeps its id. Outside Slurm there is nobody to do it."""
    if job := _slurm_job():
        _say(f"queued again as {job}")
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=60)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
