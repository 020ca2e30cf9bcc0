"""`~` in a path that a person gave is a home folder wherever it stands, and nobody needs one."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmark.cli import cli
from benchmark.cli.options import FILE, PathOf
from datasets.base import data_root
from datasets.folder import Folder
from datasets.paths import given_path, own_folder
from datasets.registry import BadInput
from results.cache import caches
from slurm.profiles import load_profile


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch) -> None:
    """A user id that is in no list, without HOME, in a folder where `./~` would be seen."""

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.chdir(tmp_path)


def test_the_home_folder_stands_in_for_its_sign(home, monkeypatch):
    assert given_path("~/x") == home / "x" and given_path("a/~/x") == Path("a/~/x")
    monkeypatch.setenv("DATA_ROOT", "~/images")
    assert data_root() == home / "images"
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    assert caches() == home / "kept" / "hydrabench"


def test_a_folder_of_images_below_home(home, draw_tree):
    draw_tree(home / "mine", 0)
    assert Folder("~/mine").path == home / "mine"


def test_every_option_that_is_a_path_knows_the_home_folder(home):
    assert FILE.convert("~/zz", None, None) == home / "zz"
    paths = [option.type for option in walk_options(cli) if isinstance(option.type, click.Path)]
    assert len(paths) > 10 and all(isinstance(kind, PathOf) for kind in paths)


def walk_options(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    for verb in command.commands.values() if isinstance(command, click.Group) else ():
        yield from walk_options(verb)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_nothing_is_kept_and_a_path_with_its_sign_is_refused(tmp_path):
    assert caches() is None and own_folder("XDG_CONFIG_HOME", ".config") is None
    assert load_profile("local")
    with pytest.raises(BadInput, match=r"^~/x: the home folder that ~ stands for is not known here"):
        given_path("~/x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("homeless")
def test_a_cache_folder_that_is_no_absolute_path_is_not_used(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert caches() is None
