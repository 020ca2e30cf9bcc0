"""A lock per run folder that holds between processes and hosts on a shared file system, without flock."""

import errno
import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from datasets.files import make_folder
from results.reader import RecordError, read_json

STALE_SECONDS = 300.0
_BEAT_SECONDS = 20.0
_BOOT_TOLERANCE = 2.0  # seconds by which two readings of a process's start may differ
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_LARGEST = 4096  # bytes; a lock has 300
_HELD: set[str] = set()  # tokens of this process's locks: one whose file could not be removed holds nothing
_UNKNOWN: dict[str, Any] = {
    "host": "?",
    "pid": 0,
    "started": 0.0,
    "token": "unreadable",
    "boot": "",
    "namespace": "",
    "ticks": 0,
}


class LockHeld(Exception):
    """Another process works on this folder; the message names it."""


class LockLost(Exception):
    """Another process took this lock over; whoever finds out stops and writes nothing."""


class Lock:
    """Exclusive use of a folder while the context lasts.

    The file `lock` appears whole and names host, boot, pid namespace, pid, start and a token; its modification time
    is the heartbeat. Where its pid can be seen a dead process, elsewhere a heartbeat older than five minutes by the
    clock of the file system, lets another process take over by renaming the file away.
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
        _HELD.discard(self.token)
        with suppress(OSError):  # the work is done; a file that stays holds nothing: see is_stale
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
            if error.filename2 and error.errno in _NO_HARD_LINKS:
                reason = "its file system has no hard links, by which locks are taken; put the store on another"
                raise OSError(error.errno, reason, str(self.path.parent)) from error
            error.filename = error.filename or str(self.path)  # a full disk's error has none
            raise
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        _HELD.add(self.token)
        return True

    def _myself(self) -> dict[str, object]:
        me = psutil.Process()
        start = {"started": me.create_time(), "ticks": _ticks(me.pid) or 0}
        return {"host": socket.gethostname(), "pid": me.pid, "token": self.token} | start | _here()

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
            with suppress(OSError):  # a server may be away for one beat
                os.utime(self._descriptor)  # the open file: never a successor's lock


def read_holder(path: Path) -> dict | None:
    """Who holds a lock file: host, pid, started, token, boot, namespace, ticks, age in seconds and a
    `problem`, "" where the file is good; None where there
    is no file.

    A file without readable content counts as from an unknown host. One of an older version says nothing of boot,
    namespace and ticks, which then are "", "" and 0.
    """
    try:
        touched = path.lstat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    holder, problem = _content(path)
    age = time.time() - touched
    if not 0 <= age <= STALE_SECONDS:  # or this host's clock is off
        age = _clock(path.parent) - touched
    return holder | {"age": age, "problem": problem}


def _content(path: Path) -> tuple[dict[str, Any], str]:
    """What a lock file says, and why it says nothing, "" where it is good."""
    try:
        value = read_json(path, _LARGEST)
    except RecordError as error:
        return dict(_UNKNOWN), str(error)
    holder = _UNKNOWN | {name: value[name] for name in _UNKNOWN if name in value}
    fits = all(type(holder[name]) is type(usual) for name, usual in _UNKNOWN.items())
    if fits and holder["token"].isalnum() and 0 <= holder["pid"] < 2**31:
        return holder, ""
    return dict(_UNKNOWN), "not a lock of ours"


def _clock(folder: Path) -> float:
    """The time by the file system's own clock, seconds since the epoch; this host's where nothing can be written."""
    probe = folder / f".clock.{uuid.uuid4().hex}"
    try:
        with probe.open("x") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()


def is_stale(holder: dict) -> bool:
    """Whether a holder is dead: its process where that can be seen, or its heartbeat elsewhere."""
    if not _is_in_sight(holder) or _is_hidden(holder["pid"]):
        return holder["age"] > STALE_SECONDS
    if holder["ticks"]:
        alive = _ticks(holder["pid"]) == holder["ticks"]
        return not alive or (holder["pid"] == os.getpid() and holder["token"] not in _HELD)
    try:
        process = psutil.Process(holder["pid"])
        reused = abs(process.create_time() - holder["started"]) > _BOOT_TOLERANCE
        return reused or process.status() == psutil.STATUS_ZOMBIE  # killed, and its parent has not looked yet
    except psutil.NoSuchProcess:
        return True


def _is_in_sight(holder: dict) -> bool:
    """Whether a holder's pid counts a process of this kernel under this number; an older version names but the host."""
    here = _here()
    same_kernel = {name: holder[name] for name in here} == here or not (holder["boot"] and here["boot"])
    return holder["host"] == socket.gethostname() and same_kernel


def _is_hidden(pid: int) -> bool:
    """Whether a process lives that /proc does not show to this user (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not Path(f"/proc/{pid}/stat").exists()
    except OSError:
        pass
    return False


@cache
def _here() -> dict[str, str]:
    """The running kernel and the pid namespace of this process; "" where the system has no such words."""
    boot, namespace = "", ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    return {"boot": boot, "namespace": namespace}


def _ticks(pid: int) -> int | None:
    """When a process started, in the kernel's ticks since boot, which no setting of a clock moves; None for a dead
    one, a zombie, and where there is no /proc."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in ("Z", "X") else int(fields[18])


def is_running(folder: Path, problems: list[str] | None = None) -> bool:
    """Whether a living process works on a run folder; False where one may not look. problems: names a lock that is
    not one."""
    try:
        holder = read_holder(folder / "lock")
    except OSError:
        return False
    if holder is None:
        return False
    if holder["problem"] and problems is not None:
        problems.append(f"{folder / 'lock'}: {holder['problem']}")
    return not is_stale(holder)
