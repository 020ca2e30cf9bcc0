"""The verbs, thin; every import of weight happens inside the verb that needs it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli_results import VERBS
from benchmark.notes import note, note_left_out
from benchmark.options import (
    Integers,
    Names,
    selectors,
    store,
    stores,
    take_selection,
    take_stores,
)
from datasets.registry import BadInput

if TYPE_CHECKING:
    from benchmark.plan import Plan
    from benchmark.selection import Selection
    from benchmark.stores import Stores
    from results.index import Records


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """HydraBench: learning image classifiers from very few images."""


for _verb in VERBS:
    cli.add_command(_verb)


@cli.command("list")
@click.argument("what", type=click.Choice(["methods", "datasets", "studies", "presets"]))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_(what: str, form: str) -> None:
    """List what there is, with sources and parameters."""
    from benchmark.listing import listing, show_json, show_table

    click.echo(show_json(listing(what)) if form == "json" else show_table(listing(what)))


@cli.command()
@click.argument("study")
@selectors
@stores
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def plan(study: str, form: str, **values: Any) -> None:
    """Say what of STUDY is done, failed, running, missing, stale or unavailable, and what the rest costs."""
    from benchmark.listing import plan_json, plan_text
    from benchmark.outline import finished, load_outline

    selection, stores_ = take_selection(values), take_stores(values)
    outline, records = load_outline(study, selection), stores_.records()
    note_left_out(records.problems)
    made = finished(outline, records, stores_) or _open_plan(study, selection, stores_, records)
    click.echo(plan_json(made) if form == "json" else plan_text(made))


@cli.command()
@click.argument("study")
@selectors
@stores
@click.option("--workers", type=click.IntRange(1), default=1, help="Runs side by side, each in a process of its own.")
@click.option("--time-limit", help="Stop cleanly at a checkpoint after this long: 90s, 9m, 2h.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and stop.")
@click.option("--retry", is_flag=True, help="Run failed runs again.")
@click.option("--force", is_flag=True, help="Run finished runs again and replace their records.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--keep-weights", is_flag=True, help="Leave the final weights beside the record, as safetensors.")
@click.option("--yes", is_flag=True, help="Do not ask before a long sweep.")
def run(study: str, **values: Any) -> None:
    """Run what is missing of STUDY; interrupt it anywhere and start it again."""
    from benchmark.plan import make_plan
    from benchmark.study import load_grid
    from benchmark.sweep import Request, run_plan

    grid, stores_ = load_grid(study, take_selection(values)), take_stores(values)
    for combination in grid.left_out:
        note(f"left out, not in the study: {combination}")
    made = make_plan(grid, stores_)
    note_left_out(made.records.problems)
    sys.exit(run_plan(made, stores_.own, Request(**values), note))


@cli.command()
@click.argument("key")
@stores
def show(key: str, **values: Any) -> None:
    """Print everything that made a number. KEY: a run's key, its first digits, or its folder."""
    from benchmark.listing import find_record

    click.echo(find_record(key, take_stores(values)).read_text())


def _subject(values: dict[str, Any], samples_per_class: int | None) -> Any:
    """The generator that --method, --dataset, --seed and --preset name."""
    from benchmark.augment import Subject
    from datasets.base import get_dataset
    from methods.registry import parse_method

    dataset = get_dataset(values["dataset"])
    return Subject(
        parse_method(values["method"]),
        dataset,
        samples_per_class or dataset.smallest_class(),
        values["seed"],
        values["preset"],
    )


