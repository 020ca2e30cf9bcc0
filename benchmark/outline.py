"""A selected study as plain data: all that tables, verdicts, figures and reports need to know of it.

An outline costs the import of every method (and so of torch) and the hash of every run. It is a function of the code
and the selection alone, so it is kept between commands beside the user's caches.
"""

import hashlib
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from benchmark.selection import Selection
from benchmark.stores import Stores
from results.cells import CellSpec, average_specs
from results.index import Records
from results.remembered import caches, recall_bytes, remember_bytes
from results.store import CHECKOUT

if TYPE_CHECKING:
    from benchmark.study import Cell, Grid

_KEPT = 200  # outlines in the cache
_CODE = ("benchmark/**/*.py", "benchmark/**/*.yaml", "datasets/**/*.py", "methods/**/*.py", "results/*.py")


@dataclass(frozen=True)
class Outline:
    """A study after selection. `published` is a file of results/published; preset and seeds are as selected,
    study_preset and study_seeds the study's own; remarks: what methods say with their numbers; unavailable: runs of
    methods that do not run yet."""

    name: str
    title: str
    note: str
    average: bool
    second_best: bool
    published: str | None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    preset: str
    study_preset: str
    seeds: tuple[int, ...]
    study_seeds: tuple[int, ...]
    settings: tuple[str, ...]
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]
    unavailable: int
    cells: tuple[CellSpec, ...]

    @property
    def study(self) -> "Outline":
        """Where a plan of the grid itself has title and note."""
        return self

    @property
    def papers_setting(self) -> bool:
        """Whether what is run is what the paper ran: the study's preset, nothing changed."""
        return self.preset == self.study_preset and not self.settings

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all runs, each once (an average has its parts' keys)."""
        return list(dict.fromkeys(key for cell in self.cells for key in cell.keys))


@dataclass(frozen=True)
class Finished:
    """The plan of an outline whose runs are all done; what `plan` prints of it needs no method."""

    grid: Outline
    from_measured: int
    stale: tuple[str, ...] = ()

    @property
    def builds(self) -> dict[str, list]:
        return {}

    def counts(self) -> dict[str, int]:
        open_ = dict.fromkeys(("failed", "running", "missing", "stale"), 0)
        return {"done": len(self.grid.keys), **open_, "unavailable": self.grid.unavailable}

    def jobs(self) -> list:
        return []

    def estimate(self, jobs: list) -> tuple[float, bool]:
        return 0.0, False


def finished(outline: Outline, records: Records, stores: Stores) -> Finished | None:
    """The plan of an outline, or None where a run of it has no record."""
    if not all(key in records.by_key for key in outline.keys):
        return None
    own = str(stores.own.resolve())
    return Finished(outline, sum(records.by_key[key].store != own for key in outline.keys))


def load_outline(name: str, selection: Selection) -> Outline:
    """The outline of a selected study, from the cache or anew; raises BadInput for anything unknown."""
    place = _place(name, selection)
    with suppress(OSError, ValueError):
        if place and (body := recall_bytes(place, code_version())):
            return _OUTLINE.validate_json(body)
    outline = _lay_out(name, selection)
    if place and not any(_has_images_of_its_own(cell.dataset) for cell in outline.cells):
        with suppress(OSError):
            remember_bytes(place, code_version(), _OUTLINE.dump_json(outline))
            _forget_the_oldest(place.parent)
    return outline


_OUTLINE = TypeAdapter(Outline)


def _lay_out(name: str, selection: Selection) -> Outline:
    from benchmark.study import load_grid

    grid = load_grid(name, selection)
    study = grid.study
    cells = [_spec(cell, grid) for cell in grid.cells]
    return Outline(
        name=grid.name,
        title=study.title,
        note=study.note,
        average=study.average,
        second_best=study.second_best,
        published=study.published,
        rows=tuple(study.rows),
        columns=tuple(study.columns),
        preset=grid.preset,
        study_preset=study.preset,
        seeds=tuple(grid.seeds),
        study_seeds=tuple(study.seeds),
        settings=selection.settings,
        left_out=grid.left_out,
        remarks=tuple(dict.fromkeys(cell.method.remark for cell in grid.cells if cell.method.remark)),
        unavailable=sum(len(grid.seeds) for cell in grid.cells if not cell.available),
        cells=(*cells, *(average_specs(cells, study.datasets) if study.average else ())),
    )


def _spec(cell: "Cell", grid: "Grid") -> CellSpec:
    from methods.registry import label_method

    return CellSpec(
        cell.dataset.text,
        cell.dataset.title,
        cell.row,
        label_method(cell.method),
        cell.samples_per_class,
        grid.preset,
        cell.published_dataset,
        tuple(run.key for run in cell.runs),
    )


def _place(name: str, selection: Selection) -> Path | None:
    """Where an outline is kept; None where it can change without our code changing."""
    outside = any(entry_points(group=f"hydrabench.{kind}") for kind in ("methods", "datasets"))
    if outside or any(map(_has_images_of_its_own, selection.datasets)):
        return None
    asked = hashlib.sha256(repr((name, selection)).encode()).hexdigest()
    return caches() / f"outline-{asked[:24]}.json"


def _has_images_of_its_own(dataset: str) -> bool:
    return ":" in dataset


def _forget_the_oldest(folder: Path) -> None:
    for path in sorted(folder.glob("outline-*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        path.unlink()


@lru_cache(maxsize=1)
def code_version() -> str:
    """A hash of everything in the checkout that decides what a study's runs are and what their keys are."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in _sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    return (path for pattern in _CODE for path in sorted(CHECKOUT.glob(pattern)))
