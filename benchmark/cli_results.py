"""The verbs that make something of records; they train nothing, and most import no torch."""

import sys
from pathlib import Path
from typing import Any

import click

from benchmark.notes import note, note_left_out, put
from benchmark.options import selectors, selectors_but_methods, store, stores, take_selection, take_stores
from datasets.registry import BadInput

FORMATS = ("text", "markdown", "latex", "csv", "json")
EXPORTS = ("csv", "parquet", "json")


@click.command()
@click.argument("study")
@selectors
@stores
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: by the output's suffix, else text.")
@click.option("--published", is_flag=True, help="The papers' numbers in the same layout.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
def table(study: str, form: str | None, published: bool, output: Path | None, **values: Any) -> None:
    """Print the table of STUDY from records, beside the papers' numbers."""
    from benchmark.tabulate import make_table

    made, problems = make_table(study, take_selection(values), take_stores(values))
    note_left_out(problems)
    put(made.render(form or _format_of(output), published), output)


@click.command()
@click.argument("studies", nargs=-1)
@selectors
@stores
def tables(studies: tuple[str, ...], **values: Any) -> None:
    """Write results/tables/<study>.{txt,md,csv,tex} for STUDIES, or for every study with records."""
    from benchmark.tabulate import write_tables

    paths, problems = write_tables(studies, take_selection(values), take_stores(values))
    note_left_out(problems)
    for path in paths:
        note(f"wrote {path}")


@click.command()
@click.argument("studies", nargs=-1)
@selectors
@stores
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
def verdict(studies: tuple[str, ...], form: str, output: Path | None, **values: Any) -> None:
    """Compare STUDIES (default: every one with published numbers) with the papers, cell by cell.

    Exit status 0: every published cell was run at the papers' setting and matches; 1: one is off; 3: neither.
    Markdown is the page results/REPRODUCTION.md, about everything there is.
    """
    from benchmark.verdicts import reproduction, verdicts, verdicts_json, verdicts_text, worst

    selection, stores_ = take_selection(values), take_stores(values)
    if form == "markdown":
        return put(reproduction(stores_), output)
    found, problems = verdicts(studies, selection, stores_)
    note_left_out(problems)
    put(verdicts_json(found) if form == "json" else verdicts_text(found), output)
    sys.exit(worst(found.values()))


@click.command()
@click.argument("study")
@selectors
@stores
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder (default: results/figures).")
def figure(study: str, output: Path | None, **values: Any) -> None:
    """Draw STUDY from records, the papers' numbers overlaid: <study>.pdf and <study>.png."""
    from benchmark.illustrate import FIGURES, write_figure

    paths, problems = write_figure(study, take_selection(values), take_stores(values), output or FIGURES)
    note_left_out(problems)
    for path in paths:
        note(f"wrote {path}")


@click.command()
@click.argument("methods", nargs=-1, required=True)
@click.option("--study", default="table1", show_default=True, help="Where datasets, sizes, preset and seeds come from.")
@selectors_but_methods
@stores
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Draw the critical differences: .pdf or .png.")
def compare(methods: tuple[str, ...], study: str, form: str, output: Path | None, **values: Any) -> None:
    """Compare METHODS by records with equal dataset, samples per class and seed."""
    from benchmark.comparison import comparison_json, comparison_text, gather, write_diagram

    records = take_stores(values).records()
    note_left_out(records.problems)
    outline, accuracies = gather(methods, study, take_selection(values), records)
    click.echo((comparison_json if form == "json" else comparison_text)(outline, accuracies))
    if output is not None:
        write_diagram(output, accuracies)
        note(f"wrote {output}")


@click.command()
@stores
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder (default: results/report).")
def report(output: Path | None, **values: Any) -> None:
    """Write one page that shows everything there is: index.html, which needs no network."""
    from benchmark.reporting import REPORT, write_report

    path, problems = write_report(output or REPORT, take_stores(values))
    note_left_out(problems)
    note(f"wrote {path} ({path.stat().st_size / 2**20:.1f} MiB)")


@click.command("export")
@click.argument("studies", nargs=-1)
@selectors
@stores
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "json"]), help="Default: by the output's suffix."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; default: standard output.")
def export_(studies: tuple[str, ...], form: str | None, output: Path | None, **values: Any) -> None:
    """Gather the records of STUDIES, or all records, in one file: a line or an object each."""
    from benchmark.gather import export_records

    selection, stores_ = take_selection(values), take_stores(values)
    content, problems = export_records(studies, selection, stores_, form or _export_format(output))
    note_left_out(problems)
    if output is None:
        click.echo(content, nl=False)
    else:
        from results.store import write_atomically

        write_atomically(output, content)
        note(f"wrote {output}")


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@store
def import_(folder: Path, results: Path) -> None:
    """Copy the records of another store, FOLDER, into this one; say which are there already or disagree.

    Exit status 1 where records disagree or cannot be trusted; they are left as they are, on both sides.
    """
    from results.exchange import import_records

    done = import_records(folder.resolve(), results.resolve())
    note_left_out(done.problems)
    for conflict in done.conflicts:
        note(f"conflict, not imported: {conflict}")
    note(f"{len(done.copied)} imported, {len(done.same)} were here already, {len(done.conflicts)} conflicts")
    sys.exit(1 if done.conflicts or done.problems else 0)


def _format_of(output: Path | None) -> str:
    suffixes = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json", ".txt": "text"}
    if output is None:
        return "text"
    if output.suffix not in suffixes:
        raise BadInput(f"{output}: give --format, or a suffix out of {' '.join(suffixes)}")
    return suffixes[output.suffix]


def _export_format(output: Path | None) -> str:
    suffix = output.suffix[1:] if output else "csv"
    if suffix not in EXPORTS:
        raise BadInput(f"{output}: give --format, or a suffix out of .csv .parquet .json")
    return suffix


VERBS: tuple[click.Command, ...] = (table, tables, verdict, figure, compare, report, export_, import_)
