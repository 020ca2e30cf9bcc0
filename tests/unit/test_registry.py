"""A registry fills itself from this project's own packages and from nothing else by their names."""

import importlib
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from datasets import registry as registry_module
from datasets.registry import Registry


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, first on the path, with packages whose code says that it ran by a file."""
    for name in ("methods", "elsewhere"):
        (tmp_path / name).mkdir()
        for file in ("__init__.py", "code.py"):
            (tmp_path / name / file).write_text(f"open({str(tmp_path / f'{name}-{file}')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_package_found_elsewhere_is_never_imported(foreign):
    with pytest.raises(ImportError, match=f"package 'elsewhere' is {foreign}.*not HydraBench's"):
        Registry("thing", "elsewhere").entries()
    assert not list(foreign.glob("elsewhere-*"))
    assert "elsewhere" not in sys.modules


def test_a_foreign_package_that_took_the_name_is_never_scanned(foreign, monkeypatch):
    monkeypatch.delitem(sys.modules, "methods")
    monkeypatch.setitem(sys.modules, "methods", importlib.import_module("methods"))
    assert (foreign / "methods-__init__.py").exists()
    with pytest.raises(ImportError, match="package 'methods' is "):
        Registry("method", "methods").entries()
    assert not (foreign / "methods-code.py").exists()


def test_a_folder_without_code_of_its_own_is_no_package_of_ours(foreign):
    (foreign / "bare").mkdir()
    with pytest.raises(ImportError, match="package 'bare'"):
        Registry("thing", "bare").entries()


def test_a_package_that_is_nowhere_is_said(foreign):
    with pytest.raises(ImportError, match="package 'no_such_room' is nowhere"):
        Registry("thing", "no_such_room").entries()


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A package of this project's, as far as the registry can tell, with the modules that a test gives it."""
    monkeypatch.setattr(registry_module, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(registry_module, "left_out", [])
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**modules: str) -> Registry:
        name = f"room{os.urandom(4).hex()}"
        (tmp_path / name).mkdir()
        for module, text in modules.items():
            (tmp_path / name / f"{module}.py").write_text(text)
        (tmp_path / name / "__init__.py").write_text("from datasets.registry import Registry\n")
        things: Registry = Registry("thing", name, f"group.{name}")
        monkeypatch.setattr(importlib.import_module(name), "things", things, raising=False)
        return things

    return make


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit('no')", "SystemExit: no"),
        ("raise OSError(5, 'bad disk')", "OSError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_and_the_others_are_there(room, bad, said):
    half = "import sys\nthings = sys.modules[__name__.partition('.')[0]].things\nthings.add('{}', object())\n"
    things = room(a=half.format("first"), b=half.format("half") + bad, c=half.format("last"))
    assert list(things.entries()) == ["first", "last"]
    (problem,) = registry_module.left_out
    assert problem.startswith(f"{things.package}/b: {said}")
    assert things.get("first") and len(registry_module.left_out) == 1


def test_a_plug_in_that_cannot_be_imported_is_named(room, monkeypatch):
    things = room()
    point = EntryPoint("mine", "no_such_plug_in:Method", things.group)
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [point])
    assert things.entries() == {}
    assert registry_module.left_out == [
        "thing plug-in 'mine' (no_such_plug_in:Method): ModuleNotFoundError: No module named 'no_such_plug_in'"
    ]
