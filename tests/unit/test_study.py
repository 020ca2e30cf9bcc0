"""Studies and selectors: the paper's cells, no more and no fewer."""

import pytest

from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from datasets.registry import BadInput
from methods.cutout import Cutout


def cells_of(grid) -> list[tuple[str, str, int]]:
    return [(cell.dataset.text, cell.row, cell.samples_per_class) for cell in grid.cells]


@pytest.mark.parametrize("name", study_names())
def test_all_keys_of_a_study_differ(name):
    keys = [run.key for run in load_grid(name).runs()]
    assert len(keys) == len(set(keys))


def test_any_spelling_of_a_name_gives_the_same_grid_under_its_own_name():
    odd, plain = (
        load_grid("Chimeramix_Figure6", Selection(preset="QUICK")),
        load_grid("chimeramix-figure6", Selection("quick")),
    )
    assert odd == plain
    assert {run.preset for run in odd.runs()} == {"quick"}


def test_a_stand_in_takes_its_place_and_what_the_paper_leaves_out_stays_out():
    selection = Selection(
        datasets=("cifar10-dedup", "stl10-part"), methods=("baseline", "supermix"), samples_per_class=(5,)
    )
    grid = load_grid("table1", selection)
    assert cells_of(grid) == [("cifar10-dedup", "baseline", 5), ("stl10-part", "baseline", 5)]
    assert [cell.published_dataset for cell in grid.cells] == ["cifair10", "stl10"]
    assert grid.left_out == ("supermix on cifar10-dedup at 5 per class", "supermix on stl10-part at 5 per class")


def test_what_a_method_says_against_a_dataset_stands_with_what_is_left_out():
    selection = Selection(datasets=("stl10",), methods=("scattering",), samples_per_class=(5,))
    (combination,) = load_grid("table1", selection).left_out
    assert combination.startswith("scattering on stl10 at 5 per class (")
    assert "96 pixels are not in the paper; scattering(large=true) runs it" in combination


def test_other_datasets_methods_and_sizes_replace_an_axis():
    selection = Selection(datasets=("digits",), methods=("cutout(length=4)",), samples_per_class=(3, 7), seeds=(5, 6))
    grid = load_grid("table1", selection)
    assert cells_of(grid) == [("digits", "cutout(length=4)", 3), ("digits", "cutout(length=4)", 7)]
    assert [run.seed for run in grid.runs()] == [5, 6, 5, 6]
    assert {cell.published_dataset for cell in grid.cells} == {None}


def test_a_seed_given_twice_counts_once():
    assert load_grid("demo", Selection(seeds=(0, 1, 1))).seeds == (0, 1)


def test_unavailable_methods_have_no_runs(monkeypatch):
    monkeypatch.setattr(Cutout, "available", False)
    grid = load_grid("table1", Selection(methods=("cutout",), datasets=("cifair100",)))
    assert len(grid.cells) == 6
    assert list(grid.runs()) == []


def test_set_changes_the_named_method_only_and_enters_the_key():
    plain = {cell.row: cell.runs[0].key for cell in load_grid("demo", Selection(seeds=(0,))).cells}
    changed = load_grid("demo", Selection(seeds=(0,), settings=("cutout.length=4",)))
    keys = {cell.row: cell.runs[0].key for cell in changed.cells}
    assert "cutout(length=4)" in keys
    assert {row for row in keys if keys[row] != plain.get(row)} == {"cutout(length=4)"}


def test_set_protocol_changes_every_key():
    before = {run.key for run in load_grid("demo").runs()}
    after = {run.key for run in load_grid("demo", Selection(settings=("protocol.epochs=10",))).runs()}
    assert not before & after
    assert len(before) == len(after)


def test_rows_that_set_makes_equal_are_one():
    selection = Selection(methods=("cutout", "cutout(length=4)"), samples_per_class=(5,), settings=("cutout.length=8",))
    assert cells_of(load_grid("demo", selection)) == [("digits", "cutout(length=8)", 5)]


def test_set_reaches_into_a_composition():
    grid = load_grid(
        "demo", Selection(methods=("mixup+autoaugment",), settings=("mixup.alpha=0.5", "autoaugment.policy=svhn"))
    )
    assert grid.cells[0].row == "mixup(alpha=0.5)+autoaugment(policy=svhn)"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("protocol.epoch=1", "did you mean epochs"),
        ("cutout.lenght=1", "did you mean length"),
        ("cutuot.length=1", "did you mean cutout"),
        ("mixup.alpha=1", "unknown method in this grid"),
        ("baseline.length=1", "it has none"),
        ("epochs=1", "expected protocol.field=value"),
        ("cutout.length=-1", "greater than or equal to 1"),
    ],
)
def test_set_that_nothing_has_is_refused(setting, message):
    with pytest.raises(BadInput, match=message):
        load_grid("demo", Selection(methods=("baseline", "cutout"), settings=(setting,)))


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(datasets=("cifar11",)), "unknown dataset 'cifar11'; did you mean"),
        (Selection(methods=("mixpu",)), "did you mean mixup"),
        (Selection(preset="papr"), "did you mean paper"),
    ],
)
def test_unknown_names_suggest(selection, message):
    with pytest.raises(BadInput, match=message):
        load_grid("table1", selection)


def test_unknown_study_suggests():
    with pytest.raises(BadInput, match="did you mean table1"):
        load_grid("tabel1")
