"""What a person sees while runs are under way: bars on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmark.job import Job
from benchmark.pool import Ended
from benchmark.run import size_text
from results.durations import about
from results.escape import one_line
from results.states import Progress as Position

_LINE_SECONDS = 20.0


class Bars:
    """One bar over all jobs (runs and builds) and one for each in progress, on standard error."""

    def __init__(self, total: int):
        console = Console(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn())
        self.progress = Progress(TextColumn("{task.description}", markup=False), *columns, console=console)
        self.overall = self.progress.add_task("jobs", total=total)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def __call__(self, running: dict[str, tuple[Job, Position]], ended: list[Ended]) -> None:
        for job, state, message in ended:
            self.progress.console.print(one_line(f"{state}: {job}: {message}"), markup=False, highlight=False)
        self.progress.advance(self.overall, len(ended))
        for key in set(self._tasks) - set(running):
            self.progress.remove_task(self._tasks.pop(key))
        for key, (job, at) in running.items():
            if key not in self._tasks:
                self._tasks[key] = self.progress.add_task("", total=at.steps)
            of = f"{job.dataset.text} {size_text(job.samples_per_class)} {job.row}"
            text = f"  {of} seed {job.seed} {describe(at.losses)}"
            self.progress.update(self._tasks[key], completed=at.step, description=one_line(text))


class Lines:
    """A line for every job that ends, and one now and then with what is running and the time left."""

    def __init__(self, total: int):
        self.total, self.done = total, 0
        self._started = self._said = time.monotonic()
        self._first_seen: dict[str, tuple[float, int]] = {}  # when, and at which step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, running: dict[str, tuple[Job, Position]], ended: list[Ended]) -> None:
        for job, state, message in ended:
            self.done += 1
            self._say(f"[{self.done}/{self.total}] {state}: {job}: {message}{self._left()}")
        for key, (_, at) in running.items():
            self._first_seen.setdefault(key, (time.monotonic(), at.step))
        if time.monotonic() - self._said > _LINE_SECONDS:
            steps = "; ".join(
                f"{job.row} seed {job.seed} {at.step}/{at.steps}{self._left_of(key, at)} {describe(at.losses)}"
                for key, (job, at) in running.items()
            )
            self._say(f"[{self.done}/{self.total}] running: {steps or 'starting'}{self._left()}")

    def _left_of(self, key: str, at: Position) -> str:
        """The time that a job's steps take from here, at its speed since it was first seen."""
        since, first = self._first_seen[key]
        if at.step == first:
            return ""
        seconds = (time.monotonic() - since) / (at.step - first) * (at.steps - at.step)
        return f" ({about(seconds)})"

    def _left(self) -> str:
        if not self.done or self.done == self.total:
            return ""
        seconds = (time.monotonic() - self._started) / self.done * (self.total - self.done)
        return f" ({about(seconds)} left)"

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        print(one_line(text), file=sys.stderr, flush=True)  # noqa: T201


def describe(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in losses.items())


def make_progress(total: int) -> Bars | Lines:
    """Bars where standard error is a terminal, plain lines elsewhere."""
    return Bars(total) if sys.stderr.isatty() else Lines(total)
