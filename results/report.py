"""One page about everything: HTML by a template that escapes every string, with all it needs inside."""

import datetime
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from datasets.base import CHECKOUT
from datasets.paths import real_path
from results.compare import accuracies_of, compare, rank
from results.files import HISTORY, write_atomically
from results.folders import Surroundings, look_around
from results.histories import read_history
from results.index import Entry, Records
from results.metrics import METRICS
from results.outline import CellSpec, Outline
from results.reader import RecordError
from results.records import Record
from results.stores import Stores
from results.verdict import Verdict, judge_study

TEMPLATES = Path(__file__).parent / "templates"
REPORT = CHECKOUT / "results" / "report"
_TOLD = ("ours", "std", "n", "published", "published_std", "z", "p", "p_equal", "margin")
MOST_CURVES = 5000  # runs; a page of that many has about 9 MB


@dataclass(frozen=True)
class Section:
    """A study at one preset. columns: samples per class; rows: label texts and one cell number (or None) per column.

    coverage: runs by state; ranks: (method, average rank); comparisons: of every method with the first.
    """

    anchor: str
    title: str
    preset: str
    summary: str
    note: str
    command: str
    columns: list[int]
    rows: list[dict[str, Any]]
    coverage: dict[str, int]
    against: str
    ranks: list[tuple[str, float]]
    comparisons: list[dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    made: str  # when, UTC
    stores: list[str]  # folders
    counts: dict[str, int]  # runs by state
    sections: list[Section]
    cells: list[dict[str, Any]]  # what is shown when a cell is pointed at, by number
    runs: list[dict[str, Any]]  # learning curves
    generators: list[dict[str, Any]]  # learning curves
    samples: list[dict[str, str]]  # pictures as data: addresses
    failures: list[dict[str, str]]
    machines: list[tuple[str, str, int]]  # (host, device, records)
    versions: list[tuple[str, str, int]]  # (name, version, records)
    left_out: list[str]  # what there is too much of to show, in words
    problems: list[str]  # files that cannot be trusted
    datasets: list[str]  # to filter by: their ids
    methods: list[str]
    presets: list[str]
    shown: dict[str, str]  # what people are shown for an id of a dataset that is no name


def render(page: Page) -> str:
    """The whole page; its only foreign code is plotly.js, which is inside."""
    from plotly.offline import get_plotlyjs

    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    values = {field.name: getattr(page, field.name) for field in fields(page)}
    return templates.get_template("report.html").render(**values, plotly=get_plotlyjs())


def write_report(folder: Path, outlines: Iterable[Outline], stores: Stores, records: Records) -> Path:
    """Writes <folder>/index.html about what the stores hold; returns its path."""
    path = real_path(folder) / "index.html"
    write_atomically(path, render(make_page(outlines, stores, records, path.parent)).encode(errors="backslashreplace"))
    return path


def make_page(outlines: Iterable[Outline], stores: Stores, records: Records, folder: Path) -> Page:
    """The page of what `stores` hold, a section per outline; folder: where it will lie, for its links to records."""
    around = look_around(stores)
    collector = _Collector(records, around, folder)
    outlines = list(outlines)
    shown = {spec.dataset_id: spec.dataset_shown for outline in outlines for spec in outline.measured_cells}
    sections = [collector.section(outline) for outline in outlines]
    whole = [record for entry in records if (record := _whole(entry))]
    return Page(
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        stores=[str(store) for store in stores.folders()],
        counts={"done": len(records.by_key), **around.counts(records.by_key)},
        sections=sections,
        cells=collector.cells,
        runs=[_curve(entry, shown) for entry in islice(records, MOST_CURVES)],
        generators=around.generators,
        samples=around.samples,
        failures=around.failures,
        machines=_machines(whole),
        versions=_versions(whole),
        left_out=around.left_out + _too_many(len(records.by_key)),
        problems=list(dict.fromkeys([*records.problems, *around.problems])),
        datasets=_unique(entry.dataset for entry in records),
        methods=_unique(entry.row for entry in records),
        presets=_unique(entry.preset for entry in records),
        shown=shown,
    )


class _Collector:
    """Numbers the cells of all sections, so that the page holds what belongs to each once."""

    def __init__(self, records: Records, around: Surroundings, folder: Path):
        self.records, self.around, self.folder = records, around, folder
        self.cells: list[dict[str, object]] = []

    def section(self, outline: Outline) -> Section:
        verdict = judge_study(outline, self.records)
        cells = outline.measured_cells
        sizes = sorted({cell.samples_per_class for cell in cells})
        ranks, against, comparisons = _comparisons(outline, self.records)
        return Section(
            anchor=f"{outline.file_name}-{outline.preset}-{len(self.cells)}",
            title=outline.title,
            preset=outline.preset,
            summary=verdict.summary() if outline.published else "",
            note=outline.note,
            command=outline.command("run"),
            columns=sizes,
            rows=self._rows(outline, list(zip(cells, verdict.cells, strict=True)), sizes),
            coverage=dict(Counter(self._state(key) for cell in outline.first_cells for key in cell.keys)),
            against=against,
            ranks=ranks,
            comparisons=comparisons,
        )

    def _rows(self, outline: Outline, cells: list[tuple[CellSpec, Verdict]], sizes: list[int]) -> list[dict]:
        rows: dict[tuple[str, str, str], dict] = {}
        for spec, verdict in cells:
            row = rows.setdefault((spec.dataset, spec.method, spec.metric), self._row(spec, outline.preset, len(sizes)))
            row["cells"][sizes.index(spec.samples_per_class)] = len(self.cells)
            self.cells.append(self._cell(outline, spec, verdict))
        return list(rows.values())

    def _row(self, spec: CellSpec, preset: str, columns: int) -> dict[str, object]:
        names = {"dataset": spec.dataset_id, "dataset_label": spec.dataset_label, "preset": preset}
        metric = "" if spec.metric == "top1" else f", {METRICS[spec.metric].heading}"
        return names | {"method": spec.method, "method_label": spec.method_label + metric, "cells": [None] * columns}

    def _cell(self, outline: Outline, spec: CellSpec, verdict: Verdict) -> dict[str, object]:
        seeds = list(zip(outline.seeds, spec.keys, strict=False))
        states = {seed: self._state(key) for seed, key in seeds}
        counts = Counter(states.values())
        value: dict[str, object] = {name: getattr(verdict, name) for name in _TOLD}
        value |= {"state": verdict.state, "asked": len(outline.seeds), "seeds": states}
        value |= {"open": ", ".join(f"{counts[state]} {state}" for state in ("running", "failed") if counts[state])}
        links = {seed: self._link(self.records.by_key[key]) for seed, key in seeds if key in self.records.by_key}
        return value | {"command": outline.command("run", spec), "links": links}

    def _state(self, key: str) -> str:
        return "done" if key in self.records.by_key else self.around.states.get(key, "missing")

    def _link(self, entry: Entry) -> str:
        return quote(os.fsencode(os.path.relpath(entry.path, self.folder)))


def _comparisons(outline: Outline, records: Records) -> tuple[list[tuple[str, float]], str, list[dict[str, object]]]:
    """Average ranks, the method that the others are compared with, and the comparisons."""
    found = {name: values for name, values in accuracies_of(outline, records).items() if values}
    if len(found) < 2:
        return [], "", []
    against = next(iter(found))
    shared = set.intersection(*map(set, found.values()))
    ranks = sorted(rank(found, outline.metrics[0]).ranks.items(), key=lambda item: item[1]) if shared else []
    return ranks, against, [asdict(one) for one in compare(found, against)]


def _whole(entry: Entry) -> Record | None:
    try:
        return entry.record()
    except RecordError:  # replaced or removed since it was read
        return None


def _too_many(count: int) -> list[str]:
    return [f"learning curves of {count - MOST_CURVES} of {count} runs"] if count > MOST_CURVES else []


def _curve(entry: Entry, shown: Mapping[str, str]) -> dict[str, object]:
    history = read_history(entry.path.parent / HISTORY)
    names = {"dataset": entry.dataset, "method": entry.row, "preset": entry.preset, "size": entry.samples_per_class}
    names |= {"shown": shown.get(entry.dataset, entry.dataset)}
    names |= {"seed": entry.seed, "result": _result(entry)}
    return names | {"step": history.get("step", []), "loss": history.get("loss", [])}


def _result(entry: Entry) -> str:
    """The first metric that tables know, in words: `top-1 accuracy in %: 43.22`."""
    found = next((METRICS[name] for name in entry.metrics if name in METRICS), None)
    return f"{found.title}: {entry.metrics[found.name]:.2f}" if found else ""


def _machines(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    found = Counter((record.environment.host, record.environment.device) for record in records)
    return [(host, device, count) for (host, device), count in found.most_common()]


def _versions(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        here = record.environment
        commit = f"{here.commit or 'unknown'}{' with changes' if here.dirty else ''}"
        found.update({("commit", commit): 1, **{item: 1 for item in here.versions.items()}})
    return [(name, version, count) for (name, version), count in sorted(found.items())]


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
