"""Options that several verbs share; each decorator hands the verb one checked value in the place of its options."""

import os
import re
from collections.abc import Callable
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from benchmark.cli import completion
from benchmark.selection import Selection
from datasets.paths import given_path, real_path
from datasets.registry import BadInput, split_outside
from results.files import DEFAULT_STORE
from results.stores import Stores, store_folder

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]

_MOST_NUMBERS = 100_000
FORMATS = click.Choice(["text", "json"])
_MANY = 10_000  # integers of one range: more would be no sweep but a slip


class PathOf(click.Path):
    """A path; `~` in it is a home folder's, wherever a shell left it."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Path:
        return Path(os.fsdecode(super().convert(given_path(value), param, context)))


FILE = PathOf(path_type=Path)


class Names(click.ParamType):
    """A comma-separated list; commas inside parentheses do not split."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in split_outside(value, ",") if part.strip())
        return names if names or not value else _refuse(value, "a list of names")


class Integers(click.ParamType):
    """A comma-separated list of integers and ascending ranges, 0-4,7, none below `least`."""

    name = "0-4,7"

    def __init__(self, least: int):
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        ranges = [self._range(part.strip(), value) for part in value.split(",") if part.strip()]
        if sum(map(len, ranges)) > _MOST_NUMBERS:
            _refuse(f"{value:.40}", f"a list of at most {_MOST_NUMBERS} integers")
        return tuple(chain(*ranges)) if ranges or not value else _refuse(value, "a list of integers")

    def _range(self, part: str, value: str) -> range:
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        return (
            range(first, last + 1)
            if self.least <= first <= last < first + _MANY
            else _refuse(value, f"a list of integers from {self.least} and ascending ranges, like 5,10 or 0-4")
        )


def _refuse(value: str, expected: str) -> NoReturn:
    raise BadInput(f"'{value}' is not {expected}")


def selection_options(command: F) -> F:
    """Options that replace an axis of a study's grid; the verb gets `selection`, a Selection."""
    return _gathered(_AXES, "selection", lambda **axes: Selection(**axes), command)


def selection_options_but_methods(command: F) -> F:
    """The same for a verb that is given its methods as arguments."""
    axes = {name: option for name, option in _AXES.items() if name != "methods"}
    return _gathered(axes, "selection", lambda **axes: Selection(**axes), command)


def store_option(command: F) -> F:
    """The store that a verb writes; the verb gets `store`, an absolute path."""
    return _gathered(_STORE, "store", lambda results: store_folder(results), command)


def stores_options(command: F) -> F:
    """The stores of records; the verb gets `stores`, a Stores."""
    return _gathered(
        _STORE | _ALONE,
        "stores",
        lambda results, ignore_measured: Stores(store_folder(results), ignore_measured),
        command,
    )


def output_option(what: str, required: bool = False) -> Callable[[F], F]:
    """-o, --output; the verb gets `output`, a path or None."""
    return click.option("-o", "--output", type=FILE, required=required, help=what)


def training_options(command: F) -> F:
    """--deterministic and --track, for what trains; the verb gets `deterministic`, a flag, and `track`, a name."""
    where = click.Choice(["tensorboard", "wandb"])
    command = click.option("--deterministic", is_flag=True, help="Have a GPU repeat its bits where it can.")(command)
    return click.option("--track", type=where, help="Show losses and results there as they come.")(command)


def _gathered(options: dict[str, Option], name: str, make: Callable[..., object], command: F) -> F:
    """Adds options, of which the command gets what `make` makes of their values."""

    @wraps(command)
    def call(**values: Any) -> Any:
        made = make(**{option: values.pop(option) for option in options})
        return command(**values, **{name: made})

    decorated: Any = call
    for option in reversed(options.values()):
        decorated = option(decorated)
    return decorated


def _use_bundle(context: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Puts the bundle into the environment, where worker processes and jobs find it too."""
    if value is not None:
        os.environ["HYDRABENCH_BUNDLE"] = str(real_path(value))


_BUNDLE = click.option(
    "--dataset-bundle",
    type=FILE,
    callback=_use_bundle,
    expose_value=False,
    help="Read datasets from a file of `data export`.",
)


def _settings(command: F) -> F:
    """The last of the axes; the option for a bundle, which needs no value, stands after it."""
    help_ = "protocol.FIELD=VALUE or METHOD.FIELD=VALUE, repeatable."
    return click.option("--set", "settings", multiple=True, help=help_)(_BUNDLE(command))


_AXES: dict[str, Option] = {
    "preset": click.option(
        "--preset", help="paper, quick, demo, or a file; default: the study's own.", shell_complete=completion.presets
    ),
    "datasets": click.option(
        "--dataset",
        "datasets",
        type=Names(),
        default="",
        help="E.g. cifar10-dedup, folder:PATH.",
        shell_complete=completion.datasets,
    ),
    "methods": click.option(
        "--method",
        "methods",
        type=Names(),
        default="",
        help="E.g. 'mixup,cutout(length=8)'.",
        shell_complete=completion.methods,
    ),
    "samples_per_class": click.option("--samples-per-class", type=Integers(1), default="", help="E.g. 5,10."),
    "seeds": click.option("--seeds", type=Integers(0), default="", help="E.g. 0-4 or 0,2."),
    "settings": _settings,
}
_STORE: dict[str, Option] = {
    "results": click.option(
        "--results",
        type=FILE,
        default=os.environ.get("HYDRABENCH_RESULTS") or DEFAULT_STORE,
        help="The store to write.",
    )
}
_ALONE: dict[str, Option] = {
    "ignore_measured": click.option("--ignore-measured", is_flag=True, help="Leave results/measured out.")
}
