"""One attempt at a job, be it a run or the building of an artifact: lock, log, checkpoint, failure."""

import csv
import datetime
import io
import logging
import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from benchmark.checkpoint import CHECKPOINT, drop_checkpoint, load_checkpoint, save_checkpoint, set_aside_checkpoint
from benchmark.locks import Lock, LockHeld, LockLost
from benchmark.protocol import load_preset, usable_cores
from benchmark.stop import StopRequest
from benchmark.train import Hooks, Interrupted, Trainable, train
from datasets.base import Dataset
from datasets.subset import find_subset
from methods.base import Task
from methods.history import LossHistory
from results.records import SCHEMA, RecordError
from results.store import FAILURE, HISTORY, LOG, PROGRESS, TEMPORARY, write_atomically, write_json

logger = logging.getLogger("hydrabench")

_MOST_HELPERS = 4  # processes that segment images ahead of a training


class Subset(Protocol):
    """A training subset, and the preset whose threads work on it."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def samples_per_class(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def preset(self) -> str: ...


class Job(Subset, Protocol):
    """What can be attempted and must be done once: a run, or the building of an artifact."""

    @property
    def key(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def identity(self) -> dict[str, object]: ...
    @property
    def row(self) -> str: ...


class Resumable(Trainable, Protocol):
    """A training that can be taken up from a checkpoint."""

    def restore(self, state: dict) -> None: ...


T = TypeVar("T", bound=Resumable)


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: done, failed, unfinished (stopped at a checkpoint), or elsewhere (a living
    process has the job); `message` is one line for people."""

    state: str
    message: str


@dataclass(frozen=True)
class Options:
    """How to execute, none of it in a key. force: run again and replace the record; note: a warning for records."""

    keep_weights: bool = False
    force: bool = False
    checkpoint_seconds: float = 180.0
    note: str = ""


@dataclass(frozen=True)
class Receipt:
    """The file in a job's folder whose presence is what "done" means, and its strict reader."""

    name: str
    read: Callable[[Path], object]

    def in_folder(self, folder: Path) -> bool:
        """Whether the folder has one that can be trusted; one that cannot is set aside."""
        path = folder / self.name
        if not path.exists():
            return False
        try:
            self.read(path)
        except RecordError as error:
            logger.warning("%s: %s; set aside", path, error)
            path.rename(folder / f"{self.name}.damaged")
            return False
        return True


class Attempt:
    """The work on one job under its lock.

    prepare_seconds: what setting up the fresh training took; resumed: how often it was taken up; caught: warnings
    so far.
    """

    def __init__(self, job: Job, store: Path, lock: Lock, options: Options, stop: StopRequest):
        self.job, self.store, self.lock, self.options, self.stop = job, store, lock, options, stop
        self.folder = store / job.path
        self.elapsed, self.prepare_seconds, self.resumed = 0.0, 0.0, 0
        self.caught: list[warnings.WarningMessage] = []

    def training(self, fresh: Callable[[], T]) -> T:
        """The training in the checkpoint, or a fresh one; a checkpoint that does not fit is set aside."""
        training = self._timed(fresh)
        try:
            if state := load_checkpoint(self.folder):
                training.restore(state["training"])
                self.elapsed, self.resumed = state["elapsed"], state["resumed"] + 1
        except (OSError, MemoryError):
            raise  # the file may be whole: it stays for the next attempt
        except Exception as error:  # torch raises many kinds for a damaged file or another network's weights
            aside = set_aside_checkpoint(self.folder)
            warnings.warn(f"started again: {aside.name} could not be used ({error})", stacklevel=1)
            return self._timed(fresh)
        return training

    def _timed(self, fresh: Callable[[], T]) -> T:
        started = time.monotonic()
        training = fresh()
        self.prepare_seconds = time.monotonic() - started
        return training

    def train(self, training: Trainable) -> float:
        """Trains to the end with checkpoints; returns seconds, those of earlier attempts included."""
        started = time.monotonic() - self.elapsed

        def save(state: dict) -> None:
            self.lock.verify()
            elapsed = time.monotonic() - started
            save_checkpoint(self.folder, {"training": state, "elapsed": elapsed, "resumed": self.resumed})
            logger.info("checkpoint at step %d", state["step"])

        train(training, Hooks(self.stop, save, self._report, self.options.checkpoint_seconds))
        return time.monotonic() - started

    def write_history(self, history: LossHistory) -> None:
        self.lock.verify()
        write_atomically(self.folder / HISTORY, format_history(history).encode())
        self.lock.verify()

    def warnings(self) -> list[str]:
        notes = {self.options.note} if self.options.note else set()
        return sorted({str(warning.message) for warning in self.caught} | notes)

    def _report(self, step: int, steps: int, losses: dict[str, float]) -> None:
        with suppress(OSError):  # a full disk must not end a healthy run for a progress bar's sake
            write_json(self.folder / PROGRESS, {"step": step, "steps": steps, "losses": losses})


