"""A selected study as plain data: its cells before there are numbers in them, and how they are laid out."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from datasets.options import divide_text
from datasets.paths import is_file_name
from results.records import dataset_id

AVERAGE = "average"  # stands where a dataset does, here and in the published files


@dataclass(frozen=True)
class CellSpec:
    """What a cell is made of: names and labels, and the keys of its runs, one per seed asked for.

    content: the hash of images that are somebody's own, "" of a dataset that its name tells.
    parameters: those of the method that are numbers, as the row has them.
    parts: the cells whose mean this one is; none where it stands for itself.
    metric: which of the runs' numbers it shows (results/metrics.py).
    """

    dataset: str
    dataset_label: str
    method: str
    method_label: str
    samples_per_class: int
    preset: str
    published_dataset: str | None
    keys: tuple[str, ...]
    parts: tuple["CellSpec", ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    content: str = ""
    metric: str = "top1"

    @property
    def dataset_id(self) -> str:
        """The dataset as records have it; `dataset` is what a person names it by."""
        return dataset_id({"name": divide_text(self.dataset)[0], "content": self.content})

    @property
    def dataset_shown(self) -> str:
        """The dataset in a line for people who know the names of datasets."""
        return self.dataset_label if self.content else self.dataset


def average_specs(cells: Iterable[CellSpec], datasets: Iterable[str]) -> list[CellSpec]:
    """For each method and size the mean over its datasets, as a cell on the dataset AVERAGE.

    datasets: those that the published average is over; it is compared only where each has one cell in its place.
    """
    rows: dict[tuple[str, int, str], list[CellSpec]] = {}
    for cell in cells:
        rows.setdefault((cell.method, cell.samples_per_class, cell.metric), []).append(cell)
    return [_average_spec(row, sorted(datasets)) for row in rows.values()]


def _average_spec(parts: list[CellSpec], datasets: list[str]) -> CellSpec:
    comparable = sorted(part.published_dataset or "" for part in parts) == datasets
    return replace(
        parts[0],
        dataset=AVERAGE,
        dataset_label="Average",
        content="",
        published_dataset=AVERAGE if comparable else None,
        keys=tuple(key for part in parts for key in part.keys),
        parts=tuple(parts),
    )


def _of_metric(cell: CellSpec, metric: str) -> CellSpec:
    return replace(cell, metric=metric, parts=tuple(_of_metric(part, metric) for part in cell.parts))


@dataclass(frozen=True)
class ParameterAxis:
    """A figure whose x axis is a parameter of the methods.

    parameter: the methods' name for it; x_label: what stands below the axis.
    line: the parameter that tells lines apart; where there is none, lines are datasets.
    relative: accuracies are in percent of that at the least x.
    log: the x axis is logarithmic. mark: an x that a dashed line points out.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    parameter: str
    x_label: str
    line: str | None = None
    relative: bool = False
    log: bool = False
    mark: float | None = None


