"""What a verb says to the person beside its result: on standard error, so that standard output is the result alone."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from datasets.registry import BadInput, Malformed
from results.escape import one_line, printable

if TYPE_CHECKING:
    from benchmark.sweep import Screen

T = TypeVar("T")


def note(text: str) -> None:
    """A line, or a few; whatever foreign names it holds, the terminal prints them and does not obey."""
    click.echo(printable(text), file=sys.stderr)  # with err=True, UTF-8 goes where the encoding is ASCII


def answer(text: str) -> None:
    """What was asked for, to standard output; like `note` it obeys nothing."""
    click.echo(printable(text))


def note_left_out(problems: Iterable[str]) -> None:
    """Names the files that were not used, and why."""
    for problem in dict.fromkeys(problems):
        note(f"left out: {one_line(problem)}")


def note_datasets(texts: Iterable[str]) -> None:
    """Says of a person's own images, if any are named, what is made of them."""
    from datasets.base import get_dataset

    for text in dict.fromkeys(texts):
        if ":" in text:
            for line in get_dataset(text).notes():
                note(f"{one_line(text)}: {line}")


def readable(names: Iterable[str], make: Callable[[str], T]) -> Iterator[T]:
    """What `make` gives of each name; one whose file is malformed is named and left out."""
    said: set[str] = set()
    for name in names:
        try:
            yield make(name)
        except Malformed as error:
            note_left_out({str(error)} - said)
            said.add(str(error))


def note_written(paths: Iterable[Path]) -> None:
    for path in paths:
        note(f"wrote {one_line(str(path))}")


def put(text: str, output: Path | None) -> None:
    """A result: to standard output, or whole to a file."""
    from results.files import write_atomically

    if output is None:
        click.echo(text)
    else:
        write_atomically(output, f"{text.rstrip()}\n".encode(errors="backslashreplace"))
        note_written([output])


def confirm(question: str) -> None:
    """Asks before something long; raises BadInput where nobody is there to answer, Abort where the answer is no."""
    if not sys.stdin.isatty():
        raise BadInput(f"{question}: narrow it, or add --yes")
    click.confirm(f"{question}. Start?", abort=True, err=True)


def screen() -> "Screen":
    """The person at this terminal."""
    from benchmark.cli.progress import make_progress
    from benchmark.sweep import Screen

    return Screen(note, answer, make_progress, confirm)
