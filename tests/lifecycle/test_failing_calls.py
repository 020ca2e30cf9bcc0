"""Each call to the file system fails once: what was whole stays whole, and the next attempt gives the same bits.

HYDRABENCH_CALLS=all tries every call; `make test` a fair share of them.
"""

import builtins
import errno
import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.build import build
from benchmark.execute import execute
from results.artifacts import artifact_files, read_artifact
from results.index import load_records

CALLS = (
    "open",
    "write",
    "fsync",
    "replace",
    "rename",
    "link",
    "unlink",
    "mkdir",
    "utime",
    "scandir",
    "listdir",
    "stat",
)
ERRORS = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.ESTALE)
TRIED = None if os.environ.get("HYDRABENCH_CALLS") == "all" else 12


class Injector:
    """Counts the calls that concern a store; the one with the number `fails` raises `error`."""

    def __init__(self, store: Path, fails: int = 0, error: int = errno.EIO):
        self.store, self.fails, self.error, self.count = str(store), fails, error, 0

    def __call__(self, call: Callable) -> Callable:
        def guarded(target, *rest, **more):
            if self._concerns(target):
                self.count += 1
                if self.count == self.fails:
                    raise OSError(self.error, os.strerror(self.error), str(target))
            return call(target, *rest, **more)

        return guarded

    def _concerns(self, target: object) -> bool:
        if isinstance(target, int):  # an open file
            try:
                target = os.readlink(f"/proc/self/fd/{target}")
            except OSError:
                return False
        return isinstance(target, (str, os.PathLike)) and str(target).startswith(self.store)


@contextmanager
def injected(injector: Injector) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, injector(getattr(os, name)))
        opened = injector(io.open)
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        yield


def found(store: Path) -> dict[str, str]:
    """The hashes of what a store holds, by key; a record that cannot be read has none."""
    runs = {entry.key: entry.record().weights_sha256 for entry in load_records([store])}
    return runs | {made.key: made.tensors_sha256 for made in map(read_artifact, artifact_files([store]))}


@pytest.fixture(scope="module")
def quiet(make_run, tmp_path_factory):
    """A run with a generator, what an undisturbed store holds of it, and how many calls it takes."""
    run, store = make_run("hydramix", size=1, batch_size=10), tmp_path_factory.mktemp("quiet")
    injector = Injector(store)
    with injected(injector):
        assert execute(run, store).state == "done"
    return run, found(store), injector.count


def test_a_call_that_fails_tears_and_repeats_nothing(quiet, tmp_path):
    run, expected, calls = quiet
    assert calls > 100 and len(expected) == 2
    chance = random.Random(0)
    numbers = range(1, calls + 1) if TRIED is None else sorted(chance.sample(range(1, calls + 1), TRIED))
    for number in numbers:
        store, error = tmp_path / "store", chance.choice(ERRORS)
        with injected(Injector(store, number, error)):
            ended = execute(run, store)
        whole = found(store)
        assert whole.items() <= expected.items(), (number, error)
        assert ended.state in ("done", "failed"), (number, ended)
        stamps = {
            path: path.stat().st_mtime_ns for path in (*store.rglob("record.json"), *store.rglob("artifact.json"))
        }
        for job in run.artifacts:  # as --retry does
            assert build(job, store).state == "done", (number, error)
        assert execute(run, store).state == "done", (number, error)
        assert found(store) == expected, (number, error)
        assert {path: path.stat().st_mtime_ns for path in stamps} == stamps, f"call {number}: done again"
        assert not list(store.rglob("*.damaged")), (number, error)
        shutil.rmtree(store)
