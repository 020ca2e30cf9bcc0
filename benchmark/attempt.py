"""One attempt at a job, be it a run or the building of an artifact: lock, log, checkpoint, failure."""

import csv
import errno
import io
import logging
import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from benchmark.checkout import code_state
from benchmark.job import Job, Options, Outcome, doubts, logger, receipt_of, record_failure, sweep_up
from benchmark.protocol import changed_since
from benchmark.stop import StopRequest
from benchmark.track import Tracking
from benchmark.training.device import in_short
from benchmark.training.loop import Hooks, Interrupted, Trainable, train
from datasets.files import NotRegular
from methods.history import LossHistory
from results.escape import one_line
from results.files import CHECKPOINT, FAILURE, HISTORY, LOG, PROGRESS, write_atomically
from results.locks import Lock, LockHeld, LockLost
from results.reader import Absent, open_regular
from results.states import Progress, write_progress


class Resumable(Trainable, Protocol):
    """A training that can be taken up from a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None: ...


class Changed(RuntimeError):
    """A job is no longer what its key stands for; the message says what of it changed."""


T = TypeVar("T", bound=Resumable)


class Attempt:
    """The work on one job under its lock.

    prepare_seconds: what setting up the fresh training took; resumed: how often it was taken up; deterministic: whether
    that was asked for from the first step on; caught: warnings so far.
    """

    def __init__(self, job: Job, store: Path, lock: Lock, options: Options, stop: StopRequest):
        self.job, self.store, self.lock, self.options, self.stop = job, store, lock, options, stop
        self.folder = store / job.path
        self.elapsed, self.prepare_seconds, self.resumed = 0.0, 0.0, 0
        self.deterministic = options.deterministic
        self.caught: list[warnings.WarningMessage] = []
        self.tracking = Tracking(options.track, job, store)
        self._replaced = receipt_of(job).inode(self.folder) if options.force else None

    def training(self, fresh: Callable[[], T]) -> T:
        """The training in the checkpoint, or a fresh one; a checkpoint that does not fit is set aside."""
        training = self._timed(fresh)
        try:
            if state := load_checkpoint(self.folder):
                training.restore(state["training"])
                self.elapsed, self.resumed = state["elapsed"], state["resumed"] + 1
                self.deterministic &= state.get("deterministic", False)
        except (OSError, MemoryError):
            raise  # the file may be whole: it stays for the next attempt
        except Exception as error:  # torch raises many kinds for a damaged file or another network's weights
            self.lock.verify()
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
            elapsed = time.monotonic() - started
            how = {"elapsed": elapsed, "resumed": self.resumed, "deterministic": self.deterministic}
            self.write(CHECKPOINT, _packed({"training": state, **how}))
            logger.info("checkpoint at step %d", state["step"])

        def report(step: int, steps: int, losses: dict[str, float]) -> None:
            self._report(step, steps, losses)
            self.tracking.follow(training.history)

        self.tracking.begin(training.history)
        train(training, Hooks(self.stop, save, report, self.options.checkpoint_seconds))
        self.tracking.follow(training.history)
        return time.monotonic() - started

    def write_history(self, history: LossHistory) -> None:
        self.write(HISTORY, format_history(history).encode())

    def write(self, name: str, content: bytes) -> None:
        """Writes a file into the job's folder; raises LockLost, and writes nothing, where the lock is lost."""
        write_atomically(self.folder / name, content, self.lock.verify)

    def remove(self, name: str) -> None:
        """Removes a file from the job's folder, if it is there; raises LockLost like `write`."""
        self.lock.verify()
        (self.folder / name).unlink(missing_ok=True)

    def is_finished(self) -> bool:
        """Whether this attempt's receipt is in place, whatever went wrong after that."""
        return receipt_of(self.job).is_new(self.folder, self._replaced)

    def warnings(self) -> list[str]:
        """What the job's record must say: warnings so far, and what is to be known of the code."""
        of_code = code_state().warnings(self.options.submitted)
        return sorted({one_line(in_short(str(warning.message))) for warning in self.caught} | set(of_code))

    def _report(self, step: int, steps: int, losses: dict[str, float]) -> None:
        with suppress(OSError):  # a full disk must not end a healthy run for a progress bar's sake
            write_progress(self.folder, Progress(step, steps, losses), self.lock.verify)


