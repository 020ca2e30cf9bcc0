"""Runs and builds of artifacts side by side in worker processes, none of which can sink the others."""

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import RLock
from pathlib import Path
from typing import Any, NamedTuple

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from benchmark.job import Job, receipt_of, record_failure, sweep_up
from benchmark.run import Build
from benchmark.stop import held_signals
from results.locks import Lock, LockHeld
from results.states import Progress, read_progress

WAITING, PASSIVE = "OMP_WAIT_POLICY", "PASSIVE"  # read when a process loads OpenMP
_POLL_SECONDS = 0.3
_QUIETLY = "ignore:resource_tracker:UserWarning"  # the tracker gets the options of the Python that starts it


class Ended(NamedTuple):
    """How a job ended: `state` as in job.Outcome, or cancelled; and one line about it."""

    job: Job
    state: str
    message: str


Watch = Callable[[dict[str, tuple[Job, Progress]], list[Ended]], None]

_stop: Any = None  # the worker process's own StopRequest
_performing = threading.Lock()


def _start_worker(parent: int, deadline: float | None, asked: Any) -> None:
    from benchmark.checkout import code_state
    from benchmark.stop import StopRequest

    global _stop
    _stop = StopRequest(deadline, asked, parent)
    _stop.listen()
    threading.Thread(target=_end_after_parent, daemon=True).start()
    code_state()  # the code that this process imports, whatever is committed later


def _end_after_parent() -> None:
    """Ends a worker that its parent left behind, once what it performs has stopped at a checkpoint.

    It may wait for ever: for a lock of the pool's that another worker held when it was killed.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        with _performing:
            os._exit(1)


def perform(job: Job, store: Path, options: dict) -> tuple[str, str]:
    """Executes a run or builds an artifact in this process; returns its outcome's state and message."""
    with _performing:
        return _perform(job, store, options)


def _perform(job: Job, store: Path, options: dict) -> tuple[str, str]:
    if _stop and _stop():
        return "unfinished", "stopped before it began"
    from benchmark.build import build
    from benchmark.execute import execute
    from benchmark.job import Options

    if isinstance(job, Build):  # --force repeats runs, not the artifacts that they share
        outcome = build(job, store, Options(**options | {"force": False}), _stop)
    else:
        outcome = execute(job, store, Options(**options), _stop)
    return outcome.state, outcome.message


class _Context(SpawnContext):
    """Starts processes anew, and keeps its locks: pebble deletes those of a pool that ends before it ends the workers,
    and one that is still being imported would die over them with a traceback.

    Those of a command that is killed Python's resource tracker removes, without a word about them to the terminal.
    """

    def __init__(self) -> None:
        if _QUIETLY not in sys.warnoptions:
            sys.warnoptions.append(_QUIETLY)
        self._kept: list[RLock] = []

    def RLock(self) -> RLock:
        self._kept.append(super().RLock())
        return self._kept[-1]


@contextmanager
def shared_cores(workers: int) -> Iterator[None]:
    """Processes that are started meanwhile, where they are several, sleep when a thread of theirs waits for another.

    By default OpenMP's threads spin, and keep those of other processes from the very cores that they wait for. How
    many threads there are stays the preset's word, as the bits depend on it; a policy that a person set stays, too.
    """
    ours = workers > 1 and WAITING not in os.environ
    if ours:
        os.environ[WAITING] = PASSIVE
    try:
        yield
    finally:
        if ours:
            del os.environ[WAITING]


