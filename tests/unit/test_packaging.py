"""What an installation gets: every package folder, and only as an editable one."""

import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from setuptools import build_meta

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = ("benchmark", "datasets", "hydrabench", "methods", "results", "slurm")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build backend, found as a front end finds it."""
    (folder,) = PROJECT["build-system"]["backend-path"]
    monkeypatch.syspath_prepend(str(CHECKOUT / folder))
    return importlib.import_module(PROJECT["build-system"]["build-backend"])


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [
        ("get_requires_for_build_wheel", ()),
        ("get_requires_for_build_sdist", ()),
        ("build_wheel", ("here", {}, None)),
        ("build_sdist", ("here", {})),
    ],
)
def test_wheels_and_source_archives_are_refused_in_one_line(backend, hook, arguments):
    with pytest.raises(SystemExit) as stop:
        getattr(backend, hook)(*arguments)
    assert isinstance(stop.value.code, str)
    assert len(stop.value.code.splitlines()) == 1
    assert "pip install -e ." in stop.value.code


def test_every_hook_of_an_editable_install_is_there(backend):
    hooks = {name for name in vars(build_meta) if name.endswith("_editable")}
    assert {"build_editable", "get_requires_for_build_editable", "prepare_metadata_for_build_editable"} <= hooks
    assert {name: getattr(backend, name) for name in hooks} == {name: getattr(build_meta, name) for name in hooks}


def test_every_folder_with_code_is_a_package_of_the_installation():
    files = (path.relative_to(CHECKOUT) for room in ROOMS for path in (CHECKOUT / room).rglob("*.py"))
    folders = {".".join(path.parent.parts) for path in files}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_every_package_says_that_it_is_one():
    folders = [CHECKOUT.joinpath(*name.split(".")) for name in PROJECT["tool"]["setuptools"]["packages"]]
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
