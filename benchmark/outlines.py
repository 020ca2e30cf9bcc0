"""Outlines of selected studies, from the code or from a cache.

An outline costs the import of every method (and so of torch) and the hash of every run. It is a function of the code
and the selection alone, so it is kept between commands beside the user's caches.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from benchmark.checkout import code_version
from benchmark.selection import Selection, preset_names
from datasets.base import tell_apart
from datasets.paths import METHODS_FOLDERS, is_file_name, real_path
from datasets.registry import BadInput
from results.cache import caches, recall_bytes, remember_bytes
from results.escape import one_line
from results.index import Records
from results.outline import CellSpec, Outline, average_specs
from results.stores import Stores

if TYPE_CHECKING:
    from benchmark.run import Build
    from benchmark.study import Cell, Grid

_KEPT = 200  # outlines in the cache


@dataclass(frozen=True)
class PlanSummary:
    """What `plan` says of a selected study."""

    study: str
    title: str
    note: str
    preset: str
    seeds: tuple[int, ...]
    left_out: tuple[str, ...]  # combinations asked for that the study does not have
    counts: dict[str, int]  # runs by state
    from_measured: int  # of the done ones, how many are in results/measured
    stale: tuple[str, ...] = ()  # the files of older versions' records
    builds: "tuple[tuple[str, Build], ...]" = ()  # artifacts of the runs that are not done, with their states
    hours: float = 0.0  # of one process, for what is left
    guessed: bool = False  # whether some of them rest on no recorded wall time
    missing: tuple[str, ...] = ()  # what keeps runs from being made here, and how to get it
    doubts: tuple[str, ...] = ()  # of datasets whose images may not be what a person means them to be


def finished(outline: Outline, records: Records, stores: Stores) -> PlanSummary | None:
    """The summary of an outline whose runs are all done, which needs no method; None where a run has no record."""
    if not all(key in records.by_key for key in outline.keys):
        return None
    own = str(real_path(stores.own))
    open_ = dict.fromkeys(("failed", "running", "missing", "stale"), 0)
    return PlanSummary(
        study=outline.name,
        title=outline.title,
        note=outline.note,
        preset=outline.preset,
        seeds=outline.seeds,
        left_out=outline.left_out,
        counts={"done": len(outline.keys), **open_, "unavailable": outline.unavailable},
        from_measured=sum(records.by_key[key].store != own for key in outline.keys),
        missing=outline.missing,
    )


def load_outline(name: str, selection: Selection) -> Outline:
    """The outline of a selected study, from the cache or anew; raises BadInput for anything unknown."""
    place = _place(name, selection)
    with suppress(OSError, ValueError):
        if place and (body := recall_bytes(place, code_version())):
            outline = _OUTLINE.validate_json(body)
            if not _depends_on_files(outline):
                return outline
    outline = _lay_out(name, selection)
    if place and not _depends_on_files(outline):
        with suppress(OSError):
            remember_bytes(place, code_version(), _OUTLINE.dump_json(outline))
            _forget_the_oldest(place.parent)
    return outline


_OUTLINE = TypeAdapter(Outline)


def outlines_with_records(name: str, records: Records) -> list[Outline]:
    """A study as it is, then at every other preset and on every stand-in for which there are records."""
    own = load_outline(name, Selection())
    others = (load_outline(name, selection) for selection in _elsewhere(own, records))
    return [own, *(outline for outline in others if any(key in records.by_key for key in outline.keys))]


def _elsewhere(own: Outline, records: Records) -> Iterator[Selection]:
    """The other presets and stand-in datasets that records were made with."""
    places = {cell.dataset for cell in own.cells}
    made = {(entry.preset, entry.dataset) for entry in records}
    for preset in filter(_can_be_read, sorted({preset for preset, _ in made})):
        datasets = sorted(name for at, name in made if at == preset and _stands_for(name) in places)
        others = tuple(name for name in datasets if preset != own.preset or name not in places)
        if others:
            yield Selection(preset=preset, datasets=others)


def of_unknown_presets(records: Records) -> list[str]:
    """The records whose preset this checkout does not have: what is shown preset by preset leaves them out."""
    lost = {preset for preset in {entry.preset for entry in records} if not _can_be_read(preset)}
    return [f"{entry.path}: there is no preset '{entry.preset}'" for entry in records if entry.preset in lost]


def _can_be_read(preset: str) -> bool:
    """Whether this machine has a preset that a record names."""
    if not is_file_name(preset):
        return preset in preset_names()
    from benchmark.protocol import load_preset

    with suppress(BadInput):
        return bool(load_preset(preset))
    return False


def _stands_for(dataset: str) -> str:
    from datasets.base import registry

    return getattr(registry.entries().get(dataset), "stands_for", None) or dataset


def _lay_out(name: str, selection: Selection) -> Outline:
    from benchmark.study import load_grid, preset_of

    grid = load_grid(name, selection)
    study = grid.study
    titles, labels = _titles(grid), _labels(grid)
    cells = [_spec(cell, metric, grid, titles, labels) for cell in grid.cells for metric in study.metrics]
    return Outline(
        name=grid.name,
        title=study.title,
        note=study.note,
        average=study.average,
        second_best=study.second_best,
        published=study.published,
        figure=study.figure,
        samples=study.samples,
        drawing=study.drawing,
        rows=tuple(study.rows),
        columns=tuple(study.columns),
        preset=grid.preset,
        study_preset=preset_of(grid.name, study),
        seeds=tuple(grid.seeds),
        study_seeds=tuple(study.seeds),
        settings=selection.settings,
        left_out=grid.left_out,
        remarks=tuple(dict.fromkeys(cell.method.remark for cell in grid.cells if cell.method.remark)),
        unavailable=sum(len(grid.seeds) for cell in grid.cells if not cell.available),
        missing=grid.missing,
        by_files=any(cell.method.by_files for cell in grid.cells),
        cells=(*cells, *(average_specs(cells, study.datasets) if study.average else ())),
        kind=study.measure,
        measured="; ".join(dict.fromkeys(run.protocol.conditions for run in grid.runs())) or "as published",
    )


def _titles(grid: "Grid") -> dict[str, str]:
    """How tables name each dataset: one's own images by as much of their path as tells them apart, printable."""
    datasets = {cell.dataset.text: cell.dataset for cell in grid.cells}
    tails = tell_apart(filter(None, (text.partition(":")[2] for text in datasets)))
    titles = {}
    for text, dataset in datasets.items():
        named, _, path = text.partition(":")
        options = f" {named.removeprefix(dataset.name)}".rstrip()
        titles[text] = f"{dataset.label} {one_line(tails[path])}{options}" if path else dataset.label
    return _distinct(titles)