class Pool:
    """Executes jobs with `workers` processes; a worker that dies fails one job and is replaced.

    A run waits for the builds of this pool that it needs. ended: every job that was started and ended;
    waiting: those that were not started.
    """

    def __init__(
        self, store: Path, workers: int, options: dict, deadline: float | None = None, fail_fast: bool = False
    ):
        self.store, self.workers, self.options = store, workers, options
        self.deadline, self.fail_fast = deadline, fail_fast
        self.ended: list[Ended] = []
        self.waiting: list[Job] = []
        self._flying: dict[ProcessFuture, Job] = {}
        self._replaced: dict[str, int | None] = {}  # the inodes of the receipts that --force replaces, by key
        self._unbuilt: set[str] = set()  # keys of the builds among them that have not ended
        self._context = _Context()
        self._asked = self._context.RawValue("b", 0)  # without a lock, which a killed worker could hold for ever

    @property
    def stopping(self) -> bool:
        late = self.deadline is not None and time.time() > self.deadline
        return bool(self._asked.value) or late

    def work(self, jobs: Iterable[Job], watch: Watch) -> None:
        """Runs everything; calls watch(running, just ended) a few times a second.

        Ctrl-C stops at checkpoints, twice at once.
        """
        self.waiting.extend(jobs)
        self._unbuilt = {job.key for job in self.waiting if isinstance(job, Build)}
        while self._is_busy:
            self._work_while_workers_live(watch)
            if self._flying:
                self._lose_one(watch)

    def stop(self) -> None:
        """Asks what runs to stop at its checkpoint, and starts nothing more."""
        self._asked.value = 1

    def cancel(self, keys: Collection[str]) -> None:
        """Leaves out the jobs with these keys; what of them runs is killed, its last checkpoint stays."""
        self.waiting = [job for job in self.waiting if job.key not in keys]
        for future, job in self._flying.items():
            if job.key in keys:
                future.cancel()
        self._unbuilt -= set(keys)

    @property
    def _is_busy(self) -> bool:
        return bool(self._flying or (self.waiting and not self.stopping))

    def _work_while_workers_live(self, watch: Watch) -> None:
        """Until all is done, or a worker dies while none has begun a job: pebble then gives up all of them."""
        arguments = (os.getpid(), self.deadline, self._asked)
        pool = ProcessPool(self.workers, initializer=_start_worker, initargs=arguments, context=self._context)
        with shared_cores(self.workers), pool:
            try:
                self._serve(pool, watch)
            except BaseException:
                pool.stop()
                self.ended += [Ended(job, "unfinished", "stopped at once") for job in self._flying.values()]
                raise

    def _lose_one(self, watch: Watch) -> None:
        """The oldest job of workers that died before they began is their price, so that this ends; the rest wait."""
        lost, *others = self._flying.values()
        self._flying.clear()
        self.waiting[:0] = others
        self._note([self._died(lost, "a process died before it began: killed, or out of memory")], watch)

    def _serve(self, pool: ProcessPool, watch: Watch) -> None:
        while self._is_busy:
            try:
                with held_signals():  # the first one starts the workers
                    if not self._fill(pool):
                        return
                wait(self._flying, _POLL_SECONDS, FIRST_COMPLETED)
                self._collect(watch)
            except KeyboardInterrupt:
                if self._asked.value:
                    raise
                self._asked.value = 1

    def _fill(self, pool: ProcessPool) -> bool:
        """Gives every worker a job that is ready, as far as there are any; whether the pool still works."""
        while pool.active and len(self._flying) < self.workers and not self.stopping and (job := self._next_ready()):
            if self.options.get("force") and not isinstance(job, Build):
                self._replaced[job.key] = receipt_of(job).inode(self.store / job.path)
            try:
                self._flying[pool.schedule(perform, args=(job, self.store, self.options))] = job
            except RuntimeError:  # broken since it was looked at
                self.waiting.insert(0, job)
        return pool.active

    def _next_ready(self) -> Job | None:
        """Takes the first waiting job whose artifacts are not still to be built by this pool."""
        for place, job in enumerate(self.waiting):
            if self._unbuilt.isdisjoint(need.key for need in job.artifacts):
                return self.waiting.pop(place)
        return None

    def _collect(self, watch: Watch) -> None:
        ended = [future for future in self._flying if future.done() and not _is_of_broken_pool(future)]
        self._note([self._end(future, self._flying.pop(future)) for future in ended], watch)

    def _note(self, ended: list[Ended], watch: Watch) -> None:
        self.ended += ended
        self._unbuilt -= {end.job.key for end in ended}
        if self.fail_fast and any(end.state == "failed" for end in ended):
            self._asked.value = 1
        watch(self._running(self._flying.values()), ended)

    def _end(self, future: ProcessFuture, job: Job) -> Ended:
        try:
            return Ended(job, *future.result())
        except CancelledError:
            return Ended(job, "cancelled", "on request")
        except ProcessExpired as error:
            return self._died(job, f"its process died (exit code {error.exitcode}): killed, or out of memory")
        except Exception as error:
            return self._fail(job, f"{type(error).__name__}: {error}")

    def _died(self, job: Job, how: str) -> Ended:
        return Ended(job, "unfinished", "stopped") if self._asked.value else self._fail(job, how)

    def _fail(self, job: Job, message: str) -> Ended:
        """A killed process leaves no failure of its own; its checkpoint stays, so that --retry goes on from it.

        What it had finished when it died is done.
        """
        folder = self.store / job.path
        try:
            with Lock(folder) as lock:
                if receipt_of(job).is_new(folder, self._replaced.get(job.key)):
                    sweep_up(job, folder)
                    return Ended(job, "done", f"finished, and then {message}")
                record_failure(job, folder, message, message, lock.verify)
        except (LockHeld, OSError) as error:
            message += f" (and no failure could be recorded: {error})"
        return Ended(job, "failed", message)

    def _running(self, jobs: Iterable[Job]) -> dict[str, tuple[Job, Progress]]:
        found = ((job, read_progress(self.store / job.path)) for job in jobs)
        return {job.key: (job, progress) for job, progress in found if progress}


def _is_of_broken_pool(future: ProcessFuture) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
