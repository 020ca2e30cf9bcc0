"""What a job leaves in its folder besides its record: how far it is, and why it failed."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from results.files import FAILURE, PROGRESS, RECORD, Verify, write_json
from results.locks import is_running
from results.reader import RecordError, read_as, read_json
from results.records import Count, Finite, dataset_id


class Progress(NamedTuple):
    """progress.json: where a training is. losses: means by name since the last line of its history."""

    step: Count
    steps: Count
    losses: dict[str, Finite]

    @property
    def share(self) -> float:
        """The share of the steps that are done, 0 to 1."""
        return self.step / max(self.steps, 1)


class Failure(NamedTuple):
    """failure.json: a job that ended in an error. dataset: its id, "" where the file does not say.

    failed: when, ISO 8601; row: the method or artifact, for people.
    """

    key: str
    row: str
    preset: str
    dataset: str
    error: str
    traceback: str
    failed: str


def write_progress(folder: Path, progress: Progress, verify: Verify) -> None:
    write_json(folder / PROGRESS, progress._asdict(), verify)


def read_progress(folder: Path) -> Progress | None:
    """None where nothing runs, or has not said anything that can be used."""
    try:
        return read_as(folder / PROGRESS, Progress)
    except RecordError:
        return None


def read_failure(folder: Path) -> Failure | None:
    """None where there is no failure; one that cannot be read is a failure all the same."""
    if not _is_there(folder / FAILURE):
        return None
    value = _failure_file(folder / FAILURE)
    found = {name: value.get(name, "") for name in ("key", "row", "preset", "error", "traceback", "failed")}
    texts = {name: text if isinstance(text, str) else "" for name, text in found.items()}
    return Failure(dataset=_dataset(value), **texts)


def open_state(folder: Path, problems: list[str], receipt: str = RECORD) -> str | None:
    """How a job without a good receipt stands: running, failed or, None, nobody has begun it or one cannot look.

    problems: names the lock that is not one.
    """
    if is_running(folder, problems):
        return "running"
    return "failed" if _is_there(folder / FAILURE) and not _is_there(folder / receipt) else None


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)  # False, and no PermissionError, where one may not look


def _failure_file(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except RecordError as error:
        return {"error": f"{path}: {error}"}


def _dataset(value: dict[str, Any]) -> str:
    """A run's dataset by its identity, or an artifact's training source."""
    run, artifact = value.get("run"), value.get("artifact")
    dataset = run.get("dataset") if isinstance(run, dict) else None
    if isinstance(dataset, dict):
        return dataset_id({"name": ""} | dataset)
    return str(artifact.get("source", "")) if isinstance(artifact, dict) else ""
