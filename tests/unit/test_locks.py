"""Locks: one holder at a time, takeover from the dead, and an old holder that finds out."""

import json
import os
import time

import psutil
import pytest

from results.locks import STALE_SECONDS, Lock, LockHeld, LockLost, is_running, read_holder


def write_lock(folder, **holder) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0, "token": "t"} | holder))


def age(folder, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder / "lock", (then, then))


def test_a_second_holder_is_refused_by_name_and_the_lock_is_gone_afterwards(store):
    with Lock(store) as lock:
        assert is_running(store)
        with pytest.raises(LockHeld, match=f"pid {os.getpid()}"), Lock(store):
            pass
        lock.verify()
    assert not (store / "lock").exists()
    with Lock(store):
        pass


def test_the_lock_names_host_pid_start_and_token(store):
    with Lock(store) as lock:
        holder = read_holder(store / "lock")
    assert holder["pid"] == os.getpid()
    assert holder["token"] == lock.token
    assert holder["started"] == psutil.Process().create_time()
    assert holder["age"] < 5


def test_a_reused_pid_is_told_apart_by_its_start(store):
    write_lock(store, host=os.uname().nodename, pid=os.getpid(), started=psutil.Process().create_time() - 3600)
    with Lock(store) as lock:
        lock.verify()


def test_another_host_is_believed_while_its_heart_beats(store):
    write_lock(store)
    with pytest.raises(LockHeld, match="elsewhere"), Lock(store):
        pass
    age(store, STALE_SECONDS + 60)
    with Lock(store) as lock:
        lock.verify()


def test_an_old_holder_finds_out_and_leaves_the_new_lock_alone(store):
    old = Lock(store)
    old.__enter__()
    os.rename(store / "lock", store / "away")  # what a takeover does
    with Lock(store) as new:
        with pytest.raises(LockLost):
            old.verify()
        old.__exit__(None, None, None)
        new.verify()


def test_a_lock_that_changed_hands_is_given_back(store, monkeypatch):
    """A slow taker that judged an older holder dead renames the living successor's lock: it must put it back."""
    with Lock(store) as living:
        slow = Lock(store)
        dead = {"host": os.uname().nodename, "pid": 2**22 + 1, "started": 0.0, "token": "old", "age": 0.0}
        assert slow._take_away(dead | {"boot": "", "namespace": "", "ticks": 0})
        living.verify()


def test_an_unreadable_lock_counts_until_it_is_old(store):
    store.mkdir()
    (store / "lock").write_text("{")
    with pytest.raises(LockHeld), Lock(store):
        pass
    age(store, STALE_SECONDS + 60)
    with Lock(store):
        pass


def test_a_full_disk_leaves_no_lock_behind(store, monkeypatch):
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"), Lock(store):
        pass
    assert list(store.iterdir()) == []
