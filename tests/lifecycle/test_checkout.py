"""What is said of the code: this checkout's commit, dirty where that lacks a source, or why it is unknown."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark import checkout
from benchmark.checkout import CodeState, code_state, code_version, source_files

ME = ("-c", "user.name=me", "-c", "user.email=me@here")


def git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *ME, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


def state() -> CodeState:
    """As a process that starts now would see it."""
    code_version.cache_clear()
    code_state.cache_clear()
    return code_state()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small checkout in place of the real one, not yet under git, in a folder where git searches no further up."""
    root = tmp_path / "outer" / "here"
    for name in ("methods/one.py", "benchmark/presets/paper.yaml", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a: 1\n")
    (root / ".gitignore").write_text("ignored.py\n")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(checkout, "CHECKOUT", root)
    yield root
    code_version.cache_clear()
    code_state.cache_clear()


def test_the_commit_of_a_checkout_without_changes(here):
    commit = commit_all(here)
    assert state()[:2] == (commit, False)
    assert state().warnings() == []


def test_a_copy_inside_another_repository_does_not_take_its_commit(here):
    (here.parent / ".gitignore").write_text("here/\n")
    commit_all(here.parent)
    found = state()
    assert found[:2] == (None, None)
    (warning,) = found.warnings()
    assert "commit of the code is not known" in warning
    assert f"{here} is no git checkout of its own, but a folder in that of {here.parent}" in warning


def test_a_copy_that_another_repository_tracks_does_not_take_its_commit(here):
    commit_all(here.parent)
    assert state()[:2] == (None, None)


def test_what_the_environment_says_of_git_does_not_matter(here, monkeypatch):
    commit = commit_all(here)
    other = here.parent / "other"
    other.mkdir()
    (other / "file").write_text("other")
    assert commit_all(other) != commit
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(here / "no index"))
    assert state()[:2] == (commit, False)


def edit_a_source(root: Path) -> None:
    (root / "methods/one.py").write_text("b: 2\n")


def edit_the_readme(root: Path) -> None:
    (root / "README.md").write_text("b: 2\n")


def add_a_method(root: Path) -> None:
    (root / "methods/two.py").write_text("b: 2\n")


def add_an_ignored_method(root: Path) -> None:
    (root / "methods/deep").mkdir()
    (root / "methods/deep/ignored.py").write_text("b: 2\n")


def add_a_preset(root: Path) -> None:
    (root / "benchmark/presets/mine.yaml").write_text("b: 2\n")


def add_a_repository_of_methods(root: Path) -> None:
    (root / "methods/vendored").mkdir()
    (root / "methods/vendored/three.py").write_text("b: 2\n")
    commit_all(root / "methods/vendored")


def edit_what_git_is_told_to_pass_over(root: Path) -> None:
    git(root, "update-index", "--assume-unchanged", "methods/one.py")
    edit_a_source(root)


def stage_a_change(root: Path) -> None:
    edit_a_source(root)
    git(root, "add", "methods/one.py")


CHANGES = [
    edit_a_source,
    edit_the_readme,
    add_a_method,
    add_an_ignored_method,
    add_a_preset,
    add_a_repository_of_methods,
    edit_what_git_is_told_to_pass_over,
    stage_a_change,
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_the_commit_lacks_is_dirty(change: Callable[[Path], None], here):
    commit = commit_all(here)
    change(here)
    assert state()[:2] == (commit, True)


def test_what_changes_no_number_is_not_dirty(here):
    commit = commit_all(here)
    for name in ("notes.txt", "mine.py", "results/records/a/b/c.py", "benchmark/table.csv"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("mine")
    assert state()[:2] == (commit, False)


def stand_in(folder: Path, said: str) -> str:
    """A PATH on which git fails with a message."""
    program = folder / "bin" / "git"
    program.parent.mkdir()
    (folder / "said").write_text(said)
    program.write_text(f"#!/bin/sh\ncat '{folder}/said' >&2\nexit 128\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_a_checkout_of_another_user_is_said_to_be_one(here, tmp_path, monkeypatch):
    commit_all(here)
    advice = f"git config --global --add safe.directory {here}"
    said = f"fatal: detected dubious ownership in repository at {here}\nTo add an exception, call:\n\n\t{advice}\n"
    monkeypatch.setenv("PATH", stand_in(tmp_path, said))
    found = state()
    assert found[:2] == (None, None)
    assert found.unknown == f"git says: detected dubious ownership in repository at {here}; to trust it: {advice}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_git_itself_refuses_a_checkout_of_another_user(here, tmp_path, monkeypatch):
    commit = commit_all(here)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for path in (here, *here.rglob("*")):
        os.chown(path, 1234, 1234)
    assert state().commit is None
    assert "dubious ownership" in state().unknown and f"safe.directory {here}" in state().unknown
    (tmp_path / "config").write_text(f"[safe]\n\tdirectory = {here}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert state()[:2] == (commit, False)


def test_without_git_it_is_said_that_there_is_none(here, tmp_path, monkeypatch):
    commit_all(here)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert state()[:2] == (None, None)
    assert state().unknown == "git is not installed"


def test_a_repository_without_a_commit_has_none(here):
    git(here, "init", "-q")
    assert state()[:2] == (None, None)
    assert "does not have any commits yet" in state().unknown


def test_a_file_name_that_is_no_text_is_no_hindrance(here):
    commit = commit_all(here)
    os.close(os.open(os.fsencode(here / "methods") + b"/caf\xe9.py", os.O_CREAT))
    assert state()[:2] == (commit, True)


def test_the_hash_of_the_sources_follows_names_and_contents(here):
    before = state().sources
    (here / "methods/.#one.py").symlink_to("somebody@here.1234")  # Emacs leaves such while a file is edited
    os.mkfifo(here / "methods/pipe.py")
    assert [path.name for path in source_files()] == ["paper.yaml", "one.py"]
    (here / "methods/one.py").rename(here / "methods/two.py")
    renamed = state().sources
    (here / "methods/two.py").rename(here / "methods/one.py")
    assert state().sources == before != renamed
    edit_a_source(here)
    assert state().sources not in (before, renamed)