@dataclass(frozen=True)
class SampleSheet:
    """A figure of what the generators of a study's methods compose, a row for each class and method.

    classes: how many; compositions: of each; segments: whether the sources' segmentations are shown.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    classes: int
    compositions: int
    segments: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure of what lies beside one record, the first that there is, and not of numbers.

    of: `synsets` (values.csv) or `points` (points.csv); classes: of synsets, those to show; every one where none is
    named.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    of: Literal["synsets", "points"]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """A study after selection: all that tables, verdicts, figures and reports need to know of it."""

    name: str
    title: str
    note: str  # what of it is not the paper's; shown by `plan` and in every caption
    average: bool  # whether a last column has the mean over datasets
    second_best: bool  # whether the paper's table underlines it
    published: str | None  # a file of results/published
    figure: ParameterAxis | None
    samples: SampleSheet | None
    rows: tuple[str, ...]  # axes
    columns: tuple[str, ...]
    preset: str  # as selected
    study_preset: str  # the study's own
    seeds: tuple[int, ...]
    study_seeds: tuple[int, ...]
    settings: tuple[str, ...]  # --set
    left_out: tuple[str, ...]  # combinations asked for that the study does not have
    remarks: tuple[str, ...]  # what methods say with their numbers
    unavailable: int  # runs of methods that lack something on this machine
    missing: tuple[str, ...]  # what that is, a line for each method
    by_files: bool  # whether methods look at folders that the environment names
    cells: tuple[CellSpec, ...]  # averages last
    kind: str = "classify"  # of its runs' protocol
    drawing: Drawing | None = None
    measured: str = "after the last epoch"  # what a caption says of the numbers behind the metrics' titles

    @property
    def papers_setting(self) -> bool:
        """Whether what is run is what the paper ran: the study's preset, nothing changed."""
        return self.preset == self.study_preset and not self.settings

    @property
    def own(self) -> bool:
        """Whether its images are somebody's own."""
        return any(cell.content for cell in self.cells)

    @property
    def file_name(self) -> str:
        """What its tables and figures are called; of a file of a person's own its name without folder and suffix."""
        return re.sub(r"[^\w.-]+", "-", Path(self.name).stem) if is_file_name(self.name) else self.name

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all runs, each once (an average has its parts' keys)."""
        return list(dict.fromkeys(key for cell in self.cells for key in cell.keys))

    @property
    def measured_cells(self) -> list[CellSpec]:
        """The cells that stand for themselves: no averages."""
        return [cell for cell in self.cells if not cell.parts]

    @property
    def metrics(self) -> list[str]:
        """The metrics of its cells, the one that figures and comparisons show first."""
        return list(dict.fromkeys(cell.metric for cell in self.cells)) or ["top1"]

    def with_metric(self, metric: str) -> "Outline":
        """The same study of one metric, whatever its own are."""
        cells = tuple(_of_metric(cell, metric) for cell in self.cells if cell.metric == self.metrics[0])
        rows, columns = (tuple(axis for axis in axes if axis != "metric") for axes in (self.rows, self.columns))
        return replace(self, rows=rows, columns=columns, cells=cells)

    @property
    def first_cells(self) -> list[CellSpec]:
        """The cells of the first metric that stand for themselves: each run in one of them."""
        return [cell for cell in self.measured_cells if cell.metric == self.metrics[0]]

    def stand_ins(self) -> list[tuple[str, str]]:
        """(dataset, the study's dataset in whose place it stands) wherever the two differ."""
        places = {(cell.dataset, cell.published_dataset) for cell in self.measured_cells}
        return sorted((ours, theirs) for ours, theirs in places if theirs not in (None, ours))

    def command(self, verb: str, cell: CellSpec | None = None) -> str:
        """A command line that selects what the outline does, or one cell of it."""
        changed = [] if self.preset == self.study_preset else ["--preset", self.preset]
        if cell is not None:
            changed += ["--dataset", cell.dataset, "--method", cell.method]
            changed += ["--samples-per-class", str(cell.samples_per_class)]
        else:
            changed += self._axes()
        changed += ["--seeds", ",".join(map(str, self.seeds))] if self.seeds != self.study_seeds else []
        changed += [f"--set={setting}" for setting in self.settings]
        return shlex.join(["hydrabench", verb, self.name, *changed])

    def _axes(self) -> list[str]:
        """The options for what its cells have in place of the study's own datasets, methods and sizes."""
        cells = self.measured_cells
        axes: dict[str, Iterable[object]] = {}
        if self.stand_ins() or self.own:
            axes["--dataset"] = (cell.dataset for cell in cells)
        if self.own:
            axes["--method"] = (cell.method for cell in cells)
            axes["--samples-per-class"] = (cell.samples_per_class for cell in cells)
        return [word for axis, values in axes.items() for word in (axis, ",".join(map(str, dict.fromkeys(values))))]
