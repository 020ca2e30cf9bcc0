"""A registry fills itself from this project's own packages and from nothing else by their names."""

import importlib
import sys
from pathlib import Path

import pytest

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
