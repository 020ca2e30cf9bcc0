"""What README and results/MEASURED.md claim is true: quoted parts, counts of cells, code, what is not here yet."""

import ast
import re
import shlex

import pytest
import torch
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.outlines import outlines_with_records
from benchmark.selection import study_names
from benchmark.study import load_grid, load_study
from datasets.paths import METHODS_FOLDERS
from methods.registry import registry
from results import printed
from results.aggregate import PUBLISHED
from results.files import CHECKOUT, MEASURED
from results.index import load_records
from results.printed import renewed
from results.reproduction import coverage

README = (CHECKOUT / "README.md").read_text()


@pytest.fixture
def _in_this_process(monkeypatch):
    """Quoted commands run without a process each."""

    def said(arguments: list[str]) -> str:
        done = CliRunner().invoke(cli, [*arguments, "--results", str(MEASURED)])
        assert done.exit_code == 0, (shlex.join(arguments), done.output)
        return done.stdout

    monkeypatch.setattr(printed, "_said", said)


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("name", ["README.md", "results/MEASURED.md"])
def test_what_is_quoted_is_what_the_records_give(name):
    """After a change of records or wording: make reproduction."""
    text = (CHECKOUT / name).read_text()
    assert renewed(text) == text
    assert text.count("<!-- end -->") == len(re.findall(r"<!-- (printed by|line of)", text)) > 0


def test_the_first_screen_says_how_much_is_measured_at_the_papers_preset():
    records = load_records([MEASURED])
    sentence = coverage([outlines_with_records(name, records) for name in study_names()], records).sentence()
    assert sentence in README.splitlines()[:35]


def test_a_stranger_reads_it_in_five_minutes():
    assert len(README.splitlines()) <= 220
    assert len(README.split()) <= 2000
    assert "python -m benchmark" not in README


def test_the_studies_are_all_there_with_their_cells():
    rows = dict(re.findall(r"^\| (`[^|]+) \|[^|]+\| ([\d, ]+) \|", README, re.MULTILINE))
    found = {
        name: int(cells)
        for names, counts in rows.items()
        for name, cells in zip(re.findall(r"`([^`]+)`", names), counts.split(", "), strict=True)
    }
    assert found == {name: len(load_study(name).cells()) for name in study_names()}


def test_what_lacks_something_is_named(monkeypatch, tmp_path):
    """Every published file has a study, and the table names the studies that plan calls unavailable without weights of
    one's own, and ImageNet, which nobody may download."""
    for name in METHODS_FOLDERS:  # with which more would be here
        monkeypatch.delenv(name, raising=False)
    for name in ("DATA_ROOT", "WEIGHTS_ROOT"):
        monkeypatch.setenv(name, str(tmp_path))
    begin, end = README.index("| of the paper |"), README.index("After `make setup`")
    named = {
        f"{kind.lower()}{number}"
        for kind, numbers in re.findall(r"^\| HydraMix (Table|Figure)s? ([\d, and]+)", README[begin:end], re.M)
        for number in re.findall(r"\d+", numbers)
    }
    grids = {name: load_grid(name) for name in study_names()}
    lacking = {name for name, grid in grids.items() if grid.missing or any(run.missing for run in grid.runs())}
    assert named == lacking | {"table3"}
    assert {path.name for path in PUBLISHED.glob("*.csv")} <= {grid.study.published for grid in grids.values()}


def test_the_code_in_it_runs():
    """The method is registered under its name and does what its docstring says; the other block gives a loss."""
    method, use = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    try:
        names: dict = {}
        exec(compile(ast.parse(method), "README.md", "exec"), names)
        images = torch.zeros(2, 3, 8, 8)
        changed = names["Noise"](strength=0.5).augment(images, torch.Generator().manual_seed(0))
        assert changed.std() == pytest.approx(0.5, abs=0.1)
    finally:
        registry.entries().pop("noise", None)
    names = {}
    exec(compile(ast.parse(use), "README.md", "exec"), names)
    assert names["mixed"].shape == (8, 3, 32, 32) and names["targets"].shape == (8, 10)
    assert names["loss"].isfinite()
