"""A lock per run folder that holds between processes and hosts on a shared file system, without flock."""

import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from datasets.files import make_folder

STALE_SECONDS = 300.0
_BEAT_SECONDS = 20.0
_BOOT_TOLERANCE = 2.0  # seconds by which two readings of a process's start may differ


class LockHeld(Exception):
    """Another process works on this folder; the message names it."""


class LockLost(Exception):
    """Another process took this lock over; whoever finds out stops and writes nothing."""


class Lock:
    """Exclusive use of a folder while the context lasts.

    The file `lock` appears whole and names host, pid, start time and a token; its modification time is the
    heartbeat. On the same host a dead pid, elsewhere a heartbeat older than five minutes,
    lets another process take over by renaming the file away.
    """

    def __init__(self, folder: Path):
        self.path = folder / "lock"
        self.token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Takes the lock; raises LockHeld where a living process has it."""
        make_folder(self.path.parent)
        while not self._create():
            holder = read_holder(self.path)
            if holder is not None and not self._take_away(holder):
                raise LockHeld(f"{self.path.parent} is in use by pid {holder['pid']} on {holder['host']}")
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._is_mine():
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def verify(self) -> None:
        """Raises LockLost unless this object still holds the lock; call before writing anything that counts."""
        if not self._is_mine():
            raise LockLost(f"{self.path.parent}: another process took over, this one stops")

    def _create(self) -> bool:
        """Makes the lock file appear whole: written under another name, then linked, which fails where one exists."""
        draft = self.path.with_name(f".lock.{self.token}")
        self._descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        try:
            os.write(self._descriptor, json.dumps(self._myself()).encode())
            os.fsync(self._descriptor)
            os.link(draft, self.path)
        except OSError as error:
            os.close(self._descriptor)
            if isinstance(error, FileExistsError | FileNotFoundError):  # held, or the draft was swept up
                return False
            raise
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _myself(self) -> dict[str, object]:
        me = psutil.Process()
        return {"host": socket.gethostname(), "pid": me.pid, "started": me.create_time(), "token": self.token}

    def _take_away(self, holder: dict) -> bool:
        """Renames a dead holder's lock away; False where the holder lives.

        What was renamed is looked at: a lock that changed hands meanwhile is given back.
        """
        if not is_stale(holder):
            return False
        grave = self.path.with_name(f".lock.{holder['token']}")
        try:
            os.rename(self.path, grave)
            taken = read_holder(grave)
            if taken is not None and taken["token"] != holder["token"]:
                os.link(grave, self.path)
        except (FileNotFoundError, FileExistsError):
            return True  # somebody else was faster; an owner who lost his lock finds out by verify()
        grave.unlink(missing_ok=True)
        return True

    def _is_mine(self) -> bool:
        try:
            return os.stat(self.path).st_ino == os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT_SECONDS):
            try:
                os.utime(self._descriptor)  # the open file: never a successor's lock
            except OSError:
                return


def read_holder(path: Path) -> dict | None:
    """Who holds a lock file: host, pid, started, token and age in seconds; None where there is no file.

    A file without readable content counts as from an unknown host.
    """
    try:
        age = time.time() - path.stat().st_mtime
        content = json.loads(path.read_text() or "{}")
    except FileNotFoundError:
        return None
    except ValueError:
        content = {}
    return {"host": "?", "pid": 0, "started": 0.0, "token": "unreadable"} | content | {"age": age}


def is_stale(holder: dict) -> bool:
    """Whether a holder is dead: its process on this host, or its heartbeat elsewhere."""
    if holder["host"] != socket.gethostname():
        return holder["age"] > STALE_SECONDS
    try:
        process = psutil.Process(holder["pid"])
        reused = abs(process.create_time() - holder["started"]) > _BOOT_TOLERANCE
        return reused or process.status() == psutil.STATUS_ZOMBIE  # killed, and its parent has not looked yet
    except psutil.NoSuchProcess:
        return True


def is_running(folder: Path) -> bool:
    """Whether a living process works on a run folder."""
    holder = read_holder(folder / "lock")
    return holder is not None and not is_stale(holder)
