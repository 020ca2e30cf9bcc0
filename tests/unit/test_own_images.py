"""Two folders of one last name stay two: in keys, labels, tables, figures, comparisons, reports, exports, bundles."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import outlines
from benchmark.estimate import Costs
from benchmark.outlines import load_outline
from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.base import get_dataset, tell_apart
from datasets.bundle import export as export_bundle
from datasets.bundle import read_bundle
from datasets.registry import BadInput
from results.compare import accuracies_of, comparison_json, comparison_text, mean_accuracies
from results.exchange import export
from results.index import Records, load_records
from results.outline import Outline
from results.panels import panels_of
from results.records import dataset_id, write_record
from results.report import make_page, render
from results.states import read_failure
from results.stores import Stores
from results.tables import fill_table
from results.verdict import judge_study

METHODS = ("baseline", "mixup")


@pytest.fixture
def folders(tmp_path: Path, draw_tree) -> list[Path]:
    return [draw_tree(tmp_path / place / "mine", seed) for seed, place in enumerate(("one", "two"))]


@pytest.fixture
def selection(folders) -> Selection:
    return Selection(datasets=tuple(f"folder:{path}" for path in folders), methods=METHODS, samples_per_class=(2, 3))


@pytest.fixture
def outline(selection) -> Outline:
    return load_outline("demo", selection)


@pytest.fixture
def runs(selection) -> list[Run]:
    return list(load_grid("demo", selection).runs())


@pytest.fixture
def records(runs, store, make_record) -> Records:
    """Every run has an accuracy of its own: 1%, 2%, 3%, ..."""
    for number, run in enumerate(runs, 1):
        write_record(store / run.path, make_record(run, float(number)))
    return load_records([store])


@pytest.fixture
def ids(folders) -> list[str]:
    return [f"folder@{get_dataset(f'folder:{path}').identity['content']}" for path in folders]


@pytest.mark.parametrize(
    ("paths", "tails"),
    [
        (["/a/mine"], ["mine"]),
        (["/a/mine", "/b/mine"], ["a/mine", "b/mine"]),
        (["/a/x/mine", "/b/x/mine", "/b/other"], ["a/x/mine", "b/x/mine", "other"]),
        (["/mine", "/a/mine"], ["/mine", "a/mine"]),
        (["mine", "a/mine"], ["mine", "a/mine"]),
        (["/a/mine", "/b/mine", "/c/x/mine", "/c/y/mine"], ["a/mine", "b/mine", "x/mine", "y/mine"]),
        (["/a/mine", "/a/mine"], ["mine"]),
        ([], []),
    ],
)
def test_paths_are_as_long_as_it_takes_to_tell_them_apart(paths, tails):
    assert list(tell_apart(paths).values()) == tails


def test_one_folder_is_known_by_its_last_part(folders):
    outline = load_outline("demo", Selection(datasets=(f"folder:{folders[0]}",), methods=METHODS))
    assert {cell.dataset_label for cell in outline.cells} == {"Folder mine"}


def test_a_table_has_rows_of_each_under_labels_that_differ(outline, records, ids):
    table = fill_table(outline, records)
    first, second = 1.0, 1.0 + len(METHODS) * 2 * len(outline.seeds)
    mean = (len(outline.seeds) - 1) / 2
    text = table.render("text")
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("Folder ")] == [
        ["Folder", "one/mine"],
        ["Folder", "two/mine"],
    ]
    assert f"{first + mean:.2f} ±" in text and f"{second + mean:.2f} ±" in text
    assert table.render("latex").count(r"\multirow{2}") == 2
    assert all(f"Folder {place}/mine is {name}." in text for place, name in zip(("one", "two"), ids, strict=True))
    for form in ("csv", "json"):
        rendered = table.render(form)
        lines = json.loads(rendered) if form == "json" else list(csv.DictReader(io.StringIO(rendered)))
        assert [line["dataset"] for line in lines] == [ids[0]] * 4 + [ids[1]] * 4


def test_a_figure_has_a_panel_of_each(outline, records):
    panels = panels_of(outline, records)
    assert [panel.title for panel in panels] == ["Folder one/mine", "Folder two/mine"]
    assert [[point.x for point in line] for panel in panels for line in panel.lines.values()] == [[2, 3]] * 4


def test_a_bar_chart_has_bars_of_each(selection, records):
    (panel,) = panels_of(load_outline("demo", replace(selection, samples_per_class=(2,))), records)
    assert [point.x for point in panel.lines["MixUp"]] == ["Folder one/mine", "Folder two/mine"]


def test_a_comparison_pairs_within_each(outline, records, ids):
    found = accuracies_of(outline, records)
    assert sorted(set(mean_accuracies(found).index.get_level_values(0))) == sorted(ids)
    assert {cell["dataset"] for cell in json.loads(comparison_json(outline, found))["cells"]} == set(ids)
    lines = comparison_text(outline, found).splitlines()
    assert [sum(line.startswith(f"Folder {place}/mine ") for line in lines) for place in ("one", "two")] == [2, 2]


def test_one_content_under_two_paths_is_not_counted_twice(folders, records, draw_tree):
    """The second folder gets the images of the first: their runs are the same runs."""
    draw_tree(folders[1], 0)
    get_dataset(f"folder:{folders[1]}").refresh()
    selection = Selection(datasets=tuple(f"folder:{path}" for path in folders), methods=METHODS, samples_per_class=(2,))
    assert len(mean_accuracies(accuracies_of(load_outline("demo", selection), records))) == 1


def test_a_verdict_names_each(outline, records, ids):
    verdict = judge_study(outline, records)
    assert {cell.dataset for cell in verdict.cells} == {cell["dataset"] for cell in verdict.as_json()["cells"]}
    assert {cell.dataset for cell in verdict.cells} == set(ids)
    assert {cell.dataset_shown for cell in verdict.cells} == {"Folder one/mine", "Folder two/mine"}


def test_a_report_filters_by_each(outline, records, store, ids, tmp_path):
    page = make_page([outline], Stores(store, alone=True), records, tmp_path)
    assert page.datasets == sorted(ids)
    assert {run["dataset"] for run in page.runs} == {row["dataset"] for row in page.sections[0].rows} == set(ids)
    assert {run["shown"] for run in page.runs} == {"Folder one/mine", "Folder two/mine"}
    html = render(page)
    for name, place in zip(ids, ("one", "two"), strict=True):
        assert f'<option value="{name}">Folder {place}/mine</option>' in html


def test_an_export_tells_them_apart(records, ids, runs):
    lines = list(csv.DictReader(io.StringIO(export(records, "csv", []).decode())))
    expected = {run.key: dataset_id(run.identity["dataset"]) for run in runs}
    assert {line["key"]: line["dataset"] for line in lines} == expected
    assert set(expected.values()) == set(ids)


def test_a_failure_names_its_images(runs, store, ids):
    from benchmark.job import record_failure

    record_failure(runs[0], store, "broken", "")
    assert read_failure(store).dataset == ids[0]


def test_times_of_one_folder_help_to_estimate_another(records, runs):
    seconds, guessed = Costs(records, [], "cpu").seconds(runs[0])
    assert seconds > 0 and not guessed


def test_a_bundle_has_both_and_says_what_they_are_called(folders, selection, runs, tmp_path, monkeypatch):
    sets = [get_dataset(name) for name in selection.datasets]
    assert export_bundle([*sets, sets[0]], (2, 3), (0, 1), True, tmp_path / "b.npz") == [
        "folder:one/mine",
        "folder:two/mine",
    ]
    held = read_bundle(tmp_path / "b.npz")
    assert [dataset.identity for dataset in held.values()] == [dataset.identity for dataset in sets]
    monkeypatch.setenv("HYDRABENCH_BUNDLE", str(tmp_path / "b.npz"))
    there = replace(selection, datasets=("folder:one/mine", "folder:two/mine"))
    assert [run.key for run in load_grid("demo", there).runs()] == [run.key for run in runs]
    with pytest.raises(BadInput, match=r"unknown dataset in .*b.npz: 'folder:mine'; did you mean folder:\w+/mine or"):
        get_dataset("folder:mine")


def test_one_folder_by_two_names_is_one_dataset(folders, monkeypatch):
    monkeypatch.chdir(folders[0].parent)
    names = ("folder:mine", f"folder:{folders[0]}", f"folder:{folders[0]}/../mine")
    assert len({get_dataset(name) for name in names}) == 1
    assert len(load_grid("demo", Selection(datasets=names, methods=METHODS)).cells) == len(
        load_grid("demo", Selection(datasets=names[:1], methods=METHODS)).cells
    )


def test_labels_that_two_methods_share_get_their_names_too(monkeypatch):
    monkeypatch.setattr("methods.registry.label_method", lambda method: "Mine")
    cells = [SimpleNamespace(row=row, method=None) for row in ("one", "two", "two")]
    assert outlines._labels(SimpleNamespace(cells=cells)) == {"one": "Mine (one)", "two": "Mine (two)"}
