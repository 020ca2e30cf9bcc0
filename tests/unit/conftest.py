"""No processes; data roots for the tests of datasets: an empty one, and the real images where there are any."""

import multiprocessing.process
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets.base import _make_dataset, data_root

SETS = ("cifar10", "cifar100", "stl10")
STARTS = (
    (subprocess.Popen, "__init__"),
    (multiprocessing.process.BaseProcess, "start"),
    *((os, name) for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")),
)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds the real images; skips the test where there are none."""
    root = data_root()
    needed = ["load.py", *(f"{name}/{file}" for name in SETS for file in ("meta.json", "labels.npz"))]
    if missing := [name for name in needed if not (root / name).exists()]:
        pytest.skip(f"needs real images: {root} lacks {missing[0]} (set DATA_ROOT)")
    return root


@pytest.fixture
def empty_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data root of the test's own, and no dataset object that remembers another one."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("DATA_ROOT", str(root))
    _make_dataset.cache_clear()
    yield root
    _make_dataset.cache_clear()


@pytest.fixture
def real_sheets(real_data: Path, empty_root: Path) -> Path:
    """A data root with the real tile sheets and nothing that `data prepare` may have put beside them."""
    for name in SETS:
        (empty_root / name).symlink_to(real_data / name, target_is_directory=True)
    return empty_root


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test starts no process: one that needs any belongs to tests/lifecycle.

    matplotlib alone may: it asks fc-list for fonts when it is first imported.
    """

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("tests/unit starts no process: move this test to tests/lifecycle")

    def refuse_but_for_fonts(self: subprocess.Popen, command: Any = (), *more: Any, **named: Any) -> None:
        (popen if command[:1] == ["fc-list"] else refuse)(self, command, *more, **named)

    popen = subprocess.Popen.__init__
    for owner, name in STARTS:
        monkeypatch.setattr(owner, name, refuse_but_for_fonts if owner is subprocess.Popen else refuse)
