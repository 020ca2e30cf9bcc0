"""A job: what can be attempted and must be done once, a run or the building of an artifact; and how that ends."""

import datetime
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmark.checkout import CodeState
from benchmark.run import Build, Run
from results.artifacts import ARTIFACT, read_tensors
from results.files import CHECKPOINT, FAILURE, LOG, PROGRESS, RECORD, TEMPORARY, Verify, write_json
from results.locks import Lock, LockHeld
from results.records import SCHEMA, RecordError, Unreadable, read_record

logger = logging.getLogger("hydrabench")

Job = Run | Build


def doubts(jobs: Iterable[Job]) -> list[str]:
    """A line for each dataset of jobs whose images may not be what a person means them to be."""
    found = {dataset.text: dataset.doubts() for dataset in dict.fromkeys(job.dataset for job in jobs)}
    return [f"{text}: {'; '.join(told)}" for text, told in found.items() if told]


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: done, failed, unfinished (stopped at a checkpoint), or elsewhere (a living
    process has the job); `message` is one line for people."""

    state: str
    message: str


@dataclass(frozen=True)
class Options:
    """How to execute, none of it in a key."""

    keep_weights: bool = False  # beside the record, as safetensors
    force: bool = False  # run again and replace the record
    checkpoint_seconds: float = 180.0
    submitted: CodeState | None = None  # the code when the job was sent, if it was
    deterministic: bool = False  # a GPU repeats its bits, as far as it can
    track: str | None = None  # what shows its losses while it runs (benchmark/track.py)


@dataclass(frozen=True)
class Receipt:
    """The file in a job's folder whose presence is what "done" means, and its strict reader."""

    name: str
    read: Callable[[Path], object]

    def is_good(self, folder: Path) -> bool:
        """Whether the folder has one that can be trusted; raises Unreadable where that cannot be known."""
        return self._problem(folder) is None and (folder / self.name).exists()

    def inode(self, folder: Path) -> int | None:
        """Tells one that replaced another apart from it; None where there is none."""
        try:
            return (folder / self.name).stat().st_ino
        except FileNotFoundError:
            return None

    def is_new(self, folder: Path, replaced: int | None) -> bool:
        """Whether the folder has a good one other than that with the inode `replaced`: the job is done."""
        return self.inode(folder) not in (None, replaced) and self.is_good(folder)

    def set_aside_damaged(self, folder: Path) -> None:
        """Renames one that cannot be trusted, so that the job is done again; for whoever holds the folder's lock.

        Raises Unreadable, and touches nothing, where it may be whole.
        """
        if problem := self._problem(folder):
            (folder / self.name).rename(folder / f"{self.name}.damaged")
            logger.warning("%s: %s; set aside", folder / self.name, problem)

    def _problem(self, folder: Path) -> str | None:
        try:
            if (folder / self.name).exists():
                self.read(folder / self.name)
        except Unreadable:
            raise
        except RecordError as error:
            return str(error)
        return None


_OF_RUNS = Receipt(RECORD, read_record)
_OF_BUILDS = Receipt(ARTIFACT, lambda path: read_tensors(path.parent))


def receipt_of(job: Job) -> Receipt:
    """What says that a job is done: a run's record, or an artifact's beside its tensors."""
    return _OF_BUILDS if isinstance(job, Build) else _OF_RUNS


def sweep_up(job: Job, folder: Path) -> None:
    """Removes what a killed process left in a job's folder: drafts, progress, and what is older than the receipt.

    A checkpoint or failure younger than that is of an attempt to replace it. For whoever holds the folder's lock.
    """
    for draft in folder.glob(TEMPORARY):
        draft.unlink(missing_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    receipt = folder / receipt_of(job).name
    for left in (folder / CHECKPOINT, folder / FAILURE):
        if receipt.exists() and left.exists() and left.stat().st_mtime_ns <= receipt.stat().st_mtime_ns:
            left.unlink()


def sweep_up_after(job: Job, store: Path) -> None:
    """Removes what a kill left beside a finished job, if anything; what another process uses is left to it."""
    folder = store / job.path
    try:
        if any(_is_left_over(name) for name in os.listdir(folder)):
            with Lock(folder):
                sweep_up(job, folder)
    except (LockHeld, OSError):
        return  # a store that cannot be written, or of somebody else: the results in it are good


def _is_left_over(name: str) -> bool:
    return name in ("lock", CHECKPOINT, FAILURE, PROGRESS) or fnmatch(name, TEMPORARY)


def record_failure(job: Job, folder: Path, message: str, details: str, verify: Verify | None = None) -> None:
    """Leaves failure.json in a job's folder; where even that cannot be written (a full disk), says so."""
    kind = "artifact" if isinstance(job, Build) else "run"
    value = {"schema": SCHEMA, "key": job.key, kind: job.identity, "row": job.row, "preset": job.preset}
    value |= {"error": message, "traceback": details, "log": str(folder / LOG), "failed": now()}
    try:
        write_json(folder / FAILURE, value, verify)
    except OSError as error:
        logger.error("%s: cannot write %s: %s", job, folder / FAILURE, error)


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
