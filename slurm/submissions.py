"""What was submitted, kept as one small JSON file per submission in the store: <store>/.slurm/<id>/submission.json."""

import datetime
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from results.files import write_json
from results.reader import RecordError, Unreadable, checked, read_json

FOLDER, FILE = ".slurm", "submission.json"
CANCELLED = "cancelled"  # a folder beside FILE: an empty file per cancelled run, named by its key


@dataclass
class SentArray:
    """Packs that went out together: the keys of each pack's jobs.

    jobs: the ids that the executor gave the packs; empty until it has answered.
    """

    kind: str
    packs: list[list[str]]
    after: list[str] = field(default_factory=list)
    jobs: list[Annotated[str, Field(pattern=r"^\w+$")]] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The id that stands for all its jobs."""
        return self.jobs[0].partition("_")[0]


@dataclass
class Submission:
    """One `submit`: what went where, from which code.

    device: cpu or cuda, for estimates; failures: when the jobs that it tries again had failed, by key.
    """

    id: str
    study: str
    profile: str
    executor: str
    runs_per_gpu: int
    device: str
    commit: str | None
    dirty: bool | None
    arrays: list[SentArray] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def job_name(self) -> str:
        """The name of all its Slurm jobs, by which they are found."""
        return f"hydrabench-{self.id}"

    def job_keys(self) -> Iterator[str]:
        """The keys of all its runs and builds."""
        return (key for array in self.arrays for pack in array.packs for key in pack)

    def sent_packs(self) -> Iterator[tuple[str, SentArray, list[str]]]:
        """(job id, array, keys) of every pack that the executor has taken."""
        for array in self.arrays:
            for job, keys in zip(array.jobs, array.packs, strict=False):
                yield job, array, keys


def folder_of(store: Path, submission: str) -> Path:
    """Where a submission keeps its file, its scripts and its jobs' logs."""
    return store / FOLDER / submission


def new_id() -> str:
    """Ascending with time, and unlike any other."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def save(store: Path, submission: Submission) -> None:
    write_json(folder_of(store, submission.id) / FILE, {"schema": 1} | asdict(submission))


def load_submissions(store: Path, problems: list[str] | None = None) -> list[Submission]:
    """All submissions of a store, oldest first; files that are none are left out and named in `problems`.

    Raises OSError for one that cannot be read: without it, what it sent would be sent twice.
    """
    found = []
    for path in sorted((store / FOLDER).glob(f"*/{FILE}")):
        try:
            found.append(_read(path))
        except Unreadable:
            raise
        except RecordError as error:
            (problems if problems is not None else []).append(f"{path}: {error}")
    return found


def _read(path: Path) -> Submission:
    """A submission; its id must be its folder's name, which scripts and logs are found by."""
    value = read_json(path)
    if value.get("schema") != 1:
        raise RecordError("not of schema version 1")
    submission = checked(value, Submission)
    if submission.id != path.parent.name:
        raise RecordError(f"its folder must be {submission.id!r:.40}")
    return submission


def cancel_run(store: Path, submission: str, key: str) -> None:
    """Asks the job that holds a run to leave it out, or to stop it."""
    folder = folder_of(store, submission) / CANCELLED
    folder.mkdir(parents=True, exist_ok=True)
    (folder / key).touch()


def cancelled_runs(folder: Path) -> set[str]:
    """The keys that `cancel_run` left in a submission's folder."""
    return {path.name for path in (folder / CANCELLED).glob("*")}