def _generator(command: Any) -> Any:
    """Adds the options that name a generator."""
    for option in (
        click.option("--preset", default="quick", show_default=True, help="How long a generator trains."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
        click.option("--samples-per-class", type=click.IntRange(1), help="Default: as many as the smallest class has."),
        click.option("--dataset", required=True, help="A dataset, or folder:PATH."),
        click.option("--method", default="hydramix", show_default=True, help="A method that trains a generator."),
    ):
        command = option(command)
    return command


@cli.command()
@_generator
@store
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The PNG to write.")
def samples(samples_per_class: int | None, output: Path, **values: Any) -> None:
    """Draw what a method's generator composes: sources, segmentations, masks and compositions, with labels.

    Trains the generator where the store does not have it.
    """
    from benchmark.augment import make_samples

    if output.suffix != ".png":
        raise BadInput(f"{output}: samples are a .png file")
    make_samples(_subject(values, samples_per_class), values["results"].resolve(), output, note)
    note(f"wrote {output}")


@cli.command()
@_generator
@store
@click.option("--per-class", type=click.IntRange(1), required=True, help="New images of each class.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder to write.")
def augment(samples_per_class: int | None, per_class: int, output: Path, **values: Any) -> None:
    """Compose new images from a small dataset of your own, as an ImageFolder tree with a manifest.

    Trains a generator on the dataset, or uses the one that the store has.
    """
    from benchmark.augment import augment as compose

    compose(_subject(values, samples_per_class), per_class, values["results"].resolve(), output, note)


@cli.group()
def data() -> None:
    """Get, check and look at datasets."""


@data.command("list")
def data_list() -> None:
    """Say of every dataset whether its images are here, and how to get them."""
    from benchmark.listing import dataset_states, show_table

    click.echo(show_table(dataset_states()))


@data.command()
@click.option("--dataset", type=Names(), required=True)
def prepare(dataset: tuple[str, ...]) -> None:
    """Download datasets, check their checksums and unpack them under the data root."""
    from datasets.base import data_root, get_dataset

    for name in dataset:
        get_dataset(name).prepare()
        get_dataset(name).check()
        note(f"{name}: ready under {data_root()}")


@data.command()
@click.option("--dataset", type=Names(), required=True)
def verify(dataset: tuple[str, ...]) -> None:
    """Read datasets as a run would; exit status 2 when one is missing or corrupt."""
    from datasets.base import get_dataset

    for name in dataset:
        get_dataset(name).check()
        note(f"{name}: {len(get_dataset(name).test().labels)} test images, all readable")


@data.command()
@click.option("--dataset", required=True)
@click.option("--samples-per-class", type=click.IntRange(1), required=True)
@click.option("--seed", type=click.IntRange(0), required=True)
def split(dataset: str, samples_per_class: int, seed: int) -> None:
    """Print the official indices of a training subset, one per line."""
    from datasets.base import get_dataset
    from datasets.subset import pick_subset

    indices = pick_subset(get_dataset(dataset).train_labels(), samples_per_class, seed)
    click.echo("\n".join(map(str, indices)))


@data.command("export")
@click.option(
    "--dataset", type=Names(), required=True, help="Datasets, or folder:PATH (folder:LAST-PART in the bundle)."
)
@click.option("--samples-per-class", type=Integers(1), required=True, help="Sizes of the training subset.")
@click.option("--seeds", type=Integers(0), required=True, help="Seeds and ranges of seeds.")
@click.option("--test", is_flag=True, help="With the test images: runs need them, generators do not.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .npz file to write.")
def data_export(
    dataset: tuple[str, ...], samples_per_class: tuple[int, ...], seeds: tuple[int, ...], test: bool, output: Path
) -> None:
    """Write a small file that runs elsewhere with --dataset-bundle and no other data."""
    from datasets.base import get_dataset
    from datasets.bundle import export

    if output.suffix != ".npz":
        raise BadInput(f"{output}: a bundle is an .npz file")
    export([get_dataset(name) for name in dataset], samples_per_class, seeds, test, output)
    note(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")


@cli.command()
@click.argument("study")
@click.option("--profile", required=True, help="Where jobs go: a file of slurm/profiles or of your config folder.")
@selectors
@stores
@click.option("--dry-run", is_flag=True, help="Print the plan and the sbatch scripts, and stop.")
@click.option("--retry", is_flag=True, help="Submit failed runs again.")
@click.option("--max-hours", type=click.FloatRange(0, min_open=True), help="Submit this much estimated work at most.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def submit(
    study: str, profile: str, dry_run: bool, retry: bool, max_hours: float | None, yes: bool, **values: Any
) -> None:
    """Send what is missing of STUDY to a cluster; nothing is sent twice."""
    from benchmark.study import load_grid
    from slurm.launch import Request
    from slurm.launch import submit as send
    from slurm.profiles import load_profile

    loaded = load_profile(profile)
    grid, stores_ = load_grid(study, take_selection(values)), take_stores(values)
    send(grid, stores_, loaded, Request(profile, dry_run, retry, max_hours, yes), note)


@cli.command()
@click.argument("study")
@selectors
@stores
@click.option("--watch", is_flag=True, help="Look again every few seconds until nothing is queued or running.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def status(study: str, watch: bool, form: str, **values: Any) -> None:
    """Say how STUDY stands: runs done, running, queued and failed, the time left, the hours used."""
    from benchmark.study import load_grid
    from slurm.status import show, watch_status

    grid, stores_ = load_grid(study, take_selection(values)), take_stores(values)
    watch_status(grid, stores_) if watch else show(grid, stores_, form)


@cli.command()
@click.argument("run")
@store
def logs(run: str, results: Path) -> None:
    """Print what a run and its job have logged. RUN: a run's key, its first digits, or its folder."""
    from slurm.manage import print_logs

    print_logs(run, results.resolve())


@cli.command()
@click.argument("target")
@store
def cancel(target: str, results: Path) -> None:
    """Cancel what was submitted of a study, or one run. TARGET: a study, or a run's key or its first digits."""
    from slurm.manage import cancel_target

    cancel_target(target, results.resolve(), note)


def _open_plan(study: str, selection: "Selection", stores_: "Stores", records: "Records") -> "Plan":
    from benchmark.plan import make_plan
    from benchmark.study import load_grid

    return make_plan(load_grid(study, selection), stores_, records)
