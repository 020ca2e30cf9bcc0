"""Records out of one place and into another: one file for other programs, folders for other clusters."""

import io
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from results.files import HISTORY, RECORD
from results.index import Entry, Records, load_records
from results.outline import Outline
from results.records import Record, RecordError, dataset_id

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet", "json")
_PLAIN = ("row", "preset", "steps", "train_seconds", "eval_seconds", "prepare_seconds", "images_per_second")
_LATER = ("resumed", "finished", "subset_sha256", "weights_sha256")
_MACHINE = ("host", "device", "device_type", "threads", "precision", "tf32", "deterministic", "nice")
_ENVIRONMENT = (*_MACHINE, "commit", "dirty", "peak_memory")
_IDENTITY = ("key", "dataset", "samples_per_class", "method", "parameters", "automatic", "seed")
_METRICS = ("top1", "top5", "loss", "test_images")
_NESTED = ("protocol", "versions", "artifacts", "warnings")
COLUMNS = (*_IDENTITY, *_METRICS, *_PLAIN, *_LATER, *_ENVIRONMENT, *_NESTED, "file")


def export(entries: Iterable[Entry], form: str, problems: list[str]) -> bytes:
    """The records as one CSV, Parquet or JSON file; a record that is no longer readable is added to `problems`.

    CSV and Parquet have the columns COLUMNS, a line per record, with what is nested as JSON text; JSON is a list of
    whole records, as they are in their files.
    """
    records = list(_read(entries, problems))
    if form == "json":
        return json.dumps([record.model_dump(by_alias=True) for _, record in records], indent=1).encode() + b"\n"
    frame = _frame(records)
    if form == "csv":
        return frame.to_csv(index=False).encode()
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def entries_of(outlines: Sequence[Outline], records: Records) -> list[Entry]:
    """The records of outlines, each once."""
    keys = dict.fromkeys(key for outline in outlines for key in outline.keys)
    return [records.by_key[key] for key in keys if key in records.by_key]


def _read(entries: Iterable[Entry], problems: list[str]) -> Iterator[tuple[Path, Record]]:
    for entry in entries:
        try:
            yield entry.path, entry.record()
        except RecordError as error:
            problems.append(f"{entry.path}: {error}")


def _frame(records: list[tuple[Path, Record]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([_line(path, record) for path, record in records], columns=list(COLUMNS))


def _line(path: Path, record: Record) -> dict[str, object]:
    run, method = record.run, record.run["method"]
    line = {"key": record.key, "dataset": dataset_id(run["dataset"]), "method": method["name"], "seed": run["seed"]}
    line |= {"samples_per_class": run["samples_per_class"], **record.metrics.model_dump()}
    line |= {name: getattr(record, name) for name in _PLAIN + _LATER}
    line |= {name: getattr(record.environment, name) for name in _ENVIRONMENT}
    nested = {"parameters": method.get("parameters", {}), "automatic": method.get("automatic")}
    nested |= {"protocol": run["protocol"], "versions": record.environment.versions}
    nested |= {"artifacts": record.artifacts, "warnings": record.warnings}
    return line | {name: json.dumps(value, sort_keys=True) for name, value in nested.items()} | {"file": str(path)}


@dataclass
class Import:
    """What an import did. copied: new records; same: there already, bit for bit the same result; conflicts: there
    already with another result, left as they were; problems: files of the source that cannot be trusted."""

    copied: list[Path] = field(default_factory=list)
    same: list[Path] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def import_records(source: Path, store: Path) -> Import:
    """Copies the records of another store, each with its history, to where they belong in `store`.

    Nothing in `store` is ever replaced: a key that both have with different results is a conflict to be settled by a
    person, and so is one that the source itself has twice (which load_records reports).
    """
    theirs, ours = load_records([source]), load_records([store])
    done = Import(problems=[*theirs.problems, *ours.problems])
    for entry in theirs:
        mine = ours.by_key.get(entry.key)
        if mine is None:
            _copy_new(entry, store, done)
        elif mine.record() == entry.record():
            done.same.append(entry.path)
        else:
            done.conflicts.append(_conflict(mine, entry))
    return done


def _copy_new(entry: Entry, store: Path, done: Import) -> None:
    target = store / entry.folder
    if (target / RECORD).exists():
        done.conflicts.append(f"{target / RECORD} is there and cannot be read: {entry.path} was not copied over it")
        return
    _copy(entry.path.parent, target)
    done.copied.append(target / RECORD)


def _copy(source: Path, target: Path) -> None:
    """The record last: until it is there, the run counts as not done. Files are copied, then renamed."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (HISTORY, RECORD):
        if (source / name).is_file():
            draft = target / f".{name}.{uuid.uuid4().hex}"
            shutil.copy2(source / name, draft, follow_symlinks=False)
            draft.rename(target / name)


def _conflict(mine: Entry, theirs: Entry) -> str:
    """What differs most: the accuracies, or else that they agree and something else does not."""
    values = f"top-1 {mine.top1:.2f} here, {theirs.top1:.2f} there"
    same = " (the same accuracy, made twice)" if mine.top1 == theirs.top1 else ""
    return f"key {mine.key}: {values}{same}: {mine.path} and {theirs.path}"
