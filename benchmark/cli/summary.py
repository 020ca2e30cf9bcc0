"""What `show` says of a record: what it is of, what came out, what made it, and the command that makes it again."""

import os
from pathlib import Path
from typing import Any

from benchmark.again import command_of
from results.artifacts import ARTIFACT, ArtifactRecord, read_artifact
from results.files import PREDICTIONS
from results.metrics import METRICS
from results.predictions import read_predictions
from results.reader import RecordError
from results.records import Environment, Record, dataset_id, read_record


def summary(path: Path) -> str:
    """The record in a file, of a run or an artifact, in a few lines; raises RecordError where it cannot be trusted."""
    if path.name == ARTIFACT:
        return _of_artifact(read_artifact(path))
    record = read_record(path)
    return "\n\n".join([_of_run(record), *_of_classes(path.parent, record)])


def _of_classes(folder: Path, record: Record) -> list[str]:
    """What the classifier took for what, where its predictions are beside the record."""
    if not os.path.lexists(folder / PREDICTIONS):
        return []
    from results.classes import classes_text

    try:
        return [classes_text(read_predictions(folder, record))]
    except RecordError as error:
        return [f"{folder / PREDICTIONS}: {error}"]


def _of_run(record: Record) -> str:
    run = record.run
    numbers = [f"{METRICS[n].word if n in METRICS else n} {value:.2f}" for n, value in record.values.items()]
    protocol = ", ".join(f"{name} {value}" for name, value in run["protocol"].items())
    lines = [
        _place(dataset_id(run["dataset"]), record.row, run, record.key),
        ", ".join(numbers),
        f"preset {record.preset}: {protocol}",
        f"{record.steps} steps in {record.train_seconds:.0f} s, evaluation {record.eval_seconds:.0f} s",
        *_made(record.environment, record.finished, record.resumed),
        *(f"artifact {key}" for key in record.artifacts),
        *(f"warning: {warning}" for warning in record.warnings),
    ]
    return "\n".join([*lines, *_again(record)])


def _of_artifact(record: ArtifactRecord) -> str:
    what = record.artifact
    losses = ", ".join(f"{name} {value:.4f}" for name, value in record.losses.items())
    lines = [
        _place(what["source"], what["recipe"]["name"], what, record.key),
        *([losses] if losses else []),
        f"preset {record.preset}; {record.steps} steps in {record.train_seconds:.0f} s",
        *_made(record.environment, record.finished, record.resumed),
        *(f"warning: {warning}" for warning in record.warnings),
    ]
    return "\n".join(lines)


def _place(images: str, row: str, identity: dict[str, Any], key: str) -> str:
    return f"{images}, {identity['samples_per_class']}/class, {row}, seed {identity['seed']} [{key}]"


def _made(here: Environment, finished: str, resumed: int) -> list[str]:
    commit = f"commit {here.commit[:9] if here.commit else 'unknown'}{' with changes' * bool(here.dirty)}"
    again = f", taken up {resumed} times" if resumed else ""
    versions = ", ".join(f"{name} {here.versions[name]}" for name in ("python", "torch") if name in here.versions)
    beside = [f"made beside other work (nice {here.nice}): its times tell nothing of speed"] * (here.nice > 0)
    return [f"made {finished} on {here.host} ({here.device}, {here.precision}), {commit}, {versions}{again}", *beside]


def _again(record: Record) -> list[str]:
    if command := command_of(record):
        return [f"made again by: {command}"]
    return ["no study, preset and method of this checkout give its key"]
