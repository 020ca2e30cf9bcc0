"""Options that several verbs share: selectors and stores."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from datasets.registry import BadInput, split_outside
from results.store import DEFAULT_STORE

if TYPE_CHECKING:
    from benchmark.selection import Selection
    from benchmark.stores import Stores

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]


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
        numbers = [number for part in value.split(",") if part.strip() for number in self._range(part.strip(), value)]
        return tuple(numbers) if numbers or not value else _refuse(value, "a list of integers")

    def _range(self, part: str, value: str) -> range:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        return (
            range(first, last + 1)
            if self.least <= first <= last
            else _refuse(value, f"a list of integers from {self.least} and ascending ranges, like 5,10 or 0-4")
        )


def _refuse(value: str, expected: str) -> NoReturn:
    raise BadInput(f"'{value}' is not {expected}")


def _use_bundle(context: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Puts the bundle into the environment, where worker processes and jobs find it too."""
    if value is not None:
        os.environ["HYDRABENCH_BUNDLE"] = str(value.resolve())


def selectors(command: F) -> F:
    """Adds the options that replace an axis of a study's grid."""
    return _add([*_selectors(), _bundle()], command)


def selectors_but_methods(command: F) -> F:
    """The same for a verb that is given its methods as arguments."""
    options = [option for name, option in zip(_SELECTORS, _selectors(), strict=True) if name != "method"]
    return _add([*options, _bundle()], command)


_SELECTORS = ("preset", "dataset", "method", "samples_per_class", "seeds", "settings")


def _selectors() -> list[Option]:
    return [
        click.option("--preset", help="How much is spent: paper, quick or demo (default: the study's own)."),
        click.option("--dataset", type=Names(), default="", help="Datasets, e.g. cifar10-dedup or folder:PATH."),
        click.option("--method", type=Names(), default="", help="Methods, e.g. 'mixup,cutout(length=8)'."),
        click.option("--samples-per-class", type=Integers(1), default="", help="Sizes of the training subset."),
        click.option("--seeds", type=Integers(0), default="", help="Seeds and ranges of seeds."),
        click.option(
            "--set", "settings", multiple=True, help="protocol.FIELD=VALUE or METHOD.FIELD=VALUE, repeatable."
        ),
    ]


def _bundle() -> Option:
    return click.option(
        "--dataset-bundle",
        type=click.Path(path_type=Path),
        callback=_use_bundle,
        expose_value=False,
        help="Read datasets from a file that `data export` wrote.",
    )


def store(command: F) -> F:
    """Adds the option that names the store which a command writes."""
    default = os.environ.get("HYDRABENCH_RESULTS") or DEFAULT_STORE
    return _add(
        [click.option("--results", type=click.Path(path_type=Path), default=default, help="The store to write.")],
        command,
    )


def stores(command: F) -> F:
    """Adds the options that name the stores of records."""
    options: list[Option] = [
        store,
        click.option("--ignore-measured", is_flag=True, help="Do not count the records in results/measured."),
    ]
    return _add(options, command)


def _add(options: list[Option], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def take_selection(values: dict[str, Any]) -> "Selection":
    """Removes the selectors from a verb's keyword arguments."""
    from benchmark.selection import Selection

    preset, *axes = (values.pop(name, ()) for name in _SELECTORS)
    return Selection(preset, *axes)


def take_stores(values: dict[str, Any]) -> "Stores":
    """Removes the store options from a verb's keyword arguments."""
    from benchmark.stores import Stores

    return Stores(Path(values.pop("results")).resolve(), values.pop("ignore_measured"))
