"""From a selected study to its table: which records, which published numbers, which caption."""

from pathlib import Path

from benchmark.outline import Outline, load_outline
from benchmark.selection import Selection, study_names
from benchmark.stores import Stores
from results.aggregate import aggregate, load_published
from results.index import Records
from results.store import CHECKOUT, write_atomically
from results.tables import Table

TABLES = CHECKOUT / "results" / "tables"
_SUFFIXES = {"text": "txt", "markdown": "md", "csv": "csv", "latex": "tex"}


def make_table(
    name: str, selection: Selection, stores: Stores, records: Records | None = None
) -> tuple[Table, list[str]]:
    """The table of a selected study, and the record files that were left out of it."""
    records = records or stores.records()
    return fill_table(load_outline(name, selection), records), records.problems


def fill_table(outline: Outline, records: Records) -> Table:
    """An outline's table with the numbers that the records give."""
    return Table(
        outline.title,
        _caption(outline, records),
        aggregate(outline.cells, records, load_published(outline.published)),
        list(outline.cells),
        list(outline.rows),
        list(outline.columns),
        _note(outline),
        outline.second_best,
    )


def write_tables(names: tuple[str, ...], selection: Selection, stores: Stores) -> tuple[list[Path], list[str]]:
    """Writes the tables of the named studies, or of all studies with records, in every format."""
    records = stores.records()
    paths = []
    for name in names or study_names():
        table, _ = make_table(name, selection, stores, records)
        if names or table.frame["n"].any():
            paths += [_write(TABLES / f"{name}.{suffix}", table.render(form)) for form, suffix in _SUFFIXES.items()]
    return paths, records.problems


def _write(path: Path, text: str) -> Path:
    write_atomically(path, f"{text}\n".encode())
    return path


def _note(outline: Outline) -> str:
    average = "Average is the mean over a row's datasets once all are complete; its ± is the mean of theirs."
    return " ".join([outline.note] * bool(outline.note) + [average] * outline.average)


def _caption(outline: Outline, records: Records) -> str:
    seeds = ",".join(map(str, outline.seeds))
    columns = ", ".join(outline.columns).replace("_", " ")
    parts = [
        f"Preset {outline.preset}, seeds {seeds}; columns: {columns}; top-1 accuracy in % after the last epoch; "
        "± is the sample standard deviation over seeds (ddof=1)."
    ]
    if outline.settings:
        parts.append(f"Changed: {', '.join(outline.settings)}.")
    parts += [f"{ours} stands for {theirs} and is another test set." for ours, theirs in stand_ins(outline)]
    parts += outline.remarks
    if outline.preset != "paper" and outline.published:
        parts.append("Not the papers' setting: their numbers are for orientation.")
    missing = sum(key not in records.by_key for key in outline.keys)
    if missing:
        parts.append(f"{missing} runs are missing.")
    return " ".join(parts)


def stand_ins(outline: Outline) -> list[tuple[str, str]]:
    """(dataset, the study's dataset in whose place it stands) wherever the two differ."""
    places = {(cell.dataset, cell.published_dataset) for cell in outline.cells if not cell.parts}
    return sorted((ours, theirs) for ours, theirs in places if theirs not in (None, ours))
