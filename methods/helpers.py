"""Processes that compute a function of arrays ahead of its use; run as a program, one of them.

Imports nothing of ours, so that a helper is there as soon as what its function imports.
"""

import os
import pickle
import runpy
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, BinaryIO

LOOKAHEAD = 8  # batches that are begun before they are needed


class Helpers:
    """`count` processes for a function at the top of a file that imports nothing of ours; 0 for this process.

    The answers are the same for any number of them. A helper ignores Ctrl-C, ends when this process ends, however it
    does, and when nobody uses these any longer; where one has died, this process does its work.
    """

    def __init__(self, function: Callable[..., Any], count: int):
        self.function, self.count = function, count
        self._threads: ThreadPoolExecutor | None = None
        self._idle: SimpleQueue[subprocess.Popen] = SimpleQueue()

    def submit(self, *arguments: Any) -> Callable[[], Any]:
        """Begins to compute; what it returns waits for the answer."""
        if not self.count:
            return lambda: self.function(*arguments)
        answer = self._started().submit(_request, self._idle, arguments)

        def wait() -> Any:
            try:
                return answer.result()
            except (OSError, EOFError, pickle.UnpicklingError):  # the helper was killed
                return self.function(*arguments)

        return wait

    def _started(self) -> ThreadPoolExecutor:
        """The pool of one thread per helper, each of which waits for a helper's answer."""
        if self._threads is None:
            processes = [_start(self.function) for _ in range(self.count)]
            for process in processes:
                self._idle.put(process)
            self._threads = ThreadPoolExecutor(self.count, "helper")
            weakref.finalize(self, _close, self._threads, processes)
        return self._threads


def _start(function: Callable[..., Any]) -> subprocess.Popen:
    # plain pipes: a helper sees their end when this process dies, and a process of any kind may have it
    return subprocess.Popen(
        [sys.executable, "-P", __file__, function.__code__.co_filename, function.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def _request(idle: "SimpleQueue[subprocess.Popen]", arguments: tuple) -> Any:
    process = idle.get()
    try:
        pickle.dump(arguments, process.stdin, pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
        process.stdin.flush()  # type: ignore[union-attr]
        return pickle.load(process.stdout)  # type: ignore[arg-type]  # noqa: S301 - from our own helper
    finally:
        idle.put(process)


def _close(threads: ThreadPoolExecutor, processes: list[subprocess.Popen]) -> None:
    threads.shutdown(cancel_futures=True)
    for process in processes:
        try:
            process.communicate()  # closes the pipes, so that the helper ends
        except (OSError, ValueError):
            process.kill()
            process.wait()


def serve(function: Callable[..., Any], requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers pickled arguments with the function's pickled value, until the requests end with the parent."""
    while True:
        try:
            arguments = pickle.load(requests)  # noqa: S301 - from our parent process
        except EOFError:
            return
        pickle.dump(function(*arguments), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    # Ctrl-C reaches the whole process group; the parent decides when to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    file, name = sys.argv[1:]
    serve(runpy.run_path(file)[name], sys.stdin.buffer, sys.stdout.buffer)