def attempt(job: Job, store: Path, options: Options, stop: StopRequest, work: Callable[[Attempt], str]) -> Outcome:
    """Does `work` on a job under its lock, unless its receipt is there; work returns one line on how it went.

    Never raises for what a job does wrong: a failure leaves failure.json in its folder.
    """
    folder, receipt = store / job.path, receipt_of(job)
    try:
        with Lock(folder) as lock:
            sweep_up(job, folder)
            receipt.set_aside_damaged(folder)
            if (folder / receipt.name).exists() and not options.force:
                return Outcome("done", "already done")
            with _log_to(folder / LOG):
                logger.info("%s: process %d starts", job, os.getpid())
                outcome = _try(Attempt(job, store, lock, options, stop), work)
                logger.info("%s: %s", outcome.state, outcome.message)
            return outcome
    except (LockHeld, LockLost) as error:
        return Outcome("elsewhere", str(error))
    except OSError as error:  # the folder cannot be used, or what is finished there cannot be read: it stays
        return Outcome("failed", f"nothing was touched in {folder}: {error}")


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Sends what is logged to a job's own file while the context lasts."""
    if os.path.lexists(path) and not path.is_file():  # a pipe would be waited for
        raise NotRegular(errno.EINVAL, "not a regular file", str(path))
    handler = logging.FileHandler(path, delay=True, encoding="utf-8", errors="backslashreplace")
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
            _require_as_planned(at.job)
            for doubt in filter(None, [*doubts([at.job]), changed_since(at.job.preset)]):
                warnings.warn(doubt, stacklevel=1)
            message = work(at)
        at.remove(CHECKPOINT)
        at.remove(FAILURE)
        return Outcome("done", message)
    except Interrupted as error:
        return Outcome("unfinished", str(error))
    except (LockHeld, LockLost):
        raise
    except Exception as error:
        return _fail(at, error)
    finally:
        at.tracking.close()
        with suppress(LockLost, OSError):  # another's progress, or no reason for a finished job to fail
            at.remove(PROGRESS)


def _require_as_planned(job: Job) -> None:
    """Raises Changed unless images and code give the job its key; it may have been planned long ago, elsewhere."""
    job.dataset.refresh()
    now = replace(job)  # which has read nothing yet
    if _keys(now) != _keys(job):
        of_dataset = any(now.identity.get(name) != job.identity.get(name) for name in ("dataset", "source"))
        what = f"the images of {job.dataset.text}" if of_dataset else "what the code makes of it"
        raise Changed(f"{what} changed after this was planned; the same command runs it anew, under another key")


def _keys(job: Job) -> list[str]:
    """What a record says was done and used."""
    return [job.key, *(need.key for need in job.artifacts)]


def _fail(at: Attempt, error: Exception) -> Outcome:
    at.lock.verify()
    logger.exception("failed")
    message = f"{type(error).__name__}: {error}"
    if at.is_finished():
        return Outcome("done", f"finished, and then: {message}")
    record_failure(at.job, at.folder, message, "".join(traceback.format_exception(error)), at.lock.verify)
    return Outcome("failed", message)


def format_history(history: LossHistory) -> str:
    """history.csv: a line per stretch of training, with its last step, learning rate and mean losses."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history.lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in history.lines:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()})
    return text.getvalue()


def _packed(state: dict[str, Any]) -> bytes:
    """The bytes of a checkpoint: everything that a training needs to go on with the same bits."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The state last saved in a job's folder, on the CPU; None where there is none.

    Raises what torch raises, RecordError for what is no regular file, and Unreadable.
    """
    try:
        with io.BufferedReader(open_regular(folder / CHECKPOINT)) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except Absent:
        return None


def set_aside_checkpoint(folder: Path) -> Path:
    """Renames a damaged checkpoint, so that it can be looked at and does not stand in the way."""
    aside = folder / f"{CHECKPOINT}.damaged"
    os.replace(folder / CHECKPOINT, aside)
    return aside
