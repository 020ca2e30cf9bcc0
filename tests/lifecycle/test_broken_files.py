"""One malformed study or preset takes nothing else down: it is named, and the rest is shown."""

import shutil

import pytest
from click.testing import CliRunner

from benchmark import protocol, selection, study
from benchmark.cli import cli, listing, results


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Copies of the suite's studies and presets, with a malformed one beside them."""
    folders = {name: shutil.copytree(getattr(selection, name), tmp_path / name) for name in ("STUDIES", "PRESETS")}
    for folder in folders.values():
        (folder / "mine.yaml").write_text("title: [\n")
    for module in (selection, study, protocol):
        for name, folder in folders.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, folder)
    caches = (study.load_study, protocol.load_preset)
    for cache in caches:
        cache.cache_clear()
    yield folders
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("what", ["studies", "presets"])
def test_list_shows_the_others(broken, what):
    answer = CliRunner().invoke(cli, ["list", what])
    assert answer.exit_code == 0
    assert "table1" in answer.stdout or "quick" in answer.stdout
    assert answer.stderr.count("left out: ") == 1
    assert f"{broken[what.upper()]}/mine.yaml:2: not YAML" in answer.stderr


@pytest.mark.parametrize(
    "arguments", [["tables"], ["figures"], ["verdict"], ["verdict", "--format", "markdown"], ["report"]]
)
def test_verbs_over_all_studies_go_on_without_it(broken, arguments, tmp_path, store, monkeypatch):
    kept = ("mine", "demo", "figure8")
    monkeypatch.setattr(results, "study_names", lambda: kept)
    monkeypatch.setattr(listing, "study_names", lambda: kept)
    output = ["-o", str(tmp_path / "out")] if arguments != ["tables"] else []
    answer = CliRunner().invoke(cli, [*arguments, *output, "--results", str(store), "--ignore-measured"])
    assert answer.exit_code in (0, 3), answer.stderr
    assert answer.stderr.count("left out: ") == 1
    assert "mine.yaml" in answer.stderr


def test_a_malformed_study_that_is_asked_for_is_an_error(broken, store):
    answer = CliRunner().invoke(cli, ["tables", "mine", "--results", str(store)])
    assert "mine.yaml:2: not YAML" in str(answer.exception)
