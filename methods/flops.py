"""Counting floating-point operations."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

TRAINED = 3  # forward passes that a training step costs


@contextmanager
def flops_counted() -> "Iterator[FlopCounterMode]":
    """Counts the operations of what is done inside it with tensors, those of the device `meta` included."""
    with _interruption_held_back():  # triton comes along, whose C++ ends the process where its import is interrupted
        from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        yield counter


@contextmanager
def _interruption_held_back() -> Iterator[None]:
    """A Ctrl-C that comes meanwhile is delivered at the end; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
