"""What a verb says to the person beside its result: on standard error, so that standard output is the result alone."""

from pathlib import Path

import click


def note(text: str) -> None:
    click.echo(text, err=True)


def note_left_out(problems: list[str]) -> None:
    """Names the files that were not used, and why."""
    for problem in problems:
        note(f"left out: {problem}")


def put(text: str, output: Path | None) -> None:
    """A result: to standard output, or whole to a file."""
    from results.store import write_atomically

    if output is None:
        click.echo(text)
    else:
        write_atomically(output, f"{text.rstrip()}\n".encode())
        note(f"wrote {output}")
