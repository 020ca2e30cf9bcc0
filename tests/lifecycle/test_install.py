"""What pip says to the installations that a stranger tries."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what an installation reads, which may be written to."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    for name in (".build", "benchmark", "datasets", "hydrabench", "methods", "slurm"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = shutil.ignore_patterns("__pycache__", "measured", "records", "report", "tables", "figures")
    shutil.copytree(CHECKOUT / "results", copy / "results", ignore=code)
    return copy


def test_a_plain_install_is_refused_and_writes_nothing(checkout, tmp_path):
    answer = _pip("install", "--target", str(tmp_path / "site"), str(checkout))
    assert answer.returncode == 1
    assert "[1 lines of output]" in answer.stderr
    assert "a plain install would write its `datasets` over Hugging Face's" in answer.stderr
    assert not (tmp_path / "site" / "datasets").exists()


def test_an_editable_install_gives_the_command(checkout, tmp_path):
    answer = _pip("install", "--prefix", str(tmp_path / "site"), "-e", str(checkout))
    assert answer.returncode == 0, answer.stderr
    (command,) = (tmp_path / "site").rglob("bin/hydrabench")
    (packages,) = {path.parent for path in (tmp_path / "site").rglob("*hydrabench*.dist-info")}
    assert not (packages / "datasets").exists()
    started = f"import site, runpy; site.addsitedir({str(packages)!r}); runpy.run_path({str(command)!r})"
    where = f"{started}; import benchmark; print(benchmark.__file__)"
    there = subprocess.run([sys.executable, "-S", "-c", where], cwd=tmp_path, capture_output=True, text=True)
    assert there.stdout.strip() == str(checkout / "benchmark" / "__init__.py"), there.stderr


def _pip(*arguments: str) -> subprocess.CompletedProcess:
    """pip with this environment's setuptools, so that nothing is downloaded."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    quiet = ["--no-deps", "--no-build-isolation", "--ignore-installed", "--no-index"]
    return subprocess.run([*command, *quiet], capture_output=True, text=True, env={**os.environ, "PIP_USER": "0"})
