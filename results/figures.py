"""A study's figure, as PDF and PNG, and its caption, as text and as LaTeX that includes the figure."""

from collections.abc import Collection, Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from datasets.base import CHECKOUT
from datasets.registry import BadInput, unknown
from results.canvas import STYLE, WIDTHS, Width, save
from results.captions import caption_of_images, figure_caption
from results.compare import Accuracies, Ranking, ranking_of
from results.drawings import draw_beside
from results.escape import escape_latex
from results.escape import escape_mathematics as _plain
from results.files import write_atomically
from results.index import Records
from results.looks import looks_of
from results.outline import Drawing, Outline
from results.panels import printed_panels
from results.plots import draw
from results.reader import RecordError

FIGURES = CHECKOUT / "results" / "figures"


class Damaged(BadInput):
    """What a figure shows is there and cannot be read."""


def write_figure(
    outline: Outline, records: Records, folder: Path, width: Width = "page", highlight: Collection[str] = ()
) -> list[Path]:
    """Writes <folder>/<study>.pdf, .png, .txt and .tex and returns their paths.

    highlight: methods, as the outline's cells name them. Raises BadInput where there is nothing to draw or highlight.
    """
    if outline.drawing:
        figure, caption = _drawing(outline, outline.drawing, records, width)
    else:
        figure, caption = _numbers(outline, records, width, highlight)
    paths = [folder / f"{outline.file_name}{suffix}" for suffix in (".pdf", ".png")]
    for path in paths:
        save(figure, path)
    return paths + write_caption(paths[0], caption, width)


def write_caption(path: Path, caption: str, width: Width) -> list[Path]:
    """Writes the caption of a figure's file beside it: as .txt, and as .tex, LaTeX that includes the figure."""
    text, latex = path.with_suffix(".txt"), path.with_suffix(".tex")
    write_atomically(text, f"{caption}\n".encode())
    write_atomically(latex, _latex(path.stem, caption, width).encode())
    return [text, latex]


def _latex(name: str, caption: str, width: Width) -> str:
    kind = "figure*" if width == "page" else "figure"
    lines = [rf"\begin{{{kind}}}", r"\centering", rf"\includegraphics[width={WIDTHS[width]}in]{{{name}}}"]
    lines += [rf"\caption{{{escape_latex(caption)}}}", rf"\label{{fig:{name}}}", rf"\end{{{kind}}}"]
    return "\n".join(lines) + "\n"


def _numbers(outline: Outline, records: Records, width: Width, highlight: Collection[str]) -> tuple[Figure, str]:
    panels = printed_panels(outline, records)
    if not panels:
        name = outline.name
        raise BadInput(f"{name}: no records and no published numbers; `hydrabench run {name}` makes records")
    return draw(panels, width, _labels(outline, highlight)), figure_caption(outline, records, panels)


def _labels(outline: Outline, highlight: Collection[str]) -> set[str]:
    """The labels of methods that are to stand out."""
    if highlight and outline.figure:
        raise BadInput(f"{outline.name} has no line for each method that --highlight could pick")
    labels = {cell.method: cell.method_label for cell in outline.first_cells}
    for name in highlight:
        if name not in labels:
            raise unknown(f"method of {outline.name}", name, labels)
    return {labels[name] for name in highlight}


def _drawing(outline: Outline, drawing: Drawing, records: Records, width: Width) -> tuple[Figure, str]:
    """The figure of what lies beside the first of an outline's records."""
    found = ((cell, key) for cell in outline.first_cells for key in cell.keys if key in records.by_key)
    cell, key = next(found, (None, ""))
    if cell is None:
        raise BadInput(f"{outline.name}: no records; `hydrabench run {outline.name}` makes them")
    entry = records.by_key[key]
    caption, folder = caption_of_images(outline, [cell], entry.seed, outline.measured), entry.path.parent
    try:
        return draw_beside(folder, drawing, width), caption
    except (OSError, RecordError) as error:
        told = f"{outline.name}: {folder}: {error}"
        if not isinstance(error, OSError):
            told += f"; without that folder `{outline.command('run', cell)}` makes it anew"
        raise Damaged(told) from error


@rc_context(STYLE)
def critical_difference(ranking: Ranking, labels: Mapping[str, str], path: Path) -> None:
    """The critical-difference diagram of Demšar (2006) by Nemenyi's test, into a .pdf or .png file."""
    import scikit_posthocs

    figure = Figure(figsize=(WIDTHS["page"], 1.0 + 0.2 * len(ranking.ranks)), layout="constrained")
    axes = figure.subplots()
    shown = {name: _plain(labels[name]) for name in ranking.ranks}
    ranks = {shown[name]: value for name, value in ranking.ranks.items()}
    colours = {_plain(label): look.colour for label, look in looks_of([labels[name] for name in ranking.ranks]).items()}
    significance = ranking.nemenyi.rename(index=shown, columns=shown)  # type: ignore[union-attr]
    scikit_posthocs.critical_difference_diagram(ranks, significance, ax=axes, color_palette=colours)
    axes.set_title(f"average rank over {ranking.cells} cells, 1 is best; a bar joins what p ≥ 0.05 does not tell apart")
    save(figure, path)


def write_diagram(path: Path, accuracies: Accuracies, labels: Mapping[str, str], metric: str = "top1") -> None:
    """The critical-difference diagram with the methods' labels, as PDF or PNG.

    Raises BadInput where there are too few methods or cells.
    """
    ranking = ranking_of(accuracies, metric)
    if ranking is None or ranking.nemenyi is None:
        raise BadInput("a critical-difference diagram needs three methods with common seeds in at least two cells")
    critical_difference(ranking, labels, path)
