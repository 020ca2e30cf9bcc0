"""The records of whole stores, in a form that is quick to find again: each file is read once, then remembered.

What is remembered lies in one file per store. It is a hint that is checked against the store's files every time, and
it can be deleted at any moment.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from datasets.paths import real_path
from results.cache import recall, remember
from results.escape import one_line
from results.files import RECORD
from results.records import Record, dataset_id, read_record, slot_of_text
from results.walk import Survey

_WORTH_REMEMBERING = 500  # files and folders read; fewer are read again as quickly as an index is written


class Entry(NamedTuple):
    """What tables, plans and comparisons need of a record; the rest is in its file. Units as in records.Record.

    dataset: as records.dataset_id has it. network: of another kind of protocol than `classify`, that kind.
    """

    store: str
    folder: str
    key: str
    slot: str
    dataset: str
    samples_per_class: int
    method_name: str
    network: str
    seed: int
    row: str
    preset: str
    metrics: dict  # by name: top1, top5, loss of a classifier
    device_type: str
    train_seconds: float
    eval_seconds: float
    images_per_second: float
    nice: int

    @property
    def top1(self) -> float:
        """A classifier's accuracy in percent."""
        return self.metrics["top1"]

    @property
    def path(self) -> Path:
        """The record's file."""
        return Path(self.store, self.folder, RECORD)

    def record(self) -> Record:
        """Everything in the file; raises RecordError where it is no longer what it was."""
        return read_record(self.path)


_KINDS = tuple(Entry.__annotations__.values())[2:]


def summarise(record: Record) -> list[Any]:
    """The fields of an Entry after `folder`, in their order."""
    run = record.run
    values = {
        "key": record.key,
        "slot": slot_of_text(record.canonical),
        "dataset": dataset_id(run["dataset"]),
        "samples_per_class": run["samples_per_class"],
        "method_name": run["method"]["name"],
        "network": run["protocol"].get("network", record.kind),
        "seed": run["seed"],
        "row": record.row,
        "preset": record.preset,
        "metrics": record.values,
        "device_type": record.environment.device_type,
        "train_seconds": record.train_seconds,
        "eval_seconds": record.eval_seconds,
        "images_per_second": record.images_per_second,
        "nice": record.environment.nice,
    }
    return [values[name] for name in Entry._fields[2:]]


@dataclass
class Records:
    """What a set of stores holds: entries by key, entries by slot, and the files that were left out."""

    by_key: dict[str, Entry] = field(default_factory=dict)
    by_slot: dict[str, list[Entry]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.by_key[entry.key] = entry
        self.by_slot.setdefault(entry.slot, []).append(entry)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.by_key.values())


def load_records(stores: Iterable[Path]) -> Records:
    """The records of several stores. Files that cannot be trusted, and keys that one store holds twice, are
    left out and named in `problems`; where two stores hold a key, the earlier store's record counts."""
    found = Records()
    with _collector_paused():
        for store in dict.fromkeys(map(real_path, stores)):
            for entry in _load_store(store, found.problems):
                if entry.key not in found.by_key:
                    found.add(entry)
    return found


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Makes many small lists and no cycles: the garbage collector would double the time and find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _survey(store: Path) -> Survey:
    """A walk with what is remembered of the store, or without it where that has another shape than we write."""
    with suppress(TypeError, ValueError, LookupError, AttributeError, RecursionError):
        survey = Survey(store, recall(store), summarise)
        if all(tuple(map(type, row)) == _KINDS for _, row in survey.rows):
            return survey
    return Survey(store, None, summarise)


def _load_store(store: Path, problems: list[str]) -> Iterator[Entry]:
    survey = _survey(store)
    if survey.read >= _WORTH_REMEMBERING:
        remember(store, survey.tree)
    copies: dict[str, list[Entry]] = {}
    for folder, row in survey.rows:
        copies.setdefault(row[0], []).append(Entry(survey.store, folder, *row))
    problems += [one_line(problem) for problem in survey.problems]
    for key, entries in copies.items():
        if len(entries) == 1:
            yield entries[0]
        else:
            places = ", ".join(str(entry.path) for entry in entries)
            problems.append(one_line(f"key {key} is there {len(entries)} times, all left out: {places}"))
