"""The verbs about trained classifiers themselves: ensemble weights."""

import sys
from pathlib import Path

import click

from benchmark.cli import completion
from benchmark.cli.notes import note, note_left_out
from benchmark.cli.options import FORMATS, PathOf, output_option, selection_options, stores_options
from benchmark.selection import Selection
from datasets.registry import BadInput
from results.escape import one_line
from results.stores import Stores


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--format", "form", type=FORMATS, default="text")
def ensemble(study: str, form: str, selection: Selection, stores: Stores) -> None:
    """Say what the seeds of STUDY's cells reach together.

    The mean of their probabilities for each test image, of the records that kept predictions.

    \b
    Example:
      hydrabench ensemble table1 --preset quick --dataset cifar10-dedup --method hydramix,baseline
    """
    from benchmark.cli.listing import show_json
    from benchmark.outlines import load_outline
    from results.ensemble import ensembles, ensembles_json, ensembles_text
    from results.image_pairs import said_of

    records, outline = stores.records(), load_outline(study, selection)
    made = ensembles(said_of(outline, records))
    note_left_out(records.problems)
    if not made:
        raise BadInput(f"no record of {study}, so selected, has probabilities beside it; `hydrabench run` keeps them")
    click.echo(show_json(ensembles_json(outline, made)) if form == "json" else ensembles_text(outline, made))


@click.command()
@click.argument("run")
@click.argument("folder", type=PathOf(path_type=Path, exists=True, file_okay=False))
@stores_options
@click.option("--dataset", help="That folder:PATH, of a run on your own images.")
@output_option("The CSV file to write.", required=True)
def weights(run: str, folder: Path, dataset: str | None, output: Path, stores: Stores) -> None:
    """Classify FOLDER's images by what RUN has learned.

    With the weights that `run --keep-weights` left. RUN: its key, the first digits, or its folder. The file has a line
    for each image, in whatever folder of FOLDER: path, class, probability. Exit status 1 where something is left out.

    \b
    Example:
      hydrabench weights 3f2a photographs/ -o classes.csv
    """
    from benchmark.cli.listing import find_record
    from benchmark.cli.weights import predict_folder

    count, problems = predict_folder(find_record(run, stores), folder, dataset, output)
    note(f"wrote {one_line(str(output))}, {count} images")
    note_left_out(problems)
    sys.exit(bool(problems))


VERBS: tuple[click.Command, ...] = (ensemble, weights)
