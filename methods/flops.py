"""What a computation asks of a machine, counted without computing it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

_FREE = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided")  # memory alone


@dataclass(frozen=True)
class Work:
    """flops: floating-point operations; written: bytes of what operators give; operators: each takes a while, however
    small; seconds: of one CPU core, for what is no work with tensors and is divided among threads."""

    flops: float = 0.0
    written: float = 0.0
    operators: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> "Work":
        return Work(*(value * times for value in astuple(self)))


def count(compute: Callable[..., object], *make: Callable[[], object]) -> Work:
    """What `compute` asks when it is given what each of `make` returns; all their tensors are of the device `meta`."""
    with torch.device("meta"):
        made = [each() for each in make]
        with flops_counted() as counter, _Operators() as operators:
            compute(*made)
    return Work(counter.get_total_flops(), operators.written, operators.number)


class _Operators(TorchDispatchMode):
    """Counts what is launched, and the bytes that it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.number = self.written = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **kwargs or {})
        if not func.is_view and func.overloadpacket.__name__ not in _FREE:
            self.number += 1
            self.written += sum(made.nbytes for made in tree_leaves(result) if isinstance(made, Tensor))
        return result


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
