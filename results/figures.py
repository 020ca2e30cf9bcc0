"""Figures by matplotlib, as PDF and PNG: labelled axes, colours that colour-blind people can tell apart."""

import math
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

from datasets.base import CHECKOUT
from datasets.registry import BadInput
from results.canvas import COLOURS, head, save
from results.compare import Accuracies, Ranking, ranking_of
from results.drawings import draw_beside
from results.escape import escape_mathematics as _plain
from results.index import Records
from results.outline import Drawing, Outline
from results.panels import Panel, Point, panels_of
from results.tables import caption_of

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
FIGURES = CHECKOUT / "results" / "figures"
_SUFFIXES = (".pdf", ".png")


def write_figure(outline: Outline, records: Records, folder: Path) -> list[Path]:
    """Writes <folder>/<study>.pdf and .png and returns their paths; raises BadInput where there is nothing to draw."""
    figure = _drawing(outline, outline.drawing, records) if outline.drawing else _numbers(outline, records)
    paths = [folder / f"{outline.file_name}{suffix}" for suffix in _SUFFIXES]
    for path in paths:
        save(figure, path)
    return paths


def _numbers(outline: Outline, records: Records) -> Figure:
    panels = panels_of(outline, records)
    if not panels:
        name = outline.name
        raise BadInput(f"{name}: no records and no published numbers; `hydrabench run {name}` makes records")
    return draw(panels, outline.title, caption_of(outline, records))


def _drawing(outline: Outline, drawing: Drawing, records: Records) -> Figure:
    """The figure of what lies beside the first of an outline's records."""
    if (entry := next((records.by_key[key] for key in outline.keys if key in records.by_key), None)) is None:
        raise BadInput(f"{outline.name}: no records; `hydrabench run {outline.name}` makes them")
    caption = f"{entry.row}, seed {entry.seed}. {caption_of(outline, records)}"
    return draw_beside(entry.path.parent, drawing, outline.title, caption)


def draw(panels: Sequence[Panel], title: str, caption: str) -> Figure:
    """All panels side by side, one legend below; ours solid or filled, the papers' numbers dashed or hollow."""
    width = max(5.5, 4.2 * len(panels))
    figure = Figure(figsize=(width, 5.2), layout="constrained")
    looks = _looks(list(dict.fromkeys(label for panel in panels for label in panel.lines)))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        (_draw_bars if panel.bars else _draw_lines)(axes, panel, looks)
        axes.set(title=_plain(panel.title), xlabel=panel.x_label, ylabel=panel.y_label)
        axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    head(figure, title, caption)
    figure.legend(handles=_legend(looks, panels), loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    return figure


Looks = dict[str, tuple[str, str]]


def _looks(labels: Sequence[str]) -> Looks:
    """A colour and a marker for each label; no two labels have both."""
    looks = islice(zip(cycle(COLOURS), cycle(MARKERS), strict=False), len(labels))
    return dict(zip(labels, looks, strict=True))


def _draw_lines(axes: Axes, panel: Panel, looks: Looks) -> None:
    for label, line in panel.lines.items():
        colour, marker = looks[label]
        x, mean, std, published, _ = _columns(line)
        axes.plot(x, mean, color=colour, marker=marker, ms=4, lw=1.4)
        axes.fill_between(x, mean - std, mean + std, color=colour, alpha=0.15, lw=0)
        axes.plot(x, published, color=colour, marker=marker, ms=4, lw=0.8, ls="--", mfc="none")
    if panel.mark is not None:
        axes.axvline(panel.mark, color="0.5", linestyle=":", linewidth=1)
    _ticks(axes, panel)


def _ticks(axes: Axes, panel: Panel) -> None:
    if panel.log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(sorted({float(p.x) for line in panel.lines.values() for p in line})))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def _draw_bars(axes: Axes, panel: Panel, looks: Looks) -> None:
    places = list(dict.fromkeys(point.x for line in panel.lines.values() for point in line))
    width = 0.8 / len(panel.lines)
    for number, (label, line) in enumerate(panel.lines.items()):
        names, mean, std, published, published_std = _columns(line)
        at = np.array([places.index(name) for name in names]) + (number - (len(panel.lines) - 1) / 2) * width
        colour = looks[label][0]
        axes.bar(at, mean, width * 0.9, yerr=std, color=colour, alpha=0.85, error_kw={"lw": 1})
        edge = colour if np.isnan(mean).all() else "black"  # to be seen on the bar
        axes.errorbar(at, published, published_std, color=edge, marker="D", ms=5, ls="none", capsize=2, mfc="none")
    axes.set_xticks(range(len(places)), [_plain(str(place)) for place in places])


def _columns(points: Sequence[Point]) -> tuple[np.ndarray, ...]:
    """x, mean, std, published, published_std; a single seed's missing std is drawn as 0."""
    x = np.array([point.x for point in points])
    mean, std, published, spread = (
        np.array([getattr(point, name) for point in points], dtype=float)
        for name in ("mean", "std", "published", "published_std")
    )
    return x, mean, np.nan_to_num(std), published, np.nan_to_num(spread)


def _legend(looks: Looks, panels: Sequence[Panel]) -> list[Line2D]:
    bars = any(panel.bars for panel in panels)
    shown = [_handle(label, *look, bars) for label, look in looks.items()]
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    if any(not math.isnan(point.published) for point in points):
        marker, style = ("D", "none") if bars else ("o", "--")
        shown.append(Line2D([], [], color="0.3", mfc="none", label="as published", ms=4, marker=marker, ls=style))
    return shown


def _handle(label: str, colour: str, marker: str, bars: bool) -> Line2D:
    marker, style, size = ("s", "none", 7) if bars else (marker, "-", 4)
    return Line2D([], [], color=colour, label=_plain(label).lstrip("_"), marker=marker, ls=style, ms=size)


def critical_difference(ranking: Ranking, path: Path) -> None:
    """The critical-difference diagram of Demšar (2006) by Nemenyi's test, into a .pdf or .png file."""
    import scikit_posthocs

    figure = Figure(figsize=(7, 1.2 + 0.3 * len(ranking.ranks)), layout="constrained")
    axes = figure.subplots()
    ranks = {_plain(name): value for name, value in ranking.ranks.items()}
    significance = ranking.nemenyi.rename(index=_plain, columns=_plain)  # type: ignore[union-attr]
    scikit_posthocs.critical_difference_diagram(ranks, significance, ax=axes)
    axes.set_title(f"average rank over {ranking.cells} cells, 1 is best; a bar joins what p ≥ 0.05 does not tell apart")
    save(figure, path)


def write_diagram(path: Path, accuracies: Accuracies, metric: str = "top1") -> None:
    """The critical-difference diagram, as PDF or PNG; raises BadInput where there are too few methods or cells."""
    ranking = ranking_of(accuracies, metric)
    if ranking is None or ranking.nemenyi is None:
        raise BadInput("a critical-difference diagram needs three methods with common seeds in at least two cells")
    critical_difference(ranking, path)
