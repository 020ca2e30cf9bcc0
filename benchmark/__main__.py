"""`python -m benchmark`: the command line, with one-line errors for what a person gave wrong."""

import sys

import click

from benchmark.cli import cli
from datasets.registry import BadInput


def main() -> None:
    try:
        cli.main(standalone_mode=False)
    except BadInput as error:
        _end(f"error: {error}", 2)
    except click.ClickException as error:
        _end(f"error: {error.format_message()}", 2)
    except (KeyboardInterrupt, click.Abort):
        _end("stopped", 130)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        _end(f"error: {error}", 1)


def _end(message: str, status: int) -> None:
    click.echo(" ".join(message.split()), err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
