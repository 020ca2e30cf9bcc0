"""What a study's figure shows: panels of lines or bars, as plain values that `results.figures` draws."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from datasets.registry import split_outside
from results.cells import CellSpec

ACCURACY = "test accuracy (%)"


@dataclass(frozen=True)
class Point:
    """One cell: ours and the paper's mean and standard deviation, NaN where there is none; x: number or name."""

    x: float | str
    mean: float
    std: float
    published: float = math.nan
    published_std: float = math.nan


@dataclass(frozen=True)
class Panel:
    """One pair of axes. lines: points by label; mark: an x that a dashed line points out."""

    title: str
    x_label: str
    y_label: str
    lines: dict[str, list[Point]]
    bars: bool = False
    log: bool = False
    mark: float | None = None


@dataclass(frozen=True)
class Sweep:
    """A figure over a parameter of the methods. default: what a row that does not name it has.

    line: the parameter that tells lines apart, with its default, else lines are datasets;
    relative: whether accuracies are in percent of that at the least x, which is the dataset's own.
    """

    parameter: str
    x_label: str
    default: float | None
    line: tuple[str, float] | None = None
    relative: bool = False
    log: bool = False
    mark: float | None = None


SWEEPS = {
    "figure5": Sweep("p_gen", "mixing probability $p_{gen}$", 0.5, mark=0.5),
    "figure6": Sweep("generator_size", "image size of the generator (pixels)", None, relative=True),
    "figure8": Sweep("noise", "segmentation noise (probability)", 0.0),
    "chimeramix-figure6": Sweep("mixing_point", "relative feature mixing point", 0.5, line=("blocks", 4)),
    "chimeramix-figure7": Sweep("mask_size", "mixing mask size (cells per side)", 4, log=True, mark=4),
}

Cells = Sequence[tuple[CellSpec, Point]]


def panels_of(name: str, frame: pd.DataFrame, cells: Iterable[CellSpec]) -> list[Panel]:
    """The figure of a study: over its parameter, over samples per class, or bars where there is but one size."""
    lines = zip(cells, frame.to_dict("records"), strict=True)
    found = [(cell, _point(cell, line)) for cell, line in lines if not cell.parts]
    shown = [(cell, point) for cell, point in found if not (math.isnan(point.mean) and math.isnan(point.published))]
    if name in SWEEPS:
        return _sweep(SWEEPS[name], shown)
    return _curves(shown) if len({cell.samples_per_class for cell, _ in found}) > 1 else _bars(shown)


def _point(cell: CellSpec, line: dict) -> Point:
    return Point(cell.samples_per_class, line["mean"], line["std"], line["published_mean"], line["published_std"])


def _curves(shown: Cells) -> list[Panel]:
    return [
        Panel(title, "samples per class", ACCURACY, _lines(cells, lambda cell: cell.method_label), log=True)
        for title, cells in _grouped(shown, lambda cell: cell.dataset_label)
    ]


def _bars(shown: Cells) -> list[Panel]:
    named = [(cell, replace(point, x=cell.dataset_label)) for cell, point in shown]
    sizes = ", ".join(str(size) for size in sorted({cell.samples_per_class for cell, _ in shown}))
    lines = _lines(named, lambda cell: cell.method_label)
    return [Panel(f"{sizes} samples per class", "dataset", ACCURACY, lines, bars=True)] if shown else []


def _sweep(sweep: Sweep, shown: Cells) -> list[Panel]:
    at = [(cell, replace(point, x=_parameter(cell.method, sweep.parameter, sweep.default))) for cell, point in shown]
    if sweep.line is None:
        panels = [("", at)] if at else []
        return [_over(sweep, title, _lines(cells, lambda cell: cell.dataset_label)) for title, cells in panels]
    name, default = sweep.line
    by_method = _grouped(at, lambda cell: cell.method.partition("(")[0])
    return [
        _over(sweep, title, _lines(cells, lambda cell: f"{_parameter(cell.method, name, default):g} {name}"))
        for title, cells in by_method
    ]


def _over(sweep: Sweep, title: str, lines: dict[str, list[Point]]) -> Panel:
    if sweep.relative:
        lines = {label: _relative(points) for label, points in lines.items()}
    y_label = "accuracy relative to the original size (%)" if sweep.relative else ACCURACY
    return Panel(title, sweep.x_label, y_label, lines, log=sweep.log, mark=sweep.mark)


def _relative(points: list[Point]) -> list[Point]:
    """Percent of the accuracy at the least x; nothing where that is missing."""
    base = points[0].mean
    return [replace(point, mean=100 * point.mean / base, std=100 * point.std / base) for point in points]


def _parameter(method: str, name: str, default: float | None) -> float:
    """The value of a parameter in a method's text, e.g. 0.3 of p_gen in hydramix(p_gen=0.3)."""
    inside = re.fullmatch(r"[^(]*\((.*)\)", method)
    given = dict(part.strip().split("=", 1) for part in split_outside(inside[1], ",")) if inside else {}
    value = given.get(name, default)
    return math.nan if value is None else float(value)


def _grouped(shown: Cells, key: Callable[[CellSpec], str]) -> list[tuple[str, list[tuple[CellSpec, Point]]]]:
    groups: dict[str, list[tuple[CellSpec, Point]]] = {}
    for cell, point in shown:
        groups.setdefault(key(cell), []).append((cell, point))
    return list(groups.items())


def _lines(shown: Cells, key: Callable[[CellSpec], str]) -> dict[str, list[Point]]:
    lines = {label: [point for _, point in cells] for label, cells in _grouped(shown, key)}
    numbers = all(isinstance(point.x, (int, float)) for points in lines.values() for point in points)
    return {label: sorted(points, key=lambda p: p.x) if numbers else points for label, points in lines.items()}
