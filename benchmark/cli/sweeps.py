"""The verbs that plan runs and have them done, here or on a cluster: plan run measure submit status logs
cancel."""

import sys
from pathlib import Path
from typing import Any

import click

from benchmark.cli import completion
from benchmark.cli.notes import note, note_datasets, note_left_out, screen
from benchmark.cli.options import FORMATS, selection_options, store_option, stores_options, training_options
from benchmark.selection import Selection
from results.stores import Stores


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--format", "form", type=FORMATS, default="text")
@click.option("--all", "every", is_flag=True, help="Name each artifact that is to be built.")
def plan(study: str, form: str, every: bool, selection: Selection, stores: Stores) -> None:
    """Say what of STUDY is done and what the rest costs.

    \b
    Examples:
      hydrabench plan table1
      hydrabench plan table1 --preset quick --method hydramix
    """
    from benchmark.cli.listing import plan_json, plan_text
    from benchmark.outlines import finished, load_outline

    outline, records = load_outline(study, selection), stores.records()
    summary = finished(outline, records, stores)
    if summary is None:
        from benchmark.plan import make_plan
        from benchmark.study import load_grid

        summary = make_plan(load_grid(study, selection), stores, records).summary()
    note_left_out(records.problems)
    note_datasets(selection.datasets)
    click.echo(plan_json(summary) if form == "json" else plan_text(summary, every))


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--workers", type=click.IntRange(1), default=1, help="Runs side by side, a process each.")
@click.option("--time-limit", help="Stop at a checkpoint after 90s, 9m, 2h.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and stop.")
@click.option("--retry", is_flag=True, help="Run failed runs again.")
@click.option("--force", is_flag=True, help="Run finished runs again; replaces records.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--keep-weights", is_flag=True, help="Leave the weights beside the record.")
@training_options
@click.option("--yes", is_flag=True, help="Do not ask before a long sweep.")
def run(study: str, selection: Selection, stores: Stores, **values: Any) -> None:
    """Run what is missing of STUDY; stop and go on any time.

    \b
    Examples:
      hydrabench run demo --workers 2
      hydrabench run table1 --method mixup --seeds 0-2 --time-limit 2h
    """
    sys.exit(_run(study, selection, stores, values))


def _run(study: str, selection: Selection, stores: Stores, values: dict[str, Any]) -> int:
    """Runs what is missing; returns the exit status."""
    from benchmark.plan import make_plan
    from benchmark.study import load_grid
    from benchmark.sweep import RunRequest, run_plan

    grid = load_grid(study, selection)
    for combination in grid.left_out:
        note(f"left out, not in the study: {combination}")
    made = make_plan(grid, stores)
    note_left_out(made.records.problems)
    note_datasets(selection.datasets)
    return run_plan(made, stores.own, RunRequest(**values), screen())


@click.command()
@click.option("--measure", "kind", default="fid", show_default=True, help="fid, cse, embedding, mde or detection.")
@selection_options
@stores_options
@click.option("--workers", type=click.IntRange(1), default=1, help="Runs side by side, a process each.")
@click.option("--retry", is_flag=True, help="Measure again what failed.")
@click.option("--yes", is_flag=True, help="Do not ask before a long sweep.")
def measure(kind: str, selection: Selection, stores: Stores, **values: Any) -> None:
    """Say how near generated images are to real ones.

    Makes the images of each method, compares them, and prints the table; what was measured before is only printed. Of
    your own images it takes as many as their test set and their training set allow, unless --set protocol.total and
    --set protocol.reference say how many.

    \b
    Example:
      hydrabench measure --dataset folder:PATH --method chimeramix-grid,mixup --preset quick
    """
    from benchmark.cli.measure import fitting, study_of
    from benchmark.outlines import load_outline
    from results.tables import fill_table

    study = study_of(kind)
    selection = fitting(study, selection)
    status = _run(study, selection, stores, values)
    click.echo(fill_table(load_outline(study, selection), stores.records()).render("text"))
    sys.exit(status)


@click.command()
@click.argument("study", shell_complete=completion.studies)
@click.option("--profile", required=True, help="Where jobs go: a file of slurm/profiles, or yours.")
@selection_options
@stores_options
@click.option("--dry-run", is_flag=True, help="Print plan and sbatch scripts, and stop.")
@click.option("--retry", is_flag=True, help="Submit failed runs again.")
@click.option("--max-hours", type=click.FloatRange(0, min_open=True), help="At most so much estimated work.")
@training_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def submit(study: str, selection: Selection, stores: Stores, **values: Any) -> None:
    """Send what is missing of STUDY to a cluster, once.

    \b
    Examples:
      hydrabench submit table1 --profile slurm-example --dry-run
      hydrabench submit table1 --profile mine --max-hours 100
    """
    from benchmark.study import load_grid
    from slurm.launch import SubmitRequest
    from slurm.launch import submit as send
    from slurm.profiles import load_profile

    request = SubmitRequest(**values)
    profile = load_profile(request.profile)
    note_datasets(selection.datasets)
    send(load_grid(study, selection), stores, profile, request, note)


@click.command()
@click.argument("study", shell_complete=completion.studies)
@selection_options
@stores_options
@click.option("--watch", is_flag=True, help="Look again until nothing is queued or running.")
@click.option("--format", "form", type=FORMATS, default="text")
def status(study: str, watch: bool, form: str, selection: Selection, stores: Stores) -> None:
    """Say how a submitted STUDY stands, and the time left.

    \b
    Examples:
      hydrabench status table1
      hydrabench status table1 --watch
    """
    from benchmark.study import load_grid
    from slurm.status import show, watch_status

    grid = load_grid(study, selection)
    watch_status(grid, stores) if watch else show(grid, stores, form)


@click.command()
@click.argument("run")
@store_option
def logs(run: str, store: Path) -> None:
    """Print what a run has logged.

    RUN: a run's key, its first digits, or its folder. Jobs of a cluster that had it are printed too.
    """
    from slurm.manage import print_logs

    print_logs(run, store)


@click.command()
@click.argument("target")
@store_option
def cancel(target: str, store: Path) -> None:
    """Cancel what was submitted of a study, or one run.

    TARGET: a study, or a run's key or its first digits.
    """
    from slurm.manage import cancel_target

    cancel_target(target, store, note)


VERBS: tuple[click.Command, ...] = (plan, run, measure, submit, status, logs, cancel)