def attempt(
    job: Job, store: Path, options: Options, stop: StopRequest, receipt: Receipt, work: Callable[[Attempt], str]
) -> Outcome:
    """Does `work` on a job under its lock, unless its receipt is there; work returns one line on how it went.

    Never raises for what a job does wrong: a failure leaves failure.json in its folder.
    """
    folder = store / job.path
    try:
        with Lock(folder) as lock:
            _sweep_up(folder, receipt.name, options.force)
            if receipt.in_folder(folder) and not options.force:
                return Outcome("done", "already done")
            with _log_to(folder / LOG):
                logger.info("%s: process %d starts", job, os.getpid())
                outcome = _try(Attempt(job, store, lock, options, stop), work)
                logger.info("%s: %s", outcome.state, outcome.message)
            return outcome
    except (LockHeld, LockLost) as error:
        return Outcome("elsewhere", str(error))


def _sweep_up(folder: Path, receipt: str, force: bool) -> None:
    """Removes what a killed process left half written, and, to begin anew, a checkpoint older than the receipt."""
    for temporary in folder.glob(TEMPORARY):
        temporary.unlink()
    done, checkpoint = folder / receipt, folder / CHECKPOINT
    if force and done.exists() and checkpoint.exists() and checkpoint.stat().st_mtime < done.stat().st_mtime:
        drop_checkpoint(folder)


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Sends what is logged to a job's own file while the context lasts."""
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _try(at: Attempt, work: Callable[[Attempt], str]) -> Outcome:
    try:
        with warnings.catch_warnings(record=True) as at.caught:
            warnings.simplefilter("default")
            message = work(at)
        drop_checkpoint(at.folder)
        (at.folder / FAILURE).unlink(missing_ok=True)
        return Outcome("done", message)
    except Interrupted as error:
        return Outcome("unfinished", str(error))
    except (LockHeld, LockLost):
        raise
    except Exception as error:
        return _fail(at, error)
    finally:
        (at.folder / PROGRESS).unlink(missing_ok=True)


def _fail(at: Attempt, error: Exception) -> Outcome:
    at.lock.verify()
    logger.exception("failed")
    message = f"{type(error).__name__}: {error}"
    record_failure(at.job, at.folder, message, "".join(traceback.format_exception(error)))
    return Outcome("failed", message)


def record_failure(job: Job, folder: Path, message: str, details: str) -> None:
    """Leaves failure.json in a job's folder; where even that cannot be written (a full disk), says so."""
    value = {"schema": SCHEMA, "key": job.key, "run": job.identity, "row": job.row, "preset": job.preset}
    value |= {"error": message, "traceback": details, "log": str(folder / LOG), "failed": now()}
    try:
        write_json(folder / FAILURE, value)
    except OSError as error:
        logger.error("%s: cannot write %s: %s", job, folder / FAILURE, error)


def load_task(job: Subset, device: torch.device, precision: str) -> Task:
    """A training subset on a device; raises DataMissing naming dataset, size and seed."""
    dataset = job.dataset
    indices = find_subset(dataset, job.samples_per_class, job.seed)
    threads = load_preset(job.preset).cpu_threads()
    return Task(
        images=torch.from_numpy(dataset.train_images(indices)).to(device),
        labels=torch.from_numpy(dataset.train_labels()[indices]).to(device),
        num_classes=dataset.num_classes,
        device=device,
        seed=job.seed,
        samples_per_class=job.samples_per_class,
        precision=precision,
        # with one thread, runs stand side by side: a helper would only take a neighbour's core
        workers=min(_MOST_HELPERS, usable_cores() - 1) if threads > 1 else 0,
        class_names=tuple(dataset.class_names()),
    )


def format_history(history: LossHistory) -> str:
    """history.csv: a line per stretch of training, with its last step, learning rate and mean losses."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history.lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in history.lines:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()})
    return text.getvalue()


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
