"""`python -m benchmark` and `hydrabench`: the command line, with one line for what ends it early."""

import sys


def main() -> None:
    """Runs the command line. It is imported here, where an interruption of the import ends in a line as well."""
    try:
        _call()
    except KeyboardInterrupt:
        _end("stopped", 130)


def _call() -> None:
    """The verb that was asked for; exit status 2 for user errors, 1 for files that cannot be used."""
    import click

    from benchmark.cli import cli
    from datasets.registry import BadInput

    try:
        cli.main(standalone_mode=False)
    except BadInput as error:
        _end(f"error: {error}", 2)
    except click.ClickException as error:
        _end(f"error: {error.format_message()}", 2)
    except click.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        _end(f"error: {error}", 1)


def _end(message: str, status: int) -> None:
    sys.stderr.write(" ".join(message.split()) + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
