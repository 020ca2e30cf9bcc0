"""Whether this process was asked to stop: by its parent, a signal, a deadline, or its parent's death."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Protocol

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_signals() -> Iterator[None]:
    """SIGINT and SIGTERM wait meanwhile; processes that are started, now or by threads started now, hold them
    until they listen, so that none dies of a signal while it is being imported."""
    resource_tracker.ensure_running()  # its start would let them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Flag(Protocol):
    """Something between processes that becomes non-zero; multiprocessing's RawValue is one."""

    value: int


class StopRequest:
    """Asked before every training step; runs then stop at a checkpoint instead of losing work.

    deadline: seconds since the epoch, or None. asked: a flag that the parent process raises. parent: its pid, by its
    own word, as it may die while this process is still being imported.
    """

    def __init__(self, deadline: float | None = None, asked: Flag | None = None, parent: int | None = None):
        self.deadline, self._asked, self._parent = deadline, asked, parent
        self._signalled = False

    def listen(self) -> None:
        """Turns SIGINT and SIGTERM into a request; for a worker process's main thread."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def __call__(self) -> bool:
        late = self.deadline is not None and time.time() > self.deadline
        orphaned = self._parent not in (None, os.getppid())
        asked = self._asked is not None and bool(self._asked.value)
        return self._signalled or late or orphaned or asked

    def _on_signal(self, number: int, frame: object) -> None:
        self._signalled = True
