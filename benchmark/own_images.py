"""What records say of people's own images, as outlines: a table for each folder and preset, of no study's cells."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmark.again import settings_of
from datasets.options import divide_text
from datasets.registry import BadInput
from results.escape import one_line
from results.index import Entry, Records
from results.metrics import METRICS
from results.outline import CellSpec, Outline
from results.reader import RecordError
from results.records import Record

STUDY = "table1"  # whose sizes and methods `run --dataset folder:PATH` takes
Pair = tuple[Entry, Record]


def outlines_of_own(records: Records, known: Iterable[str]) -> list[Outline]:
    """One for each folder of images and preset that records are of; known: keys that have their place in a study.

    They hold what was measured, whatever was asked for. Two protocols of one method, size and seed are two tables.
    """
    known = set(known)
    pairs = [pair for entry in records if "@" in entry.dataset and entry.key not in known for pair in _whole(entry)]
    pairs.sort(key=_place)
    places = (list(group) for _, group in groupby(pairs, key=_place))
    return [_outline(one, told) for place in places for told, one in _tables(place)]


def _whole(entry: Entry) -> Iterator[Pair]:
    with suppress(RecordError):  # replaced or removed since it was read
        yield entry, entry.record()


def _place(pair: Pair) -> tuple[str, str, str]:
    entry, record = pair
    return entry.dataset, entry.preset, record.kind


def _tables(pairs: list[Pair]) -> list[tuple[str, list[Pair]]]:
    """The records of one table each, and what there is to say of their protocols."""
    told = _differing([record.run["protocol"] for _, record in pairs])
    if len({(entry.row, entry.samples_per_class, entry.seed) for entry, _ in pairs}) == len(pairs):
        differ = dict.fromkeys(f"{entry.row} {one}" for (entry, _), one in zip(pairs, told, strict=True) if one)
        return [("; ".join(differ), pairs)]
    groups: dict[str, list[Pair]] = {}
    for pair, one in zip(pairs, told, strict=True):
        groups.setdefault(one, []).append(pair)
    return list(groups.items())


def _outline(pairs: list[Pair], told: str) -> Outline:
    seeds = tuple(sorted({entry.seed for entry, _ in pairs}))
    metric = next((name for name in pairs[0][0].metrics if name in METRICS), "top1")
    label = _label(pairs)
    return Outline(
        name=STUDY,
        title=f"Your own images: {label}",
        note=f"Protocols differ: {told}." if told else "",
        average=False,
        second_best=False,
        published=None,
        figure=None,
        samples=None,
        rows=("dataset", "method"),
        columns=("samples_per_class",),
        preset=pairs[0][0].preset,
        study_preset="",
        seeds=seeds,
        study_seeds=(),
        settings=_settings([record for _, record in pairs]),
        left_out=(),
        remarks=(),
        unavailable=0,
        missing=(),
        by_files=False,
        cells=tuple(_cells(pairs, seeds, label, metric)),
        kind=pairs[0][1].kind,
    )


def _settings(records: list[Record]) -> tuple[str, ...]:
    """The --set values of all records; none where protocols differ, or images or methods are not here to tell."""
    with suppress(BadInput):
        if all(record.run["protocol"] == records[0].run["protocol"] for record in records):
            return settings_of(STUDY, records[0]) or ()
    return ()


def _label(pairs: list[Pair]) -> str:
    """The folder's last name where a record tells it, and the hash."""
    images, content = _images(pairs), pairs[0][0].dataset.partition("@")[2]
    name = Path(divide_text(images)[2].lstrip(":")).name if images else ""
    return f"Folder {one_line(name)} ({content[:8]})" if name else f"Folder {content[:8]}"


def _images(pairs: Iterable[Pair]) -> str:
    return next((record.images for _, record in pairs if record.images), "")


def _cells(pairs: list[Pair], seeds: tuple[int, ...], label: str, metric: str) -> Iterator[CellSpec]:
    rows: dict[tuple[str, int], dict[int, str]] = {}
    for entry, _ in pairs:
        rows.setdefault((entry.row, entry.samples_per_class), {})[entry.seed] = entry.key
    for (row, size), keys in rows.items():
        yield CellSpec(
            _images(pairs) or pairs[0][0].dataset.partition("@")[0],
            label,
            row,
            _method_label(row),
            size,
            pairs[0][0].preset,
            None,
            tuple(keys.get(seed, "") for seed in seeds),
            content=pairs[0][0].dataset.partition("@")[2],
            metric=metric,
        )


def _differing(protocols: list[dict[str, Any]]) -> list[str]:
    """What each protocol has that not all have: `epochs 5, network wrn-10-1`; "" where all are the same."""
    names = list(dict.fromkeys(name for protocol in protocols for name in protocol))
    differ = [name for name in names if any(one.get(name) != protocols[0].get(name) for one in protocols)]
    return [", ".join(f"{name} {protocol.get(name)}" for name in differ) for protocol in protocols]


def _method_label(row: str) -> str:
    from methods.registry import label_method, parse_method

    try:
        return label_method(parse_method(row))
    except BadInput:  # of a method that is not here
        return row
