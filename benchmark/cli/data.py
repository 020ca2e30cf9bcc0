"""The verbs about what there is: list, and data with its own verbs."""

import sys
from pathlib import Path

import click

from benchmark.cli.notes import answer, note
from benchmark.cli.options import FILE, FORMATS, Integers, Names, output_option
from datasets.registry import BadInput
from results.escape import one_line


@click.command("list")
@click.argument("what", type=click.Choice(["methods", "datasets", "studies", "presets"]))
@click.option("--format", "form", type=FORMATS, default="text")
@click.option("--all", "every", is_flag=True, help="With their parameters.")
def list_(what: str, form: str, every: bool) -> None:
    """List methods, datasets, studies or presets."""
    from benchmark.cli.listing import listing, show_json, show_table

    click.echo(show_json(listing(what)) if form == "json" else show_table(listing(what), every))


@click.group(no_args_is_help=False)
def data() -> None:
    """Get, check and look at datasets.

    \b
    Examples:
      hydrabench data list
      hydrabench data prepare --dataset cifair10
    """


@data.command("list")
def data_list() -> None:
    """Say which datasets are here, and how to get the rest."""
    from benchmark.cli.listing import dataset_states

    click.echo(dataset_states())


@data.command()
@click.option("--dataset", type=Names(), required=True)
def prepare(dataset: tuple[str, ...]) -> None:
    """Download, check and unpack under the data root."""
    from datasets.base import data_root, get_dataset

    for name in dataset:
        get_dataset(name).prepare()
        get_dataset(name).check()
        note(f"{name}: ready under {data_root()}")


@data.command()
@click.option("--dataset", type=Names(), required=True)
def verify(dataset: tuple[str, ...]) -> None:
    """Read datasets as a run would.

    Exit status 2 when one is missing or corrupt.
    """
    from datasets.base import get_dataset

    for name in dataset:
        get_dataset(name).check()
        note(f"{name}: {get_dataset(name).read_test()} test images, all readable")
        for line in (*get_dataset(name).notes(), *get_dataset(name).remarks()):
            note(f"{name}: {line}")


@data.command()
@click.option("--dataset", required=True)
@click.option("--samples-per-class", type=click.IntRange(1), required=True)
@click.option("--seed", type=click.IntRange(0), required=True)
def split(dataset: str, samples_per_class: int, seed: int) -> None:
    """Print the indices of a training subset, one per line."""
    from datasets.base import get_dataset
    from datasets.subset import pick

    indices = pick(get_dataset(dataset), samples_per_class, seed)
    click.echo("\n".join(map(str, indices)))


@data.command("export")
@click.option("--dataset", type=Names(), required=True, help="Datasets, or folder:PATH (named by its last part there).")
@click.option("--samples-per-class", type=Integers(1), required=True, help="Sizes of the training subset.")
@click.option("--seeds", type=Integers(0), required=True, help="E.g. 0-4 or 0,2.")
@click.option("--test", is_flag=True, help="With test images: runs need them, generators not.")
@output_option("The .npz file to write.", required=True)
def data_export(
    dataset: tuple[str, ...], samples_per_class: tuple[int, ...], seeds: tuple[int, ...], test: bool, output: Path
) -> None:
    """Write a small file for --dataset-bundle elsewhere.

    Runs need it there and no other data.
    """
    from datasets.base import get_dataset
    from datasets.bundle import export

    if output.suffix != ".npz":
        raise BadInput(f"{output}: a bundle is an .npz file")
    names = export([get_dataset(name) for name in dataset], samples_per_class, seeds, test, output)
    note(f"wrote {one_line(str(output))}, {output.stat().st_size / 1e6:.1f} MB: {', '.join(names)}")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FILE)
def validate(paths: tuple[Path, ...]) -> None:
    """Say what is wrong with your own files, a line a fault.

    PATHS: studies, presets and profiles (.yaml), method files (.py), folders and lists (.csv) of images, also as
    folder(split=0.8):PATH. Exit status 1 where there is a fault.

    \b
    Example:
      hydrabench validate mine.yaml my_method.py photographs/
    """
    from benchmark.cli.validation import faults_of, remarks_of

    found = [faults_of(path) for path in paths]
    for path, (kind, faults) in zip(paths, found, strict=True):
        named = one_line(str(path))
        for line in faults or [f"{named}: {kind}, nothing wrong"]:
            answer(one_line(line))
        for line in remarks_of(path) if kind == "images" and not faults else ():
            note(f"{named}: {one_line(line)}")
    sys.exit(any(faults for _, faults in found))


VERBS: tuple[click.Command, ...] = (list_, data, validate)
