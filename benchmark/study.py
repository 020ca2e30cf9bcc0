"""Studies: named grids in studies/*.yaml, their selectors, and the runs they stand for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from benchmark.config import Config, load_named
from benchmark.kinds import measure_protocol, metrics_of, protocol_of
from benchmark.kinds.base import Measure
from benchmark.protocol import Protocol, forget_presets, load_preset, resolve_budgets, run_protocol
from benchmark.run import Run
from benchmark.selection import STUDIES, Selection, study_names
from benchmark.settings import Settings
from benchmark.teacher import artifacts_of
from datasets.base import Dataset, get_dataset
from datasets.paths import is_file_name, name_or_file
from datasets.registry import LARGEST_INTEGER, BadInput, canonical, unknown, with_plugged
from methods.base import Method
from methods.registry import format_method, parse_method
from results.outline import Drawing, ParameterAxis, SampleSheet
from results.records import CLASSIFY

Axis = Literal["dataset", "method", "samples_per_class", "metric"]


class Block(Config):
    """A full product of datasets, methods and sizes; a study is a union of blocks."""

    datasets: list[str]
    methods: list[str]
    samples_per_class: list[Annotated[int, Field(ge=1)]]


class Study(Config):
    """A table or figure of a paper as a grid."""

    title: str
    measure: str = CLASSIFY  # the kind of its runs' protocol
    metrics: Annotated[list[str], Field(min_length=1)] = ["top1"]  # the first is what figures and comparisons show
    rows: Annotated[list[Axis], Field(min_length=2)]  # the renderers group rows by the first
    columns: list[Axis]
    average: bool = False  # whether a last column has the mean over each row's datasets
    preset: str
    seeds: list[Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]]
    blocks: list[Block]
    published: str | None = None  # a file of results/published
    figure: ParameterAxis | None = None  # where the figure is over a parameter of the methods
    samples: SampleSheet | None = None  # where the figure shows images of the first seed's generators
    drawing: Drawing | None = None  # where the figure is of what lies beside a record
    note: str = ""  # what of it is not the paper's, or is missing; shown by `plan` and in every caption
    second_best: bool = False  # whether the paper's table underlines the second best

    @field_validator("measure")
    @classmethod
    def _known_kind(cls, measure: str) -> str:
        protocol_of(measure)
        return measure

    @field_validator("metrics")
    @classmethod
    def _of_its_kind(cls, metrics: list[str], info: ValidationInfo) -> list[str]:
        known = metrics_of(info.data["measure"]) if "measure" in info.data else metrics
        for name in metrics:
            if name not in known:
                raise unknown(f"metric of {info.data['measure']}", name, known)
        return _unique(metrics)

    @field_validator("columns")
    @classmethod
    def _each_axis_once(cls, columns: list[Axis], info: ValidationInfo) -> list[Axis]:
        several = len(info.data.get("metrics", ())) > 1
        axes = [axis for axis in get_args(Axis) if axis != "metric" or several]
        if "rows" in info.data and sorted([*info.data["rows"], *columns]) != sorted(axes):
            raise ValueError(f"rows and columns together must name {', '.join(axes)}, each once")
        return columns

    @property
    def datasets(self) -> list[str]:
        return _unique(dataset for block in self.blocks for dataset in block.datasets)

    def cells(self) -> list[tuple[str, str, int]]:
        """(dataset, method, samples per class) of every cell, in the study's order."""
        return [(d, m, n) for b in self.blocks for d in b.datasets for m in b.methods for n in b.samples_per_class]


@dataclass(frozen=True)
class Cell:
    """One cell of the selected grid: a method on a dataset at a size, with its runs, one per seed.

    `published_dataset` is the study's dataset in whose place `dataset` stands, where there is one.
    """

    dataset: Dataset
    method: Method
    samples_per_class: int
    published_dataset: str | None
    runs: tuple[Run, ...]

    @property
    def row(self) -> str:
        return format_method(self.method)

    @property
    def available(self) -> bool:
        return self.method.available

    @property
    def parameters(self) -> dict[str, float]:
        """The method's parameters that are numbers, as the row has them; not those of an augmentation behind it."""
        numbers = ((n, v) for n, v in self.method.parameters().items() if isinstance(v, (int, float)))
        return {name: value for name, value in numbers if not isinstance(value, bool)}


@dataclass(frozen=True)
class Grid:
    """A study after selection. `left_out` names the combinations that the study's table does not have."""

    name: str
    study: Study
    preset: str
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = field(default=())

    @property
    def missing(self) -> tuple[str, ...]:
        """What unavailable methods need, a line each."""
        return tuple(dict.fromkeys(f"{cell.row}: {what}" for cell in self.cells if (what := cell.method.missing)))

    def runs(self) -> Iterator[Run]:
        """The runs of all available methods."""
        return (run for cell in self.cells for run in cell.runs)


