"""The checkout that this process imports its code from: which commit it is, and what in it that commit lacks."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from datasets.base import CHECKOUT

_ROOMS = ("benchmark/**", "methods/**", "datasets/**", "results", "slurm/**")  # stores lie below results
_KINDS = ("*.py", "*.yaml")


class CodeState(NamedTuple):
    """What code runs. sources: a hash of its files; dirty: whether these, or anything that git tracks, are not as in
    the commit; commit and dirty are None where `unknown` says why they cannot be told."""

    commit: str | None
    dirty: bool | None
    sources: str
    unknown: str = ""

    def warnings(self, submitted: "CodeState | None" = None) -> list[str]:
        """What a record must say of the code. submitted: what it was when the job was sent, if it was sent."""
        found = [f"the commit of the code is not known: {self.unknown}"] if self.unknown else []
        if submitted and submitted[:3] != self[:3]:
            sent, run = str(submitted), str(self)
            found.append(f"submitted at commit {sent}, run at {run}{', edited in between' if sent == run else ''}")
        return found

    def __str__(self) -> str:
        return f"{self.commit or 'unknown'}{' with changes' if self.dirty else ''}"


class _Unknown(Exception):
    """The commit cannot be told; the message says why."""


@lru_cache(maxsize=1)
def code_state() -> CodeState:
    """The code as it is at the first call in a process: call it before the code can change under the process."""
    try:
        _require_own_repository()
        return CodeState(_commit(), _is_dirty(), code_version())
    except _Unknown as error:
        return CodeState(None, None, code_version(), str(error))


@lru_cache(maxsize=1)
def code_version() -> str:
    """A hash of everything in the checkout that decides what runs are, what their keys are and how they are made."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in source_files():
        digest.update(os.fsencode(path.relative_to(CHECKOUT)) + b"\n" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_files() -> Iterable[Path]:
    """The files of the checkout that can change a number."""
    found = (CHECKOUT.glob(f"{room}/{kind}") for room, kind in product(_ROOMS, _KINDS))
    return (path for paths in found for path in sorted(paths) if path.is_file())  # not an editor's link, nor a pipe


def _require_own_repository() -> None:
    """Raises _Unknown unless git's repository is this checkout, and not one that this is a folder in."""
    top = _git("rev-parse", "--show-toplevel").rstrip("\n")
    if not os.path.samefile(top, CHECKOUT):
        raise _Unknown(f"{CHECKOUT} is no git checkout of its own, but a folder in that of {top}")


def _commit() -> str:
    # not rev-parse, which does not say why there is none
    return _git("-c", "log.showSignature=false", "log", "-1", "--format=%H").strip()


def _is_dirty() -> bool:
    if _git("status", "--porcelain", "--untracked-files=no"):
        return True
    # H: tracked, and looked at by status, which passes over files of the other tags (assumed unchanged, skipped)
    lines = _git("ls-files", "-v", "-z").split("\0")
    watched = {line.removeprefix("H ") for line in lines if line.startswith("H ")}
    return any(str(path.relative_to(CHECKOUT)) not in watched for path in source_files())


def _git(*arguments: str) -> str:
    """What git says of this checkout, whatever repository the environment names; raises _Unknown where it refuses."""
    try:
        # in a session of its own: Ctrl-C is for the runs, and git stopped by it would know no commit
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments],
            check=True,
            capture_output=True,
            env=_environment(),
            start_new_session=True,
        )
        return os.fsdecode(done.stdout)
    except subprocess.CalledProcessError as error:
        raise _Unknown(_refusal(os.fsdecode(error.stderr))) from error
    except FileNotFoundError as error:
        raise _Unknown("git is not installed") from error
    except OSError as error:
        raise _Unknown(f"git cannot be run ({error.strerror})") from error


def _environment() -> dict[str, str]:
    """Without GIT_DIR and its like; a person's git configuration stays, in which he may trust this checkout."""
    ours = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}  # English messages; nothing is written
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG")} | ours


def _refusal(said: str) -> str:
    """git's complaint as one line, with what to do where its own advice is a command."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = next((line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")), "nothing")
    advice = next((f"; to trust it: {line}" for line in lines if line.startswith("git config ")), "")
    return f"git says: {fatal}{advice}"
