"""One frame to text, Markdown, LaTeX, CSV and JSON, in the layout of the papers' tables."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from tabulate import tabulate

from datasets.base import CHECKOUT
from datasets.registry import unknown
from results.aggregate import aggregate, load_published
from results.captions import as_published, caption_of, counted, note_of
from results.escape import escape_latex, escape_markdown, escape_spreadsheet, one_line
from results.files import write_atomically
from results.index import Records
from results.latex import AUGMENTED, TICKS, is_ticked, latex_table, tick_augmentations
from results.metrics import METRICS
from results.outline import CellSpec, Outline

T = TypeVar("T")
Place = tuple[str, ...]

MISSING, PAPER = "–", "  (paper)"
TABLES = CHECKOUT / "results" / "tables"
_SUFFIXES = {"text": "txt", "markdown": "md", "csv": "csv", "latex": "tex"}
_TITLES = {"dataset": "Dataset", "method": "Method", "samples_per_class": "Samples per class", "metric": "Metric"}


@dataclass(frozen=True)
class Number:
    """What stands in a cell: mean ± std over n seeds out of `asked`; rank 1 is the best of its dataset and column."""

    mean: float
    std: float
    n: int
    asked: int
    rank: int = 0

    @property
    def complete(self) -> bool:
        return self.n >= self.asked > 0


@dataclass(frozen=True)
class Style:
    """How one text format writes numbers, emphasis and foreign text."""

    plus_minus: str
    bold: Callable[[str], str]
    underline: Callable[[str], str]
    escape: Callable[[str], str]


@dataclass(frozen=True)
class Table:
    """A study's frame with what a reader needs to know of it; `render` is pure.

    name: the study's; frame: one line per cell (aggregate.COLUMNS); cells: their specs in the same order; caption:
    preset, seeds, what ± is, deviations; of_papers: the caption of the papers' numbers alone; note: what a reader must
    know of these too; second_best: whether the second best of a column is underlined.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    cells: list[CellSpec]
    rows: list[str]
    columns: list[str]
    of_papers: str = "As published."
    note: str = ""
    second_best: bool = False

    def render(self, form: str, published: bool = False) -> str:
        """The table as text, markdown, latex, csv or json; `published` puts the papers' numbers in our place."""
        if form == "csv":
            return self.frame.map(escape_spreadsheet).to_csv(index=False, float_format="%.6g").rstrip("\n")
        if form == "json":
            return self.frame.to_json(orient="records", indent=1, double_precision=6)
        parts = [f"{self.title}.", self.of_papers if published else self.caption, self.note]
        if form != "latex" and "samples_per_class" in self.columns:
            parts.insert(2, "Columns are samples per class.")
        caption = " ".join(filter(None, parts))
        forms = {"text": _text, "markdown": _markdown, "latex": _latex}
        if form not in forms:
            raise unknown("form of tables", form, [*forms, "csv", "json"])
        return forms[form](self, caption, published)

    def to_latex(self, published: bool = False) -> str:
        """The table for a paper."""
        return self.render("latex", published)

    def numbers(self, published: bool) -> list[Number]:
        """What each cell shows, ranked within its dataset and column among complete cells; 0 is no rank."""
        plain = [_published(line) if published else _ours(line, cell) for line, cell in self._pairs()]
        means: dict[tuple, set[float]] = {}
        for cell, number in zip(self.cells, plain, strict=True):
            if number.complete and METRICS[cell.metric].better != "neither":
                means.setdefault(self._group(cell), set()).add(number.mean)
        order = {group: sorted(found, reverse=METRICS[group[0]].better == "higher") for group, found in means.items()}
        return [
            replace(number, rank=order[group].index(number.mean) + 1 if number.complete and group in order else 0)
            for group, number in zip(map(self._group, self.cells), plain, strict=True)
        ]

    def grid(self, published: bool, style: Style) -> tuple[list[str], list[list[str]]]:
        """Header and body by the study's axes, each cell's place on the columns' axes in one text."""
        heads = [" ".join(head) for head in self.heads(style)]
        return [*(_TITLES[axis] for axis in self.rows), *heads], self.body(published, style)

    def heads(self, style: Style) -> list[Place]:
        """What stands over each column: a text for each axis of the columns."""
        labels = self._labels(style)
        places = _unique(_place(cell, self.columns) for cell in self.cells)
        return [tuple(labels[axis][v] for axis, v in zip(self.columns, place, strict=True)) for place in places]

    def body(self, published: bool, style: Style) -> list[list[str]]:
        """A line for each row; below each row of ours the papers' numbers, where there are any."""
        labels = self._labels(style)
        columns = _unique(_place(cell, self.columns) for cell in self.cells)
        layers = [self._layer(published, style)]
        layers += [self._layer(True, style)] if self.has_both(published) else []
        body = []
        rows = _unique(_place(cell, self.rows) for cell in self.cells)
        firsts = _unique(row[0] for row in rows)  # what has one first name stands together, in whatever order cells are
        for row in sorted(rows, key=lambda row: firsts.index(row[0])):
            names = [labels[axis][value] for axis, value in zip(self.rows, row, strict=True)]
            for depth, layer in enumerate(layers):
                values = [layer.get((row, column), "") for column in columns]
                if depth == 0 or any(value not in ("", MISSING) for value in values):
                    body.append([*names[:-1], names[-1] if depth == 0 else PAPER, *values])
        return body

    @property
    def has_best(self) -> bool:
        """Whether there is a better and a worse among its numbers."""
        return any(METRICS[cell.metric].better != "neither" for cell in self.cells)

    def has_both(self, published: bool) -> bool:
        """Whether the papers' numbers stand below ours."""
        return not published and bool(self.frame["published_mean"].notna().any())

    def _labels(self, style: Style) -> dict[str, dict[str, str]]:
        return {axis: {_value(cell, axis): style.escape(_label(cell, axis)) for cell in self.cells} for axis in _TITLES}

    def _layer(self, published: bool, style: Style) -> dict[tuple[Place, Place], str]:
        return {
            (_place(cell, self.rows), _place(cell, self.columns)): format_number(number, style, self.second_best)
            for cell, number in zip(self.cells, self.numbers(published), strict=True)
        }

    def _group(self, cell: CellSpec) -> Place:
        """Cells of one group compete for bold: one metric in one column of what stands under one first row axis."""
        return (cell.metric, *_place(cell, self.rows[:1]), *_place(cell, self.columns))

    def _pairs(self) -> list[tuple]:
        return list(zip(self.frame.itertuples(index=False), self.cells, strict=True))


