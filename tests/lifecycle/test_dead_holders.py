"""Locks of processes that have ended."""

import json
import os
import subprocess
import sys
import time

import psutil

from results.locks import Lock, is_running, read_holder


def write_lock(folder, **holder) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0, "token": "t"} | holder))


def test_a_dead_pid_on_this_host_is_taken_over_at_once(store):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    write_lock(store, host=os.uname().nodename, pid=child.pid)
    assert not is_running(store)
    with Lock(store):
        assert read_holder(store / "lock")["pid"] == os.getpid()
    assert list(store.iterdir()) == []


def test_a_zombie_is_dead(store):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_lock(store, host=os.uname().nodename, pid=child.pid, started=psutil.Process(child.pid).create_time())
    assert is_running(store)
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not is_running(store)
    child.wait()