def _labels(grid: "Grid") -> dict[str, str]:
    """How tables name each method."""
    from methods.registry import label_method

    return _distinct({cell.row: label_method(cell.method) for cell in grid.cells})


def _distinct(labels: dict[str, str]) -> dict[str, str]:
    """The labels, with their keys where two are the same: what has one label is one thing in tables and figures."""
    counts = Counter(labels.values())
    return {key: label if counts[label] == 1 else f"{label} ({key})" for key, label in labels.items()}


def _spec(cell: "Cell", metric: str, grid: "Grid", titles: dict[str, str], labels: dict[str, str]) -> CellSpec:
    return CellSpec(
        cell.dataset.text,
        titles[cell.dataset.text],
        cell.row,
        labels[cell.row],
        cell.samples_per_class,
        grid.preset,
        cell.published_dataset,
        tuple(run.key for run in cell.runs),
        parameters=cell.parameters,
        content=str(cell.dataset.identity.get("content", "")),
        metric=metric,
    )


def _place(name: str, selection: Selection) -> Path | None:
    """Where an outline is kept; None where there is no place, or it can change without our code changing."""
    outside = any(entry_points(group=f"hydrabench.{kind}") for kind in ("methods", "datasets", "studies", "presets"))
    outside |= is_file_name(name) or is_file_name(selection.preset or "")
    folder = caches()
    if folder is None or outside or any(map(_has_images_of_its_own, selection.datasets)):
        return None
    asked = hashlib.sha256(repr((name, selection)).encode()).hexdigest()
    return folder / f"outline-{asked[:24]}.json"


def _depends_on_files(outline: Outline) -> bool:
    """Whether it can change without code and selection changing."""
    has_folders = outline.by_files and any(map(os.environ.get, METHODS_FOLDERS))
    return has_folders or any(_has_images_of_its_own(cell.dataset) for cell in outline.cells)


def _has_images_of_its_own(dataset: str) -> bool:
    return ":" in dataset


def _forget_the_oldest(folder: Path) -> None:
    for path in sorted(folder.glob("outline-*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        path.unlink()
