"""A command in a fork of the test's process, where signals and standard streams are real: what befalls it by chance."""

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmark.__main__ import main

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BROKEN = 99  # status of a fork in which the test itself failed
_FIRST_CALL = 10  # the standard streams are put in order before
_MOST_CALLS = 30_000  # of functions, before a signal comes; a fifth of a second or so


class Disturbance(NamedTuple):
    """number: the signal that comes at a command's `call`th call of a function, or None. streams: what becomes of
    standard streams, by number: closed, full, or gone (nobody reads them)."""

    number: signal.Signals | None
    call: int
    streams: dict[int, str]

    @property
    def statuses(self) -> tuple[int, ...]:
        """How a signal ends a command: -N where it is by the signal itself."""
        return () if self.number is None else (130,) if self.number == signal.SIGINT else (-self.number,)


def draw_disturbance(rng: random.Random) -> Disturbance:
    """A signal or odd streams, now and then both."""
    number = rng.choice(SIGNALS) if rng.random() < 0.7 else None
    call = _FIRST_CALL + int(_MOST_CALLS ** rng.random())
    streams: dict[int, str] = {}
    while rng.random() < (0.2 if number or streams else 1):
        stream = rng.randrange(3)
        streams[stream] = rng.choice(["closed", "full", "gone"] if stream else ["closed"])
    return Disturbance(number, call, streams)


def call_disturbed(
    words: list[str], environment: dict[str, str], encoding: str, disturbance: Disturbance, folder: Path, limit: int
) -> tuple[int, str, str]:
    """`hydrabench`, ended by SIGALRM after `limit` seconds: its status, output and errors."""
    paths = [folder / f"stream{number}" for number in range(3)]
    for path, content in zip(paths, (b"y\n", b"", b""), strict=True):
        path.write_bytes(content)
    child = os.fork()
    if not child:
        try:
            signal.alarm(limit)
            _open_streams(paths, encoding, disturbance.streams)
            status = _be_hydrabench(words, environment, disturbance)
        except BaseException:
            status = _BROKEN
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    _, out, err = (path.read_bytes().decode(encoding, "replace") for path in paths)
    return os.waitstatus_to_exitcode(ended), out, err


def _be_hydrabench(words: list[str], environment: dict[str, str], disturbance: Disturbance) -> int:
    """Makes this process one that has just started with these arguments; its exit status."""
    os.environ.update(environment)
    sys.argv = ["hydrabench", *words]
    for number in (*SIGNALS, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return _ended(main, disturbance)


def _open_streams(paths: list[Path], encoding: str, streams: dict[int, str]) -> None:
    for number, (name, path) in enumerate(zip(("stdin", "stdout", "stderr"), paths, strict=True)):
        state = streams.get(number)
        os.dup2(_descriptor(path, state), number)
        mode, errors = ("r" if number == 0 else "w"), ("backslashreplace" if number == 2 else "strict")
        opened = open(number, mode, encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115 - until the end
        setattr(sys, name, None if state == "closed" else opened)
        if state == "closed":
            os.close(number)


def _descriptor(path: Path, state: str | None) -> int:
    if state == "gone":
        reader, writer = os.pipe()
        os.close(reader)
        return writer
    if state == "full":
        return os.open("/dev/full", os.O_WRONLY)
    return os.open(path, os.O_RDWR)


def _ended(command: Callable[[], None], disturbance: Disturbance) -> int:
    """The exit status of a command, after all that Python does and prints at its end."""
    status: object = 0
    try:
        if disturbance.number is not None:
            sys.setprofile(_Trigger(disturbance.number, disturbance.call))
        command()
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        sys.setprofile(None)
        traceback.print_exc()
        status = 1
    sys.setprofile(None)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            traceback.print_exc()
            status = 120
    return status if isinstance(status, int) else 1


class _Trigger:
    """A profiler that sends this process a signal when so many functions were called."""

    def __init__(self, number: signal.Signals, calls: int):
        self.number, self.left = number, calls

    def __call__(self, frame: object, event: str, argument: object) -> None:
        self.left -= event in ("call", "c_return")  # where Python looks for signals
        if not self.left:
            sys.setprofile(None)
            os.kill(os.getpid(), self.number)