def format_number(number: Number, style: Style, second_best: bool = False) -> str:
    """`31.37 ± 3.28`, with their number where seeds are missing, without ± for one seed, – for none."""
    if not number.n:
        return MISSING
    text = f"{number.mean:.2f}"
    if number.n > 1 and not math.isnan(number.std):
        text += f" {style.plus_minus} {number.std:.2f}"
    if number.rank == 1:
        text = style.bold(text)
    elif number.rank == 2 and second_best:
        text = style.underline(text)
    return text if number.complete else f"{text} ({counted(number.n, 'seed')})"


def _ours(line: Any, cell: CellSpec) -> Number:
    return Number(line.mean, line.std, line.n, len(cell.keys))


def _published(line: Any) -> Number:
    known = not math.isnan(line.published_mean)
    return Number(line.published_mean, line.published_std, line.published_n * known, line.published_n)


def _place(cell: CellSpec, axes: list[str]) -> Place:
    """Where a cell stands along some axes."""
    return tuple(_value(cell, axis) for axis in axes)


def _value(cell: CellSpec, axis: str) -> str:
    return str(getattr(cell, axis))


def _label(cell: CellSpec, axis: str) -> str:
    shown = {"dataset": cell.dataset_label, "method": cell.method_label, "metric": METRICS[cell.metric].heading}
    return shown.get(axis, _value(cell, axis))


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _text(table: Table, caption: str, published: bool) -> str:
    style = Style("±", lambda text: f"*{text}", lambda text: f"_{text}", one_line)
    header, body = table.grid(published, style)
    lines = tabulate(_blank_repeats(body), header, "simple", disable_numparse=True)
    key = "\n\n* best of its column" + ", _ second best" * table.second_best
    return f"{one_line(caption)}\n\n{lines}{key * table.has_best}"


def _markdown(table: Table, caption: str, published: bool) -> str:
    style = Style("±", lambda text: f"**{text}**", lambda text: f"<u>{text}</u>", escape_markdown)
    header, body = table.grid(published, style)
    return f"{escape_markdown(caption)}\n\n{tabulate(_blank_repeats(body), header, 'pipe', disable_numparse=True)}"


def _latex(table: Table, caption: str, published: bool) -> str:
    style = Style(r"$\pm$", lambda t: rf"\textbf{{{t}}}", lambda t: rf"\underline{{{t}}}", escape_latex)
    heads, at = table.heads(style), len(table.rows)
    over = _TITLES[table.columns[0]] if table.columns == ["samples_per_class"] else ""
    if not over and "samples_per_class" in table.columns:
        heads = [tuple(_sized(axis, text) for axis, text in zip(table.columns, head, strict=True)) for head in heads]
    body = [[cell.replace(MISSING, "--") for cell in row] for row in table.body(published, style)]
    titles = [_TITLES[axis] for axis in table.rows]
    caption += f" Best in bold{', second best underlined' * table.second_best}." * table.has_best
    caption += " Rows marked (paper) are the paper's numbers." * table.has_both(published)
    if table.rows[-1] == "method" and is_ticked([row[at - 1] for row in body]):
        body = [[*row[: at - 1], *tick_augmentations(row[at - 1], row[at - 1] == PAPER), *row[at:]] for row in body]
        titles, caption = [*titles, *TICKS], f"{caption} {AUGMENTED}"
    return latex_table(table.name, caption, titles, heads, body, over)


def _sized(axis: str, text: str) -> str:
    return f"{text} samples per class" if axis == "samples_per_class" else text


def _blank_repeats(body: list[list[str]]) -> list[list[str]]:
    """The dataset only in its first row, as the papers print it."""
    previous = [None, *(row[0] for row in body)]
    return [["" if row[0] == before else row[0], *row[1:]] for row, before in zip(body, previous, strict=False)]


def fill_table(outline: Outline, records: Records) -> Table:
    """An outline's table with the numbers that the records give."""
    return Table(
        name=outline.file_name,
        title=outline.title,
        caption=caption_of(outline, records),
        frame=aggregate(outline.cells, records, load_published(outline.published)),
        cells=list(outline.cells),
        rows=list(outline.rows),
        columns=list(outline.columns),
        of_papers=as_published(outline),
        note=note_of(outline),
        second_best=outline.second_best,
    )


def write_tables(outlines: Iterable[Outline], records: Records, with_empty: bool) -> list[Path]:
    """Writes results/tables/<study>.{txt,md,csv,tex}; with_empty: also of studies without any record."""
    paths = []
    for outline in outlines:
        table = fill_table(outline, records)
        if with_empty or table.frame["n"].any():
            paths += [_write(outline.file_name, suffix, table.render(form)) for form, suffix in _SUFFIXES.items()]
    return paths


def _write(name: str, suffix: str, text: str) -> Path:
    path = TABLES / f"{name}.{suffix}"
    write_atomically(path, f"{text}\n".encode())
    return path
