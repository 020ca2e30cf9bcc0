"""Panels drawn by matplotlib: ours filled, the papers' numbers hollow."""

import math
from collections.abc import Collection, Sequence
from itertools import chain
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

from results.canvas import STYLE, WIDTHS, Width, add_legend
from results.escape import escape_mathematics as _plain
from results.looks import Look, looks_of
from results.panels import Panel, Point

_FEW = 4  # lines in a panel whose bands can be told apart
_FADED = "0.72"
_PANEL, _DOTS_HEAD, _DOT_ROW = 2.1, 0.62, 0.17  # inches of height
_UPRIGHT, _LETTERS = 28, 12.5  # of an axis' name: in a line beside it, in an inch below it
_LINE_SIZE, _DOT_SIZE = 4.5, 5.0  # points
_DOTTED: dict[str, Any] = {"color": "0.5", "linestyle": ":", "linewidth": 1}


@rc_context(STYLE)
def draw(panels: Sequence[Panel], width: Width = "page", highlight: Collection[str] = ()) -> Figure:
    """All panels in a grid; curves with one legend below, dots with their names beside them.

    highlight: labels that stand out; the others are grey. Without it, curves have bands where they are few.
    """
    labels = list(dict.fromkeys(label for panel in panels for label in panel.lines))
    dots = any(panel.dots for panel in panels)
    looks = {
        label: Look(_FADED, look.marker, look.dash) if highlight and label not in highlight else look
        for label, look in looks_of(labels).items()
    }
    across = _across(len(panels), width, dots)
    rows = math.ceil(len(panels) / across)
    handles = _legend(labels, looks, panels, dots)
    height = rows * (_DOTS_HEAD + _DOT_ROW * len(labels) if dots else _PANEL)
    figure = Figure((WIDTHS[width], height), layout="constrained")
    grid = figure.subplots(rows, across, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_dots(axes, panel, looks, labels, highlight) if dots else _draw_lines(axes, panel, looks, highlight)
        axes.set(title=_plain(panel.title))
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    _name_axes(grid, panels, labels, highlight, int(_LETTERS * WIDTHS[width] / across))
    if handles:
        figure.set_figheight(height + add_legend(figure, handles))
    return figure


def _across(count: int, width: Width, dots: bool) -> int:
    """Panels in a row: a divisor of their number where there is one, so that none is left over."""
    most = 3 if width == "page" else 2 if dots and count == 2 else 1
    return next((across for across in range(most, 1, -1) if count % across == 0), min(most, count))


def _name_axes(
    grid: np.ndarray, panels: Sequence[Panel], labels: Sequence[str], highlight: Collection[str], letters: int
) -> None:
    """What axes show stands once for each row; below each panel what is along it, in lines of so many letters."""
    for place, panel in enumerate(panels):
        axes, first = grid.flat[place], place % grid.shape[1] == 0
        axes.set(xlabel=fill(panel.x_label, letters), ylabel=fill(panel.y_label, _UPRIGHT) if first else "")
        if not panel.dots:
            continue
        axes.set_yticks(range(len(labels)), [_plain(label) if first else "" for label in labels])
        for text, label in zip(axes.get_yticklabels(), labels, strict=True):
            text.set_fontweight("bold" if label in highlight else "normal")


def _draw_lines(axes: Axes, panel: Panel, looks: dict[str, Look], highlight: Collection[str]) -> None:
    banded = highlight or (panel.lines if len(panel.lines) <= _FEW else ())
    for label, line in panel.lines.items():
        look, front = looks[label], 3 if label in highlight else 2
        x, mean, std, published, _ = _columns(line)
        size = _size(look, _LINE_SIZE)
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "ls": look.dash, "zorder": front}
        axes.plot(x, published, **style, ms=size, lw=0.7, mfc="w", mew=0.7)
        axes.plot(x, mean, **style, ms=size, lw=1.3, mec="w", mew=0.3)
        if label in banded:
            axes.fill_between(x, mean - std, mean + std, color=look.colour, alpha=0.15, lw=0)
    if panel.mark is not None:
        axes.axvline(panel.mark, **_DOTTED)
    if not math.isnan(panel.control):
        axes.axhline(panel.control, **_DOTTED)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    _ticks(axes, panel)


def _size(look: Look, size: float) -> float:
    """Stars and thin diamonds look smaller than they are."""
    return size * {"*": 1.6, "d": 1.25, "X": 1.2, "P": 1.2, "p": 1.2}.get(look.marker, 1.0)


def _ticks(axes: Axes, panel: Panel) -> None:
    if panel.log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(sorted({float(p.x) for line in panel.lines.values() for p in line})))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def _draw_dots(
    axes: Axes, panel: Panel, looks: dict[str, Look], labels: Sequence[str], highlight: Collection[str]
) -> None:
    both = _has(panel, "mean") and _has(panel, "published")
    for label, line in panel.lines.items():
        look, row = looks[label], labels.index(label)
        _, mean, std, published, published_std = _columns(line)
        style: dict[str, Any] = {
            "color": look.colour,
            "marker": look.marker,
            "ms": _size(look, _DOT_SIZE),
            "ls": "none",
        }
        if panel.from_zero:
            axes.barh([row + 0.2 * both], published, height=0.35, fc="w", ec=look.colour, lw=0.8)
            axes.barh([row - 0.2 * both], mean, height=0.35, fc=look.colour, alpha=0.5)
        axes.errorbar(published, [row + 0.2 * both], xerr=published_std, mfc="w", mew=0.8, elinewidth=0.6, **style)
        axes.errorbar(mean, [row - 0.2 * both], xerr=std, elinewidth=1.2, mec="w", mew=0.3, **style)
    if not math.isnan(panel.control):
        axes.axvline(panel.control, **_DOTTED)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="both", linewidth=0.4, alpha=0.5)


def _columns(points: Sequence[Point]) -> tuple[np.ndarray, ...]:
    """x, mean, std, published, published_std; a single seed's missing std is drawn as 0."""
    x = np.array([point.x for point in points])
    mean, std, published, spread = (
        np.array([getattr(point, name) for point in points], dtype=float)
        for name in ("mean", "std", "published", "published_std")
    )
    return x, mean, np.nan_to_num(std), published, np.nan_to_num(spread)


def _has(panel: Panel, name: str) -> bool:
    return any(not math.isnan(getattr(point, name)) for point in chain(*panel.lines.values()))


def _legend(labels: Sequence[str], looks: dict[str, Look], panels: Sequence[Panel], dots: bool) -> list[Line2D]:
    """Curves by name, filled where they are ours; then what filled and hollow mean, where both are there."""
    ours, theirs = (any(_has(panel, name) for panel in panels) for name in ("mean", "published"))
    handles = [] if dots else [_handle(_plain(label), looks[label], "w" if not ours else None) for label in labels]
    plain = Look("0.3", "o", "none")
    handles += [_handle("measured here", plain, None)] * (ours and theirs)
    return handles + [_handle("as published", plain, "w")] * theirs


def _handle(label: str, look: Look, filling: str | None) -> Line2D:
    face = look.colour if filling is None else filling
    return Line2D(
        [], [], color=look.colour, mfc=face, label=label.lstrip("_"), marker=look.marker, ls=look.dash,
        ms=_size(look, _LINE_SIZE), lw=1.0, mew=0.7,
    )  # fmt: skip
