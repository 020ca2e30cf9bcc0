"""`python -m benchmark` and `hydrabench`: the command line, with one line for what ends it early."""

import errno
import io
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn, TextIO

_LATER = 0.05  # seconds


def main() -> None:
    """Runs the command line. It is imported here, where an interruption of the import ends in a line as well."""
    try:
        _open_streams()
        sys.unraisablehook = _interrupt_later
        try:
            _call()
        finally:
            _finish_output()
    except KeyboardInterrupt:
        _end("stopped", 130)


def _call() -> None:
    """The verb that was asked for; exit status 2 for user errors, 1 for files that cannot be used."""
    import click

    from benchmark.cli import cli
    from datasets.registry import BadInput, left_out

    try:
        cli.main(sys.argv[1:] or ["--help"], standalone_mode=False)
    except BadInput as error:
        _end(f"error: {error}", 2)
    except click.ClickException as error:
        _end(f"error: {error.format_message()}", 2)
    except click.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        return
    except OSError as error:
        _end(f"error: {error}", 1)
    finally:
        for problem in left_out:
            _say(f"left out: {problem}")


def _interrupt_later(lost: "sys.UnraisableHookArgs") -> None:
    """An interruption that came where Python can raise nothing, as where an object goes, is raised a little later."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    main_thread = threading.main_thread().ident
    again = threading.Timer(_LATER, signal.pthread_kill, (main_thread, signal.SIGINT))  # it may be in a system call
    again.daemon = True
    again.start()


def _end(message: str, status: int) -> NoReturn:
    _say(message)
    sys.exit(status)


def _say(message: str) -> None:
    from results.escape import one_line

    sys.stderr.write(one_line(" ".join(message.split())) + "\n")


class _Closed(io.TextIOBase):
    """A standard output that is closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


class _Notes:
    """Standard error: what cannot be said there (it is full, nobody reads it) is left out and changes no status."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _open_streams() -> None:
    """Every standard stream can be used, and what its encoding lacks is written as an escape.

    The number of a closed one would else go to the next file that is opened, and what is printed into it. Standard
    error comes first: an interruption meanwhile has a line to write.
    """
    if sys.stderr is not None and not isinstance(sys.stderr, _Notes):
        sys.stderr = _Notes(sys.stderr)
    for number, name in ((2, "stderr"), (0, "stdin"), (1, "stdout")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            setattr(sys, name, _Closed() if name == "stdout" else open(number, "r" if number == 0 else "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _finish_output() -> None:
    """What could not be written was told of, or its reader has gone: at its exit Python shall not try again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
