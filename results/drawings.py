"""Figures of what is kept beside a record: images as points in the plane, what kinds of its class images look like."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

from datasets.registry import BadInput
from results.canvas import STYLE, WIDTHS, Width, add_legend
from results.escape import escape_mathematics
from results.files import POINTS, VALUES
from results.looks import BLUE, GREEN, PINK, RED, YELLOW
from results.outline import Drawing
from results.points import ORIGINAL, WHOLE, Points, read_points
from results.synsets import ClassValues, read_values

_CROSSES = {"color": GREEN, "marker": "x", "s": 70, "linewidths": 2.5, "zorder": 4}
_GENERATED = ((YELLOW, "^"), (RED, "o"), (BLUE, "s"), (PINK, "D"))  # HydraMix's yellow triangles and red dots
_CIRCLES = {"cmap": "turbo", "marker": "o", "s": 9, "linewidths": 0, "alpha": 0.45, "zorder": 1}
_AMONG_ALL = {"linewidths": 0.7, "s": 12, "zorder": 4}  # ChimeraMix's red crosses, and black dots over circles
_NAMES = {WHOLE: "training images"}  # which may be a part of them
_GRID, _LEVELS = 80, (0.25, 0.5, 0.75, 1.0)  # of a density: places on a side, parts of its greatest value
_SYNSETS, _LETTERS = 10, {"column": 30, "page": 72}  # of a class, as in the paper; of a synset's text


def draw_beside(folder: Path, drawing: Drawing, width: Width) -> Figure:
    """The figure of a record's own file in its folder; raises BadInput where it lacks a class, OSError or RecordError
    where it cannot be read."""
    if drawing.of == "points":
        return draw_points(read_points(folder / POINTS), width)
    classes = read_values(folder / VALUES)
    shown = [one for one in classes if one.name in drawing.classes or not drawing.classes]
    if not shown:
        raise BadInput(f"{folder / VALUES} has no class {' or '.join(drawing.classes)}")
    return draw_synsets(shown, width)


@rc_context(STYLE)
def draw_points(points: Points, width: Width) -> Figure:
    """A scatter figure as HydraMix's Figure 9: crosses for the originals, for each generated set its density too; with
    the whole set, in a colour for each class, as ChimeraMix's Figure 5.

    The axes have no numbers: in an embedding distances and directions mean nothing by themselves.
    """
    figure = Figure(figsize=(WIDTHS[width], 0.85 * WIDTHS[width]), layout="constrained")
    axes = figure.subplots()
    for name, look in (_looks_among_all if WHOLE in points else _looks)(points):
        xy = points[name].xy
        axes.scatter(*xy.T, label=escape_mathematics(f"{_NAMES.get(name, name)} ({len(xy)})"), **look)
        if name != ORIGINAL and WHOLE not in points:
            _draw_density(axes, xy, look["color"])
    axes.set(xticks=[], yticks=[])
    add_legend(figure, axes.get_legend_handles_labels()[0], most=4)
    return figure


def _looks(points: Points) -> Iterator[tuple[str, dict]]:
    generated = [name for name in points if name != ORIGINAL]
    for name in points:
        if name == ORIGINAL:
            yield name, _CROSSES
        else:
            colour, marker = _GENERATED[generated.index(name) % len(_GENERATED)]
            yield name, {"color": colour, "marker": marker, "s": 9, "linewidths": 0, "alpha": 0.7, "zorder": 3}


def _looks_among_all(points: Points) -> Iterator[tuple[str, dict]]:
    """A colour for each class, which are too many for a legend."""
    for name, cloud in points.items():
        if name == WHOLE:
            yield name, {"c": cloud.labels, **_CIRCLES}
        elif name == ORIGINAL:
            yield name, {"color": RED, "marker": "x", **_AMONG_ALL}
        else:
            yield name, {"color": "black", "marker": ".", **_AMONG_ALL, "s": 4, "zorder": 3}


def _draw_density(axes: Axes, xy: np.ndarray, colour: str) -> None:
    """A kernel density estimate in steps; nothing where the points have no area."""
    try:
        estimate = gaussian_kde(xy.T)
    except (ValueError, np.linalg.LinAlgError):
        return
    margin = 0.15 * np.ptp(xy, axis=0)
    x, y = np.meshgrid(*np.linspace(xy.min(axis=0) - margin, xy.max(axis=0) + margin, _GRID).T)
    density = estimate(np.stack([x.ravel(), y.ravel()])).reshape(x.shape)
    for level in _LEVELS[:-1]:
        axes.contourf(x, y, density / density.max(), [level, _LEVELS[-1]], colors=[colour], alpha=0.12, zorder=2)


@rc_context(STYLE)
def draw_synsets(classes: Sequence[ClassValues], width: Width) -> Figure:
    """For each class the ten synsets of the highest mean, over all images and for each image shown; in percent."""
    figure = Figure(figsize=(WIDTHS[width], 0.2 + 1.9 * len(classes)), layout="constrained")
    for axes, values in zip(figure.subplots(len(classes), squeeze=False)[:, 0], classes, strict=True):
        _draw_class(axes, values, _LETTERS[width])
    return figure


def _draw_class(axes: Axes, values: ClassValues, letters: int) -> None:
    top = np.argsort(-values.mean, kind="stable")[:_SYNSETS]
    table = 100 * np.column_stack([values.mean, values.images])[top]
    axes.imshow(table, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6, color="w" if value > 60 else "k")
    axes.axvline(0.5, color="k", linewidth=1)
    images = range(1, values.images.shape[1] + 1)
    axes.set_xticks(range(table.shape[1]), ["mean", *(f"image {number}" for number in images)], fontsize=7)
    texts = [escape_mathematics(shorten(values.texts[place], letters, placeholder=" …")) for place in top]
    axes.set_yticks(range(len(top)), texts, fontsize=6.5)
    axes.set_title(escape_mathematics(f"{values.name}: similarity to its kinds (%)"), fontsize=8)