@lru_cache(maxsize=32)
def load_study(name: str) -> Study:
    """The study `name`, or of a file; raises BadInput for an unknown name or a malformed file."""
    if is_file_name(name) and canonical(Path(name).stem) in study_names():
        raise BadInput(f"{name}: there is a study of this name; give the file another one")
    return load_named("study", name, Study, *with_plugged("studies", STUDIES))


def load_grid(name: str, selection: Selection | None = None) -> Grid:
    """The selected grid of a study with the keys of all its runs; raises BadInput for anything unknown.

    name: of a study, or the path of a file, which is read anew.
    """
    selection = selection or Selection()
    name = name_or_file(name)
    if is_file_name(name) or is_file_name(selection.preset or ""):
        load_study.cache_clear()
        forget_presets()
    study = load_study(name)
    preset = name_or_file(selection.preset) if selection.preset else preset_of(name, study)
    load_preset(preset)
    settings = Settings(selection.settings, study.measure)
    seeds = tuple(_unique(selection.seeds or study.seeds))
    kept, left_out = _select(study, selection)
    # --set can make rows equal that differed in that parameter alone
    cells = tuple(_unique(_cell(*picked, preset, seeds, settings, study.measure) for picked in kept))
    settings.require_all_used(cell.method for cell in cells)
    return Grid(name, study, preset, seeds, cells, left_out)


def preset_of(name: str, study: Study) -> str:
    """What records call a study's own preset; a relative path of one begins at the study's file."""
    return name_or_file(study.preset, Path(name).parent)


def _select(
    study: Study, selection: Selection
) -> tuple[list[tuple[Dataset, Method, int, str | None]], tuple[str, ...]]:
    """The picked (dataset, method, size, published dataset), and the asked-for ones that the study leaves out."""
    cells = study.cells()
    known = {(d, format_method(parse_method(m)), n) for d, m, n in cells}
    kept, left_out = [], []
    for dataset in _unique(map(get_dataset, selection.datasets or [d for d, _, _ in cells])):
        place = _place_of(dataset, {d for d, _, _ in cells})
        own = [(m, n) for d, m, n in cells if place in (None, d)]
        for method in _unique(map(parse_method, selection.methods or [m for m, _ in own])):
            for size in _unique(selection.samples_per_class or [n for _, n in own]):
                if _leaves_out(known, place, format_method(method), size):
                    left_out.append(
                        f"{format_method(method)} on {dataset.text} at {size} per class{_why(method, dataset)}"
                    )
                else:
                    kept.append((dataset, method, size, place))
    return kept, tuple(left_out) if selection.methods or selection.samples_per_class else ()


def _why(method: Method, dataset: Dataset) -> str:
    """What the method itself says against a dataset, in brackets."""
    try:
        method.resolve(dataset)
    except BadInput as error:
        return f" ({error})"
    return ""


def _place_of(dataset: Dataset, of_study: set[str]) -> str | None:
    """The study's dataset in whose place this one stands: itself, the one it stands for, or none."""
    return next((name for name in (dataset.name, dataset.stands_for) if name in of_study), None)


def _leaves_out(known: set[tuple[str, str, int]], place: str | None, method: str, size: int) -> bool:
    """Whether the study has this dataset, this method and this size, but not together."""
    has_method = any(m == method for _, m, _ in known)
    has_size = any(n == size for _, _, n in known)
    return place is not None and has_method and has_size and (place, method, size) not in known


def _cell(
    dataset: Dataset,
    method: Method,
    size: int,
    place: str | None,
    preset: str,
    seeds: tuple[int, ...],
    settings: Settings,
    kind: str,
) -> Cell:
    method = settings.apply_to_method(method)
    runs: tuple[Run, ...] = ()
    if method.available:
        resolved, row = method.resolve(dataset, resolve_budgets(preset, dataset)), format_method(method)
        protocol = _protocol(kind, resolved, preset, dataset, size, settings.protocol)
        runs = tuple(Run(dataset, size, resolved, seed, protocol, row, preset) for seed in seeds)
    return Cell(dataset, method, size, place, runs)


def _protocol(
    kind: str, method: Method, preset: str, dataset: Dataset, size: int, changes: dict[str, object]
) -> Protocol | Measure:
    """The protocol of a resolved method's runs; raises BadInput where a measure cannot be of what it makes."""
    protocol_of(kind).require(method, dataset)
    if kind == CLASSIFY:
        return run_protocol(method, preset, dataset, size, changes)
    used = artifacts_of(method, dataset, size, 0, run_protocol(method, preset, dataset, size))
    if len(used) > len(method.needs(dataset, size, 0)):
        raise BadInput(f"{kind}: {format_method(method)} learns from a classifier, which such a run does not train")
    return measure_protocol(kind, preset, dataset, changes)


def _unique(values: Iterable) -> list:
    return list(dict.fromkeys(values))
