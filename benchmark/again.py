"""The command that makes a record's run again, where this checkout has one that gives its key."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from benchmark.selection import Selection, study_names
from datasets.registry import BadInput
from results.records import Record, kind_of


def command_of(record: Record) -> str | None:
    """`hydrabench run STUDY ...` for a record's run alone; None where no study, preset and --set give its key."""
    for study in sorted(study_names(), key=lambda name: name != "table1"):  # the one that people know
        with suppress(BadInput):
            if (settings := settings_of(study, record)) is not None:
                return _command(study, record, settings)
    return None


def settings_of(study: str, record: Record) -> tuple[str, ...] | None:
    """The --set values with which a study gives a record's key, none where the preset does; None where nothing does.

    Raises BadInput where the study, its preset or the images are not here.
    """
    from benchmark.study import load_grid, load_study

    run = record.run
    if load_study(study).measure != kind_of(run):
        return None
    places = (_dataset(record),), (record.row,), (run["samples_per_class"],), (run["seed"],)
    selection = Selection(record.preset, *places)
    for one in load_grid(study, selection).runs():
        settings = tuple(_differing(one.protocol.identity, run["protocol"]))
        again = load_grid(study, replace(selection, settings=settings)) if settings else None
        if record.key in {other.key for other in (again.runs() if again else [one])}:
            return settings
    return None


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    return (f"protocol.{name}={value}" for name, value in theirs.items() if ours.get(name) != value)


def _command(study: str, record: Record, settings: tuple[str, ...]) -> str:
    run = record.run
    names = ["--preset", record.preset, "--dataset", _dataset(record), "--method", record.row]
    numbers = ["--samples-per-class", str(run["samples_per_class"]), "--seeds", str(run["seed"])]
    return shlex.join(["hydrabench", "run", study, *names, *numbers, *(f"--set={one}" for one in settings)])


def _dataset(record: Record) -> str:
    """As a command names it."""
    return record.images or record.run["dataset"]["name"]
