"""Who counts as dead: by boot, pid namespace and start, or by a heartbeat on the file system's own clock."""

import errno
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from results import locks
from results.locks import STALE_SECONDS, Lock, LockHeld, is_running, read_holder

DEAD = 2**22 + 1  # no kernel gives this pid
NAMES = ("boot", "namespace", "ticks")


@pytest.fixture
def mine(store) -> dict:
    """What a lock of this process says."""
    with Lock(store):
        return json.loads((store / "lock").read_text())


def put(store: Path, holder: object, age: float = 0.0) -> None:
    (store / "lock").write_text(json.dumps(holder))
    beat(store / "lock", age)


def beat(path: Path, age: float) -> None:
    then = time.time() - age
    os.utime(path, (then, then), follow_symlinks=False)


def require_held(store: Path) -> None:
    assert is_running(store)
    with pytest.raises(LockHeld), Lock(store):
        pass
    assert [path.name for path in store.iterdir()] == ["lock"]


def require_free(store: Path) -> None:
    assert not is_running(store)
    with Lock(store) as lock:
        lock.verify()
    assert not list(store.iterdir())


def test_a_lock_says_which_kernel_counts_its_pid_and_when_it_began(mine):
    assert mine["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert mine["namespace"] == os.readlink("/proc/self/ns/pid")
    assert mine["ticks"] / os.sysconf("SC_CLK_TCK") == pytest.approx(time.monotonic(), abs=3600)


@pytest.mark.parametrize("step", [3.0, 3600.0, -400.0])
def test_a_clock_that_is_set_kills_nobody(store, mine, monkeypatch, step):
    """The system's idea of when a process started moves with its clock (FAULTS R5)."""
    put(store, mine)
    monkeypatch.setattr(locks, "_HELD", {mine["token"]})
    start = psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: start + step)
    require_held(store)


def test_a_lock_that_could_not_be_removed_holds_its_own_process_up_no_more(store, monkeypatch):
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    with monkeypatch.context() as patch, Lock(store):
        patch.setattr(Path, "unlink", refuse)
    assert (store / "lock").exists()
    require_free(store)


def test_a_pid_that_was_given_again_is_told_apart_by_its_start(store, mine):
    put(store, mine | {"ticks": mine["ticks"] - 1})
    require_free(store)


def test_a_pid_of_another_namespace_is_judged_by_its_heart(store, mine):
    """A container on this host, with the same host name: its pids are other processes here, or none."""
    other = mine | {"namespace": "pid:[1]", "pid": DEAD}
    put(store, other)
    require_held(store)
    put(store, other, STALE_SECONDS + 60)
    require_free(store)


def test_another_machine_of_the_same_name_is_judged_by_its_heart(store, mine):
    put(store, mine | {"boot": "11111111-2222-3333-4444-555555555555", "pid": DEAD})
    require_held(store)
    put(store, mine | {"boot": "11111111-2222-3333-4444-555555555555"}, STALE_SECONDS + 60)
    require_free(store)


def test_a_machine_of_another_name_is_judged_by_its_heart_though_it_was_booted_as_this_one(store, mine, monkeypatch):
    """Copies of a running virtual machine have one boot."""
    monkeypatch.setattr(socket, "gethostname", lambda: "copy")
    put(store, mine | {"pid": DEAD})
    require_held(store)
    put(store, mine, STALE_SECONDS + 60)
    require_free(store)


def test_a_process_that_proc_does_not_show_is_judged_by_its_heart(store, mine, monkeypatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "kill", refuse)
    put(store, mine | {"pid": DEAD})
    require_held(store)
    put(store, mine | {"pid": DEAD}, STALE_SECONDS + 60)
    require_free(store)


def test_a_lock_of_an_older_version_is_judged_by_host_and_start(store, mine):
    old = {name: value for name, value in mine.items() if name not in NAMES}
    put(store, old, STALE_SECONDS + 60)
    require_held(store)
    put(store, old | {"started": old["started"] - 3600})
    require_free(store)
    put(store, old | {"host": "elsewhere"})
    require_held(store)


@pytest.fixture
def set_clock(monkeypatch):
    """Sets this host's clock, which is not the file system's."""

    def shift(seconds: float) -> None:
        now = time.time
        monkeypatch.setattr(locks.time, "time", lambda: now() + seconds)

    return shift


ELSEWHERE = {"host": "elsewhere", "pid": 1, "started": 0.0, "token": "t"}


def test_a_heart_beats_however_far_this_clock_is_ahead(store, mine, set_clock):
    put(store, ELSEWHERE)
    set_clock(400)
    require_held(store)
    assert read_holder(store / "lock")["age"] < STALE_SECONDS


def test_a_stopped_heart_is_seen_however_far_this_clock_is_behind(store, mine, set_clock):
    put(store, ELSEWHERE, STALE_SECONDS + 60)
    set_clock(-86400)
    require_free(store)


def test_where_nothing_can_be_written_this_clock_counts(store, mine, monkeypatch):
    put(store, ELSEWHERE, STALE_SECONDS + 60)
    with monkeypatch.context() as patch:
        patch.setattr(locks.uuid, "uuid4", lambda: SimpleNamespace(hex="no/such/folder"))
        assert not is_running(store)
    assert [path.name for path in store.iterdir()] == ["lock"]


@pytest.mark.parametrize(
    "odd",
    [
        *([], 5, None, "lock", [[]] * 9, {"pid": "1"}, {"host": []}, {"ticks": 1.5}, {"started": 10**400}),
        *(ELSEWHERE | {"token": "../../away"}, ELSEWHERE | {"token": ""}, ELSEWHERE | {"pid": -1}),
        ELSEWHERE | {"host": "x" * 5000},
    ],
)
def test_a_lock_of_odd_content_counts_until_it_is_old(store, mine, odd):
    put(store, odd)
    require_held(store)
    beat(store / "lock", STALE_SECONDS + 60)
    require_free(store)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("nowhere", path)])
def test_what_is_no_file_counts_until_it_is_old_and_never_hangs(store, mine, make):
    make(store / "lock")
    beat(store / "lock", 0)
    require_held(store)
    beat(store / "lock", STALE_SECONDS + 60)
    require_free(store)


def test_a_heart_goes_on_after_an_error(store, monkeypatch):
    beats, again = [], threading.Event()

    def fails_once(descriptor: int) -> None:
        beats.append(descriptor)
        if len(beats) == 1:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        again.set()

    monkeypatch.setattr(locks, "_BEAT_SECONDS", 0.001)
    monkeypatch.setattr(os, "utime", fails_once)
    with Lock(store):
        assert again.wait(60)
