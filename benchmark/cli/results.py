"""The verbs that make something of records: table tables verdict figure figures compare report show export import.

They train nothing, and most import no torch.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import completion
from benchmark.cli.notes import note, note_left_out, note_written, put, readable
from benchmark.cli.options import (
    FORMATS,
    Names,
    PathOf,
    output_option,
    selection_options,
    selection_options_but_methods,
    store_option,
    stores_options,
)
from benchmark.selection import Selection, study_names
from datasets.paths import name_or_file, real_path
from datasets.registry import BadInput, Malformed
from results.escape import one_line, printable
from results.stores import Stores

if TYPE_CHECKING:
    from benchmark.cli.imports import Import
    from results.canvas import Width
    from results.index import Records
    from results.outline import Outline

width_option = click.option(
    "--width", type=click.Choice(["column", "page"]), default="page", help="Of a paper of two columns."
)
TABLE_FORMATS = click.Choice(["text", "markdown", "latex", "csv", "json"])
EXPORTS = ("csv", "parquet", "json")


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--format", "form", type=TABLE_FORMATS, help="Default: by the output's suffix, else text.")
@click.option("--published", is_flag=True, help="The papers' numbers in the same layout.")
@click.option("--metric", help="top1, top5, loss, nll, balanced, ece, or a measure's.")
@output_option("Write to a file.")
def table(
    study: str,
    form: str | None,
    published: bool,
    metric: str | None,
    output: Path | None,
    selection: Selection,
    stores: Stores,
) -> None:
    """Print the table of STUDY beside the papers' numbers.

    \b
    Examples:
      hydrabench table table1
      hydrabench table table1 --published
      hydrabench table table1 -o table1.tex
    """
    from benchmark.outlines import load_outline
    from results.predictions import of_metric
    from results.tables import fill_table

    records = stores.records()
    outline = load_outline(study, selection)
    if metric is not None:
        outline, without = of_metric(metric, outline, records)
        for line in without:
            note(line)
    made = fill_table(outline, records)
    note_left_out(records.problems)
    put(made.render(form or _format_of(output), published), output)


@click.command()
@click.argument("studies", nargs=-1, shell_complete=completion.studies)
@selection_options
@stores_options
def tables(studies: tuple[str, ...], selection: Selection, stores: Stores) -> None:
    """Write results/tables/<study>.{txt,md,csv,tex}.

    For STUDIES, or for every study with records.
    """
    from results.tables import write_tables

    records = stores.records()
    outlines = _outlines(studies, selection)
    paths = write_tables(outlines, records, with_empty=bool(studies))
    note_left_out(records.problems)
    note_written(paths)
    written = {path.stem for path in paths}
    if without := [outline.name for outline in outlines if outline.name not in written]:
        note(f"no records yet of {', '.join(without)}, as asked for; {_where(records)}")


@click.command()
@click.argument("studies", nargs=-1, shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--margin", type=click.FloatRange(0, min_open=True), help="Points within which means are equal.")
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text")
@output_option("Write to a file.")
def verdict(
    studies: tuple[str, ...],
    margin: float | None,
    form: str,
    output: Path | None,
    selection: Selection,
    stores: Stores,
) -> None:
    """Compare STUDIES with the papers, cell by cell.

    Default: every study with published numbers. `equivalent`: two one-sided tests say that the means differ by less
    than the margin (2 points up to 20 samples per class, 1 above). `off`: Welch's t test says that they differ.
    `compatible`: neither. Exit status 0: every published cell was run at the papers' setting and none is off; 1: one is
    off; 3: neither. Markdown is the page results/REPRODUCTION.md, about everything there is.

    \b
    Examples:
      hydrabench verdict table1
      hydrabench verdict table1 --preset quick --dataset cifar10-dedup
    """
    from benchmark.outlines import of_unknown_presets, outlines_with_records
    from results.reproduction import reproduction
    from results.verdict import judge_study, verdicts_json, verdicts_text, worst

    records = stores.records()
    if form == "markdown":
        if margin is not None:
            raise BadInput("--margin: the page of --format markdown has the margins that it states; take text or json")
        note_left_out([*records.problems, *of_unknown_presets(records)])
        pages = list(readable(study_names(), partial(outlines_with_records, records=records)))
        return put(reproduction(pages, records), output)
    outlines = _outlines(studies, selection)
    judged = [outline for outline in outlines if studies or outline.published]
    found = {outline.name: judge_study(outline, records, margin) for outline in judged}
    note_left_out(records.problems)
    put(verdicts_json(found) if form == "json" else verdicts_text(found), output)
    sys.exit(worst(found.values()))


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@width_option
@click.option("--highlight", type=Names(), default="", help="Methods to stand out; others grey.")
@output_option("The folder (default: results/figures).")
def figure(
    study: str,
    width: "Width",
    highlight: tuple[str, ...],
    output: Path | None,
    selection: Selection,
    stores: Stores,
) -> None:
    """Draw STUDY from records: <study>.pdf and .png.

    The caption stands beside it, as <study>.txt and, with the figure in it, as <study>.tex. The papers' numbers are
    hollow. A figure of composed images is drawn from its generators, as a .png alone.

    \b
    Examples:
      hydrabench figure table1 --method baseline,mixup,hydramix --width column
      hydrabench figure table1 --highlight hydramix
    """
    from benchmark.outlines import load_outline

    records = stores.records()
    paths = _draw(load_outline(study, selection), selection, stores, records, output, width, highlight)
    note_left_out(records.problems)
    note_written(paths)


@click.command()
@click.argument("studies", nargs=-1, shell_complete=completion.studies)
@selection_options
@stores_options
@width_option
@output_option("The folder (default: results/figures).")
def figures(
    studies: tuple[str, ...], width: "Width", output: Path | None, selection: Selection, stores: Stores
) -> None:
    """Draw STUDIES, or every study that has something to draw.

    Exit status 1 where a file of a record is damaged; the others are drawn.
    """
    from results.figures import Damaged

    records, without, damaged = stores.records(), [], []
    for outline in _outlines(studies, selection):
        try:
            note_written(_draw(outline, selection, stores, records, output, width))
        except Damaged as error:
            damaged.append(str(error))
        except BadInput:
            if studies:
                raise
            without.append(outline.name)
    note_left_out(records.problems)
    for line in damaged:
        note(line)
    if without:
        note(f"nothing to draw yet: {', '.join(without)}")
    sys.exit(bool(damaged))


@click.command()
@click.argument("methods", nargs=-1, required=True, shell_complete=completion.methods)
@click.option("--study", default="table1", show_default=True, help="For datasets, sizes, preset and seeds.")
@selection_options_but_methods
@stores_options
@click.option("--format", "form", type=FORMATS, default="text")
@output_option("Draw the critical differences: .pdf or .png.")
def compare(
    methods: tuple[str, ...], study: str, form: str, output: Path | None, selection: Selection, stores: Stores
) -> None:
    """Compare METHODS, paired by dataset, size and seed.

    \b
    Example:
      hydrabench compare hydramix chimeramix-seg baseline --preset quick --dataset cifar10-dedup
    """
    from dataclasses import replace

    from benchmark.outlines import load_outline
    from results.compare import comparison_json, comparison_text, require_accuracies
    from results.image_pairs import compare_images, said_of

    records = stores.records()
    outline = load_outline(study, replace(selection, methods=methods))
    accuracies = require_accuracies(outline, records)
    images = compare_images(said_of(outline, records))
    note_left_out(records.problems)
    click.echo((comparison_json if form == "json" else comparison_text)(outline, accuracies, images))
    if output is not None:
        from results.figures import write_diagram

        labels = {cell.method: cell.method_label for cell in outline.cells}
        write_diagram(output, accuracies, labels, outline.metrics[0])
        note_written([output])


@click.command()
@click.argument("studies", nargs=-1, shell_complete=completion.studies)
@stores_options
@output_option("The folder (default: results/report).")
def report(studies: tuple[str, ...], output: Path | None, stores: Stores) -> None:
    """Write one page that shows everything there is.

    index.html, which needs no network. STUDIES come first; of files of your own, name each.
    """
    from benchmark.outlines import of_unknown_presets, outlines_with_records
    from benchmark.own_images import outlines_of_own
    from results.report import REPORT, write_report

    records = stores.records()
    records.problems += of_unknown_presets(records)
    names = dict.fromkeys([*map(name_or_file, studies), *study_names()])
    outlines = list(chain(*readable(names, partial(outlines_with_records, records=records))))
    outlines += outlines_of_own(records, chain(*(outline.keys for outline in outlines)))
    path = write_report(output or REPORT, outlines, stores, records)
    note_left_out(records.problems)
    note(f"wrote {one_line(str(path))} ({path.stat().st_size / 2**20:.1f} MiB)")


@click.command()
@click.argument("key")
@stores_options
@click.option("--format", "form", type=FORMATS, default="text")
def show(key: str, form: str, stores: Stores) -> None:
    """Say what made a number, and the command that makes it again.

    KEY: a run's or an artifact's key, its first digits, or its folder. As JSON, everything that is recorded.
    """
    import json

    from benchmark.cli.listing import find_record
    from benchmark.cli.summary import summary
    from results.reader import RecordError, read_json

    path = find_record(key, stores)
    try:
        click.echo(json.dumps(read_json(path), indent=1) if form == "json" else printable(summary(path)))
    except RecordError as error:
        raise BadInput(f"{path}: {error}") from error


@click.command("export")
@click.argument("studies", nargs=-1, shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--format", "form", type=click.Choice(EXPORTS), help="Default: by the output's suffix.")
@output_option("The file; default: standard output.")
def export_(
    studies: tuple[str, ...], form: str | None, output: Path | None, selection: Selection, stores: Stores
) -> None:
    """Gather records in one file: a line or an object each.

    Those of STUDIES, or all.
    """
    from benchmark.outlines import load_outline
    from results.exchange import entries_of, export
    from results.files import write_atomically

    if selection != Selection() and not studies:
        raise BadInput("selectors pick from a study: name one, or export all records without them")
    records = stores.records()
    problems = list(records.problems)
    outlines = [load_outline(name, selection) for name in studies]
    content = export(entries_of(outlines, records) if studies else records, form or _export_format(output), problems)
    note_left_out(problems)
    if output is None:
        click.echo(content, nl=False)
    else:
        write_atomically(output, content)
        note_written([output])


@click.command("import")
@click.argument("folder", type=PathOf(path_type=Path, exists=True, file_okay=False))
@store_option
def import_(folder: Path, store: Path) -> None:
    """Copy the records of another store, FOLDER, into this one.

    With what is beside them, and the artifacts that its runs share. Says which are there already or disagree. Exit
    status 1 where records disagree or cannot be trusted; they are left as they are, on both sides.
    """
    from benchmark.cli.imports import Import, import_artifacts, import_records

    source = real_path(folder)
    if source != store and (source.is_relative_to(store) or store.is_relative_to(source)):
        raise BadInput(f"{source} and {store} lie one in the other: the records of both would be there twice")
    runs, artifacts = import_records(source, store), import_artifacts(source, store)
    for done in (runs, artifacts):
        note_left_out(done.problems)
        for conflict in done.conflicts:
            note(f"conflict, not imported: {one_line(conflict)}")
    note(_counts(runs))
    if artifacts != Import():
        note(f"artifacts: {_counts(artifacts)}")
    if artifacts.bare:
        note(f"{artifacts.bare} artifacts have a record and no tensors: nothing could use them, not imported")
    sys.exit(1 if any(done.conflicts or done.problems for done in (runs, artifacts)) else 0)


def _outlines(studies: Sequence[str], selection: Selection) -> list["Outline"]:
    """Those of studies that a person named, or of all that can be read and have what is selected."""
    from benchmark.outlines import load_outline

    if studies:
        return [load_outline(name, selection) for name in studies]
    unfit: dict[str, BadInput] = {}

    def lay_out(name: str) -> "list[Outline]":
        try:
            return [load_outline(name, selection)]
        except Malformed:
            raise
        except BadInput as error:
            unfit[name] = error
            return []

    outlines = list(chain(*readable(study_names(), lay_out)))
    if unfit and not outlines:
        raise next(iter(unfit.values()))
    note_left_out(f"{name}: {error}" for name, error in unfit.items())
    return outlines


def _where(records: "Records") -> str:
    """Which presets and datasets there are records of, as options."""
    counts = Counter((entry.preset, entry.dataset) for entry in records)
    places = [f"{count} of --preset {preset} --dataset {dataset}" for (preset, dataset), count in counts.most_common()]
    return one_line(f"there are {', '.join(places)}") if places else "there are none at all"


def _draw(
    outline: "Outline",
    selection: Selection,
    stores: Stores,
    records: "Records",
    folder: Path | None,
    width: "Width",
    highlight: tuple[str, ...] = (),
) -> list[Path]:
    """The files of one study's figure; raises BadInput where there is nothing to draw."""
    from results.figures import FIGURES, write_figure

    if outline.samples:
        from benchmark.cli.sheets import write_sheet

        return write_sheet(outline, selection, stores.own, folder or FIGURES, width)
    return write_figure(outline, records, folder or FIGURES, width, highlight)


def _counts(done: "Import") -> str:
    brought = f" ({done.completed} files came to them)" if done.completed else ""
    return f"{len(done.copied)} imported, {len(done.same)} were here already{brought}, {len(done.conflicts)} conflicts"


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


VERBS: tuple[click.Command, ...] = (table, tables, verdict, figure, figures, compare, report, show, export_, import_)
