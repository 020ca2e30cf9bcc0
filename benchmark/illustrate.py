"""`figure`: from a selected study to its PDF and PNG."""

from pathlib import Path

from benchmark.outline import Outline, load_outline
from benchmark.selection import Selection
from benchmark.stores import Stores
from benchmark.tabulate import fill_table
from datasets.registry import BadInput
from results.curves import Panel, panels_of
from results.figures import draw, save
from results.index import Records
from results.store import CHECKOUT

FIGURES = CHECKOUT / "results" / "figures"
SUFFIXES = (".pdf", ".png")


def write_figure(name: str, selection: Selection, stores: Stores, folder: Path) -> tuple[list[Path], list[str]]:
    """Writes <folder>/<study>.pdf and .png; returns their paths and the records that were left out."""
    outline, records = load_outline(name, selection), stores.records()
    panels, caption = panels_and_caption(outline, records)
    if not panels:
        raise BadInput(f"{outline.name}: no records and no published numbers; `run {outline.name}` makes records")
    figure = draw(panels, outline.title, caption)
    paths = [folder / f"{outline.name}{suffix}" for suffix in SUFFIXES]
    for path in paths:
        save(figure, path)
    return paths, records.problems


def panels_and_caption(outline: Outline, records: Records) -> tuple[list[Panel], str]:
    table = fill_table(outline, records)
    return panels_of(outline.name, table.frame, table.cells), table.caption
