"""`slurm/dev-cluster` works by what lies in its folder, as root: no folder that others can make, write or replace."""

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "slurm" / "dev-cluster"
STRANGER = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")


def call(home: Path | str, verb: str = "down", **environment: str) -> subprocess.CompletedProcess:
    given = os.environ | {"DEV_CLUSTER_HOME": str(home)} | environment
    return subprocess.run([PROGRAM, verb], env=given, capture_output=True, text=True)


def refused(home: Path | str, reason: str) -> None:
    for verb in ("down", "env", "status", *(["up"] if os.getuid() == 0 else [])):
        answer = call(home, verb)
        assert (answer.returncode, answer.stdout) == (1, "")
        (line,) = answer.stderr.splitlines()
        assert line.startswith("dev-cluster: ") and reason in line and "set DEV_CLUSTER_HOME to" in line


@pytest.fixture
def folder(tmp_path):
    """A folder in one that is like /tmp: anybody can make something there."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    return tmp_path / "open"


def test_a_folder_of_ones_own_is_used(folder):
    (folder / "mine").mkdir(mode=0o700)
    answer = call(folder / "mine")
    assert (answer.returncode, answer.stderr) == (0, f"dev-cluster: nothing at {folder}/mine\n")
    assert call(folder / "not there yet", "env").stdout == f"{folder}/not there yet/env.sh\n"


def test_without_a_word_it_lies_in_the_users_cache(folder):
    assert call("", "env", XDG_CACHE_HOME=str(folder)).stdout == f"{folder}/hydrabench/cluster/env.sh\n"
    assert call("", "env", XDG_CACHE_HOME="", HOME="/root").stdout == "/root/.cache/hydrabench/cluster/env.sh\n"


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_can_write_is_refused(folder, mode):
    (folder / "home").mkdir()
    (folder / "home").chmod(mode)
    refused(folder / "home", f"{folder}/home can be written by other users")
    if not mode & 0o1000:
        refused(folder / "home" / "below", f"{folder}/home can be written by other users")


def test_what_is_no_folder_is_refused(folder, tmp_path):
    (tmp_path / "target").mkdir()
    (folder / "link").symlink_to(tmp_path / "target")
    (folder / "file").write_text("")
    (folder / "loop").symlink_to("loop")
    refused(folder / "link", f"{folder}/link is no folder")
    refused(folder / "file", f"{folder}/file is no folder")
    refused(folder / "loop", "leads nowhere")
    refused("relative/home", "is no absolute path")
    assert not list((tmp_path / "target").iterdir())


@as_root
def test_what_belongs_to_another_user_is_refused(folder, tmp_path):
    (folder / "theirs").mkdir()
    (tmp_path / "target").mkdir()
    (folder / "link").symlink_to("../target")
    (folder / "ours").symlink_to("theirs")
    for name in ("theirs", "link"):
        os.chown(folder / name, STRANGER, STRANGER, follow_symlinks=False)
    refused(folder / "theirs", f"{folder}/theirs belongs to user {STRANGER}")
    refused(folder / "theirs" / "below", f"{folder}/theirs belongs to user {STRANGER}")
    refused(folder / "link" / "below", f"{folder}/link belongs to user {STRANGER}")
    refused(folder / "ours" / "below", f"theirs belongs to user {STRANGER}")
    assert not list((tmp_path / "target").iterdir()) and not list((folder / "theirs").iterdir())
