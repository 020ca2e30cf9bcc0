"""A study as the report shows it: rows with verdicts, its chart, comparisons, and the files that can be taken along."""

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from results.compare import accuracies_of, compare, ranking_of
from results.folders import Surroundings
from results.headline import brief_time_of, open_seconds
from results.index import Entry, Records
from results.metrics import METRICS
from results.outline import CellSpec, Outline
from results.panels import Panel, Point, panels_of
from results.tables import fill_table
from results.verdict import Verdict, judge_study

_TOLD = ("ours", "std", "n", "published", "published_std", "z", "p", "p_equal", "margin")


@dataclass(frozen=True)
class Section:
    """A study at one preset. columns: samples per class; rows: label texts and one cell number (or None) per column.

    own: whether its images are somebody's own; coverage: runs by state; left: how long the open ones take, in words;
    chart: panels of what is measured; ranks: (method, average rank); comparisons: of every method with the first;
    files: the table by suffix.
    """

    anchor: str
    name: str
    title: str
    preset: str
    own: bool
    summary: str
    measured: str
    note: str
    command: str
    columns: list[int]
    rows: list[dict[str, Any]]
    coverage: dict[str, int]
    left: str
    chart: list[dict[str, Any]]
    against: str
    ranks: list[tuple[str, float]]
    comparisons: list[dict[str, Any]]
    files: dict[str, str]


class Collector:
    """Numbers the cells of all sections, so that the page holds what belongs to each once."""

    def __init__(self, records: Records, around: Surroundings, folder: Path):
        self.records, self.around, self.folder = records, around, folder
        self.cells: list[dict[str, object]] = []

    def section(self, outline: Outline) -> Section:
        """The section of an outline, whose cells are added to those of the page."""
        verdict, table = judge_study(outline, self.records), fill_table(outline, self.records)
        cells = list(zip(outline.measured_cells, verdict.cells, strict=True))
        sizes = sorted({cell.samples_per_class for cell in outline.measured_cells})
        ranks, against, comparisons = _comparisons(outline, self.records)
        seconds = open_seconds(outline, self.records)
        return Section(
            anchor=f"{outline.file_name}-{outline.preset}-{len(self.cells)}",
            name="own-images" if outline.own else outline.file_name,
            title=outline.title,
            preset=outline.preset,
            own=outline.own,
            summary=verdict.summary() if outline.published else "",
            measured=_first_up(f"{' and '.join(METRICS[name].title for name in outline.metrics)} {outline.measured}"),
            note=outline.note,
            command=outline.command("run"),
            columns=sizes,
            rows=self._rows(outline, cells, sizes),
            coverage=dict(Counter(self._state(key) for cell in outline.first_cells for key in filter(None, cell.keys))),
            left=brief_time_of(seconds.values()) if seconds else "",
            chart=chart_of(outline, self.records),
            against=against,
            ranks=ranks,
            comparisons=comparisons,
            files={"csv": table.render("csv"), "tex": table.render("latex")},
        )

    def _rows(self, outline: Outline, cells: list[tuple[CellSpec, Verdict]], sizes: list[int]) -> list[dict]:
        rows: dict[tuple[str, str, str], dict] = {}
        best = _best(cells)
        for spec, verdict in cells:
            row = rows.setdefault((spec.dataset, spec.method, spec.metric), _row(spec, outline.preset, len(sizes)))
            row["cells"][sizes.index(spec.samples_per_class)] = len(self.cells)
            self.cells.append(self._cell(outline, spec, verdict) | {"best": best.get(_column(spec)) == _merit(verdict)})
        return list(rows.values())

    def _cell(self, outline: Outline, spec: CellSpec, verdict: Verdict) -> dict[str, object]:
        seeds = list(zip(outline.seeds, spec.keys, strict=False))
        states = {seed: self._state(key) for seed, key in seeds}
        counts = Counter(states.values())
        value: dict[str, object] = {name: getattr(verdict, name) for name in _TOLD}
        value |= {"state": verdict.state, "asked": len(outline.seeds), "seeds": states}
        value |= {"open": ", ".join(f"{counts[state]} {state}" for state in ("running", "failed") if counts[state])}
        links = {seed: link_to(self.records.by_key[key], self.folder) for seed, key in seeds if self._has(key)}
        return value | {"command": outline.command("run", spec), "links": links}

    def _has(self, key: str) -> bool:
        return key in self.records.by_key

    def _state(self, key: str) -> str:
        return "done" if self._has(key) else self.around.states.get(key, "missing")


