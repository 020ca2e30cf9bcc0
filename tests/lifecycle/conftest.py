"""Programs that stand in for Slurm's."""

from pathlib import Path

import pytest


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts a program on PATH that prints a text, or fails with one; it leaves its arguments beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, text: str, status: int = 0) -> Path:
        (folder / f"{name}.txt").write_text(text)
        stream = "" if status == 0 else " >&2"
        program = f'#!/bin/sh\necho "$@" >> {folder}/{name}.log\ncat {folder}/{name}.txt{stream}\nexit {status}\n'
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)
        return folder / f"{name}.log"

    return put
