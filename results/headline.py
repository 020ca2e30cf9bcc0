"""What a reader of the report wants to know first: what is measured, what is off, what is new, what is left."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from results.durations import about
from results.index import Entry, Records
from results.outline import CellSpec, Outline
from results.records import Record
from results.reproduction import coverage

_NEWEST = 8


@dataclass(frozen=True)
class Headline:
    """measured: how much of what the papers print; lately: records of the last 24 hours; left: what is open of the
    studies that are begun, and how long it takes, "" where nothing is."""

    measured: str
    lately: int
    new: list[tuple[Entry, Record]]
    left: str


def headline(
    outlines: Sequence[Outline], records: Records, whole: Sequence[tuple[Entry, Record]], now: datetime
) -> Headline:
    """The headline of a report that is made `now`; whole: all records that can be read."""
    of_papers = coverage(_by_study(outlines), records)
    times = {entry.key: time for entry, record in whole if (time := _finished(record))}
    newest = sorted((pair for pair in whole if pair[0].key in times), key=lambda pair: times[pair[0].key])
    return Headline(
        measured=of_papers.sentence() if of_papers.total else "",
        lately=sum(time > now - timedelta(days=1) for time in times.values()),
        new=newest[::-1][:_NEWEST],
        left=_left(outlines, records),
    )


def _by_study(outlines: Iterable[Outline]) -> list[list[Outline]]:
    """Each study as it is, then at other presets and on stand-ins, as `coverage` counts them; none of own images."""
    studies: dict[str, list[Outline]] = {}
    for outline in sorted(outlines, key=lambda outline: (not outline.papers_setting, bool(outline.stand_ins()))):
        if not outline.own:
            studies.setdefault(outline.name, []).append(outline)
    return list(studies.values())


def _finished(record: Record) -> datetime | None:
    try:
        time = datetime.fromisoformat(record.finished)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _left(outlines: Iterable[Outline], records: Records) -> str:
    seconds: dict[str, float] = {}
    for outline in outlines:
        found = open_seconds(outline, records)
        seconds |= {key: time for key, time in found.items() if math.isnan(seconds.get(key, math.nan))}
    if not seconds:
        return ""
    runs = f"{len(seconds):,} run{'s' * (len(seconds) != 1)}"
    return f"{runs} of the studies that are begun: {time_of(seconds.values())}"


def brief_time_of(seconds: Collection[float]) -> str:
    """`about 3 h` for those like which something was timed, `unknown` where there are none."""
    known = [value for value in seconds if not math.isnan(value)]
    return about(sum(known)) if known else "unknown"


def time_of(seconds: Collection[float]) -> str:
    """`about 3 h of one process at the speed of those done, and 5 of unknown time`: like which nothing was timed."""
    unknown = sum(map(math.isnan, seconds))
    parts = [f"{brief_time_of(seconds)} of one process at the speed of those done"] * (unknown < len(seconds))
    return ", and ".join([*parts, *[f"{unknown:,} of unknown time"] * bool(unknown)])


def open_seconds(outline: Outline, records: Records) -> dict[str, float]:
    """Of each run that has no record its seconds, as those done of the study took, the most alike; {} where none is.

    NaN where all were done beside other work (`nice`). Left out is what several runs share, like generators.
    """
    took: dict[tuple[object, ...], list[float]] = {}
    open_: list[tuple[CellSpec, str]] = []
    begun = False
    for cell in outline.first_cells:
        for key in filter(None, cell.keys):
            if (entry := records.by_key.get(key)) is None:
                open_.append((cell, key))
            elif entry.nice > 0:
                begun = True
            else:
                _note(took, cell, entry.train_seconds + entry.eval_seconds)
    return {key: _like(cell, took) for cell, key in open_} if took or begun else {}


def _note(took: dict[tuple[object, ...], list[float]], cell: CellSpec, seconds: float) -> None:
    for kind in _kinds(cell):
        took.setdefault(kind, []).append(seconds)


def _like(cell: CellSpec, took: Mapping[tuple[object, ...], list[float]]) -> float:
    return median(next(took[kind] for kind in _kinds(cell) if kind in took)) if took else math.nan


def _kinds(cell: CellSpec) -> tuple[tuple[object, ...], ...]:
    """What a cell's runs are compared with, the nearest first."""
    dataset, size = cell.dataset_id, cell.samples_per_class
    return (dataset, size, cell.method), (dataset, size), (dataset,), ()
