"""What a job leaves in its folder besides its record: how far it is, and why it failed."""

from pathlib import Path
from typing import Any, NamedTuple

from results.files import FAILURE, PROGRESS, Verify, read_json, write_json
from results.records import dataset_id


class Progress(NamedTuple):
    """progress.json: where a training is. losses: means by name since the last line of its history."""

    step: int
    steps: int
    losses: dict[str, float]

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
    """None where nothing runs, or has not said anything yet."""
    try:
        value = read_json(folder / PROGRESS) or {}
        losses = {str(name): float(loss) for name, loss in value["losses"].items()}
        return Progress(int(value["step"]), int(value["steps"]), losses)
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def read_failure(folder: Path) -> Failure | None:
    """None where there is no failure; one that cannot be read is a failure all the same."""
    if not (folder / FAILURE).exists():
        return None
    value = _failure_file(folder / FAILURE)
    texts = {name: str(value.get(name, "")) for name in ("key", "row", "preset", "error", "traceback", "failed")}
    return Failure(dataset=_dataset(value), **texts)


def _failure_file(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) or {"error": f"{path} is damaged"}
    except OSError as error:
        return {"error": f"{path} cannot be read: {error.strerror}"}


def _dataset(value: dict[str, Any]) -> str:
    """A run's dataset by its identity, or an artifact's training source."""
    run, artifact = value.get("run"), value.get("artifact")
    dataset = run.get("dataset") if isinstance(run, dict) else None
    if isinstance(dataset, dict):
        return dataset_id({"name": ""} | dataset)
    return str(artifact.get("source", "")) if isinstance(artifact, dict) else ""
