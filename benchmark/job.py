"""A job: what can be attempted and must be done once, a run or the building of an artifact; and how that ends."""

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.checkout import CodeState
from benchmark.run import Build, Run
from results.files import FAILURE, LOG, write_json
from results.records import SCHEMA, RecordError, Unreadable

logger = logging.getLogger("hydrabench")

Job = Run | Build


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


@dataclass(frozen=True)
class Receipt:
    """The file in a job's folder whose presence is what "done" means, and its strict reader."""

    name: str
    read: Callable[[Path], object]

    def is_good(self, folder: Path) -> bool:
        """Whether the folder has one that can be trusted; raises Unreadable where that cannot be known."""
        return self._problem(folder) is None and (folder / self.name).exists()

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


def record_failure(job: Job, folder: Path, message: str, details: str) -> None:
    """Leaves failure.json in a job's folder; where even that cannot be written (a full disk), says so."""
    kind = "artifact" if isinstance(job, Build) else "run"
    value = {"schema": SCHEMA, "key": job.key, kind: job.identity, "row": job.row, "preset": job.preset}
    value |= {"error": message, "traceback": details, "log": str(folder / LOG), "failed": now()}
    try:
        write_json(folder / FAILURE, value)
    except OSError as error:
        logger.error("%s: cannot write %s: %s", job, folder / FAILURE, error)


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