def _column(spec: CellSpec) -> tuple[str, int, str]:
    """Cells of one column are compared with each other."""
    return spec.dataset_id, spec.samples_per_class, spec.metric


def _merit(verdict: Verdict) -> tuple[int, float]:
    """More seeds before fewer, then the better number."""
    return verdict.n, METRICS[verdict.metric].sign * (verdict.ours or 0.0)


def _best(cells: list[tuple[CellSpec, Verdict]]) -> dict[tuple[str, int, str], tuple[int, float]]:
    """The merit of the best cell of each column where several are measured, of those with the most seeds."""
    columns: dict[tuple[str, int, str], list[tuple[int, float]]] = {}
    for spec, verdict in cells:
        if verdict.n and METRICS[verdict.metric].better != "neither":
            columns.setdefault(_column(spec), []).append(_merit(verdict))
    return {column: max(found) for column, found in columns.items() if len(found) > 1}


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def link_to(entry: Entry, folder: Path) -> str:
    """A record's file as a page in `folder` links to it."""
    return quote(os.fsencode(os.path.relpath(entry.path, folder)))


def _row(spec: CellSpec, preset: str, columns: int) -> dict[str, object]:
    names = {"dataset": spec.dataset_id, "dataset_label": spec.dataset_label, "preset": preset}
    metric = "" if spec.metric == "top1" else f", {METRICS[spec.metric].heading}"
    return names | {"method": spec.method, "method_label": spec.method_label + metric, "cells": [None] * columns}


def chart_of(outline: Outline, records: Records) -> list[dict[str, Any]]:
    """The panels of a study's figure as JSON has them, with what is measured; none where that is a single number."""
    measured = [cell for cell in outline.first_cells if any(key in records.by_key for key in cell.keys)]
    if outline.samples or outline.drawing or len(measured) < 2:
        return []
    return [shown for panel in panels_of(outline, records) if (shown := _shown(panel))["lines"]]


def _shown(panel: Panel) -> dict[str, Any]:
    measured = {label: points for label, points in panel.lines.items() if not all(math.isnan(p.mean) for p in points)}
    places = {p.x for points in measured.values() for p in points if not math.isnan(p.mean)}
    lines = [
        {"label": label, "points": [_point(p) for p in points if p.x in places or not panel.bars]}
        for label, points in measured.items()
    ]
    words = {"title": panel.title, "x": panel.x_label, "y": panel.y_label, "log": panel.log and not panel.bars}
    return words | {"mark": panel.mark, "lines": lines, "joined": not panel.bars}


def _point(point: Point) -> dict[str, object]:
    """What JSON has no word for is None."""
    return {name: None if _is_nan(value) else value for name, value in asdict(point).items()}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _comparisons(outline: Outline, records: Records) -> tuple[list[tuple[str, float]], str, list[dict[str, Any]]]:
    """Average ranks, the method that the others are compared with, and the comparisons."""
    found: Mapping[str, Any] = {name: values for name, values in accuracies_of(outline, records).items() if values}
    if len(found) < 2:
        return [], "", []
    against = next(iter(found))
    ranking = ranking_of(found, outline.metrics[0])
    ranks = sorted(ranking.ranks.items(), key=lambda item: item[1]) if ranking else []
    return ranks, against, [asdict(one) for one in compare(found, against)]
