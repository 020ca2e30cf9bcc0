"""What a study's figure shows: panels of lines or dots, as plain values that `results.plots` draws."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from results.aggregate import aggregate, load_published
from results.index import Records
from results.metrics import METRICS, Metric
from results.outline import CellSpec, Outline, ParameterAxis

_FEW_SIZES = 2  # between two points a line says nothing that they do not


@dataclass(frozen=True)
class Point:
    """One cell: ours and the paper's mean and standard deviation, NaN where there is none.

    x: number or name; dataset, method: of the cell, by their ids. control: what real images have.
    """

    x: float | str
    mean: float
    std: float
    published: float = math.nan
    published_std: float = math.nan
    dataset: str = ""
    method: str = ""
    control: float = math.nan


@dataclass(frozen=True)
class Panel:
    """One pair of axes. lines: points by label; mark: an x that a dotted line points out.

    bars: x is a name; dots: each line is one point, whose x is in the title; from_zero: with a bar that ends there.
    """

    title: str
    x_label: str
    y_label: str
    lines: dict[str, list[Point]]
    bars: bool = False
    dots: bool = False
    log: bool = False
    mark: float | None = None
    from_zero: bool = False

    @property
    def control(self) -> float:
        """What real images have, on the mean over the points that know it; NaN where none does or datasets differ."""
        known = [p for line in self.lines.values() for p in line if not math.isnan(p.control)]
        return fmean(p.control for p in known) if len({p.dataset for p in known}) == 1 else math.nan


Cells = Sequence[tuple[CellSpec, Point]]
Name = Callable[[CellSpec], str]


def panels_of(outline: Outline, records: Records) -> list[Panel]:
    """The figure of a study: over its parameter, over samples per class, or bars where there is but one size."""
    shown, axis = _shown(outline, records), METRICS[outline.metrics[0]].axis
    if outline.figure is not None:
        return _over_parameter(outline.figure, shown, axis)
    return _curves(shown, axis) if len(_sizes(outline)) > 1 else _bars(shown, axis)


def printed_panels(outline: Outline, records: Records) -> list[Panel]:
    """The figure as it is printed: dots with their names beside them where there are one or two sizes."""
    if outline.figure is None and len(_sizes(outline)) <= _FEW_SIZES:
        return _dots(_shown(outline, records), METRICS[outline.metrics[0]])
    return panels_of(outline, records)


def _sizes(outline: Outline) -> set[int]:
    return {cell.samples_per_class for cell in outline.first_cells}


def _shown(outline: Outline, records: Records) -> Cells:
    """The cells that have a number, ours or the paper's."""
    cells = outline.first_cells
    frame = aggregate(cells, records, load_published(outline.published))
    control = METRICS[outline.metrics[0]].control
    real = aggregate([replace(cell, metric=control) for cell in cells], records, {}) if control else None
    frame["control"] = math.nan if real is None else real["mean"]
    found = [(cell, _point(cell, line)) for cell, line in zip(cells, frame.to_dict("records"), strict=True)]
    return [(cell, point) for cell, point in found if not (math.isnan(point.mean) and math.isnan(point.published))]


def _point(cell: CellSpec, line: dict) -> Point:
    theirs = line["published_mean"], line["published_std"]
    return Point(
        cell.samples_per_class, line["mean"], line["std"], *theirs, cell.dataset_id, cell.method, line["control"]
    )


def _curves(shown: Cells, y_label: str) -> list[Panel]:
    return [
        Panel(title, "samples per class", y_label, _lines(cells, lambda cell: cell.method_label), log=True)
        for title, cells in _grouped(shown, lambda cell: cell.dataset_label)
    ]


def _bars(shown: Cells, y_label: str) -> list[Panel]:
    named = [(cell, replace(point, x=cell.dataset_label)) for cell, point in shown]
    sizes = ", ".join(str(size) for size in sorted({cell.samples_per_class for cell, _ in shown}))
    lines = _lines(named, lambda cell: cell.method_label)
    return [Panel(f"{sizes} samples per class", "dataset", y_label, lines, bars=True)] if shown else []


def _dots(shown: Cells, metric: Metric) -> list[Panel]:
    by_size = sorted(shown, key=lambda pair: pair[0].samples_per_class)
    return [
        Panel(title, metric.axis, "", _lines(cells, lambda cell: cell.method_label), dots=True, from_zero=metric.bars)
        for title, cells in _grouped(by_size, lambda cell: f"{_dataset(cell)}, {_size(cell)}")
    ]


def _over_parameter(axis: ParameterAxis, shown: Cells, y_label: str) -> list[Panel]:
    at = [(cell, replace(point, x=_number(cell, axis.parameter))) for cell, point in shown]
    name = axis.line
    if name is None:
        return [_panel(axis, "", y_label, _lines(at, _naming(at, _dataset, _base, _size)))] if at else []
    return [
        _panel(axis, title, y_label, _lines(cells, lambda cell: f"{_number(cell, name):g} {name}"))
        for title, cells in _grouped(at, _naming(at, _base, _dataset, _size))
    ]


def _naming(shown: Cells, first: Name, *others: Name) -> Name:
    """What tells cells apart that no one line may join: its first name, and the others where cells differ in them."""
    differing = [name for name in others if len({name(cell) for cell, _ in shown}) > 1]
    return lambda cell: ", ".join(name(cell) for name in (first, *differing))


def _dataset(cell: CellSpec) -> str:
    return cell.dataset_label


def _base(cell: CellSpec) -> str:
    return cell.method_label.partition(" (")[0]


def _size(cell: CellSpec) -> str:
    return f"{cell.samples_per_class} per class"


def _panel(axis: ParameterAxis, title: str, y_label: str, lines: dict[str, list[Point]]) -> Panel:
    if axis.relative:
        lines = {label: _relative(points) for label, points in lines.items()}
        y_label = "accuracy relative to the original size (%)"
    return Panel(title, axis.x_label, y_label, lines, log=axis.log, mark=axis.mark)


def _relative(points: list[Point]) -> list[Point]:
    """Percent of the accuracy at the least x; nothing where that is missing."""
    base = points[0].mean
    return [
        replace(point, mean=100 * point.mean / base, std=100 * point.std / base, control=math.nan) for point in points
    ]


def _number(cell: CellSpec, parameter: str) -> float:
    """The value of a parameter, NaN where the row leaves it to the dataset or its method has none of that name."""
    return float(cell.parameters.get(parameter, math.nan))


def _grouped(shown: Cells, key: Name) -> list[tuple[str, list[tuple[CellSpec, Point]]]]:
    groups: dict[str, list[tuple[CellSpec, Point]]] = {}
    for cell, point in shown:
        groups.setdefault(key(cell), []).append((cell, point))
    return list(groups.items())


def _lines(shown: Cells, key: Name) -> dict[str, list[Point]]:
    lines = {label: [point for _, point in cells] for label, cells in _grouped(shown, key)}
    numbers = all(isinstance(point.x, (int, float)) for points in lines.values() for point in points)
    return {label: sorted(points, key=lambda p: p.x) if numbers else points for label, points in lines.items()}
