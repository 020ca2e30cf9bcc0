"""The verbs that show and use what a method's generator composes: samples, augment."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.notes import note_written, screen
from benchmark.cli.options import output_option, store_option
from datasets.registry import BadInput

if TYPE_CHECKING:
    from benchmark.cli.augment import Subject


def _subject_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that name a generator."""
    for option in (
        click.option("--preset", default="quick", show_default=True, help="How long a generator trains."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
        click.option("--samples-per-class", type=click.IntRange(1), help="Default: the smallest class's."),
        click.option("--dataset", required=True, help="A dataset, or folder:PATH."),
        click.option("--method", default="hydramix", show_default=True, help="One that trains a generator."),
    ):
        command = option(command)
    return command


def _subject(method: str, dataset: str, samples_per_class: int | None, seed: int, preset: str) -> "Subject":
    """The generator that the options name."""
    from benchmark.cli.augment import Subject
    from datasets.base import get_dataset
    from methods.registry import parse_method

    source = get_dataset(dataset)
    return Subject(parse_method(method), source, samples_per_class or source.smallest_class(), seed, preset)


@click.command()
@_subject_options
@store_option
@output_option("The PNG to write.", required=True)
def samples(output: Path, store: Path, **subject: Any) -> None:
    """Draw what a method's generator composes.

    Sources, segmentations, masks and compositions, with labels. Trains the generator where the store does not have
    it.

    \b
    Example:
      hydrabench samples --dataset digits --preset demo -o samples.png
    """
    from benchmark.cli.augment import make_samples

    if output.suffix != ".png":
        raise BadInput(f"{output}: samples are a .png file")
    make_samples(_subject(**subject), store, output, screen())
    note_written([output])


@click.command()
@_subject_options
@store_option
@click.option("--per-class", type=click.IntRange(1), required=True, help="New images of each class.")
@output_option("The folder to write.", required=True)
def augment(per_class: int, output: Path, store: Path, **subject: Any) -> None:
    """Compose new images from a small dataset of your own.

    Writes an ImageFolder tree with a manifest. Trains a generator on the dataset, or uses the one that the store has.

    \b
    Example:
      hydrabench augment --dataset folder:PATH --per-class 100 -o OUT/
    """
    from benchmark.cli.augment import augment as compose

    compose(_subject(**subject), per_class, store, output, screen())


VERBS: tuple[click.Command, ...] = (samples, augment)
