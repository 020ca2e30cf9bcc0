"""People's own images in the report: their tables come first, from the records alone."""

import pytest

from benchmark.outlines import load_outline
from benchmark.own_images import outlines_of_own
from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.records import write_record
from results.report import make_page, render
from results.stores import Stores


@pytest.fixture
def selection(tmp_path, draw_tree):
    folder = draw_tree(tmp_path / "my flowers", 0)
    return Selection(
        datasets=(f"folder:{folder}",), methods=("baseline", "mixup"), samples_per_class=(2, 3), seeds=(0, 1)
    )


@pytest.fixture
def runs(selection) -> list[Run]:
    return list(load_grid("demo", selection).runs())


@pytest.fixture
def keep(store, make_record):
    def write(runs, images=True):
        for run in runs:
            made = make_record(run, 40.0 + 10 * (run.row == "mixup"))
            write_record(store / run.path, made.model_copy(update={"images": run.dataset.text if images else ""}))
        return Stores(store, alone=True).records()

    return write


def test_a_table_of_what_is_measured(keep, runs):
    (outline,) = outlines_of_own(keep(runs[:-1]), ())
    assert outline.title.startswith("Your own images: Folder my flowers (")
    assert (outline.preset, outline.seeds, outline.note) == ("demo", (0, 1), "")
    assert {cell.method_label for cell in outline.cells} == {"Baseline", "MixUp"}
    assert sorted(key for key in outline.keys if key) == sorted(run.key for run in runs[:-1])
    assert all(len(cell.keys) == 2 for cell in outline.cells)
    assert outline.command("run") == (
        f"hydrabench run table1 --preset demo --dataset '{runs[0].dataset.text}' --method baseline,mixup "
        "--samples-per-class 2,3 --seeds 0,1"
    )


def test_older_records_tell_no_folder(keep, runs):
    (outline,) = outlines_of_own(keep(runs, images=False), ())
    assert outline.title == f"Your own images: Folder {runs[0].dataset.identity['content'][:8]}"


def test_what_a_study_shows_is_not_shown_twice(keep, runs):
    assert outlines_of_own(keep(runs), [run.key for run in runs]) == []


def test_two_protocols_of_one_method_are_two_tables(keep, runs, selection):
    others = Selection(**{**vars(selection), "settings": ("protocol.epochs=1",)})
    keep(runs)
    outlines = outlines_of_own(keep(load_grid("demo", others).runs()), ())
    assert len(outlines) == 2 and {outline.note for outline in outlines} >= {"Protocols differ: epochs 1."}
    assert not set(outlines[0].keys) & set(outlines[1].keys)
    (changed,) = [outline for outline in outlines if outline.settings]
    assert changed.note == "Protocols differ: epochs 1."
    assert changed.command("run").endswith("--set=protocol.epochs=1")


def test_the_report_opens_with_them(keep, runs, store, tmp_path):
    records = keep(runs)
    page = make_page(
        [load_outline("table1", Selection()), *outlines_of_own(records, ())],
        Stores(store, alone=True),
        records,
        tmp_path,
    )
    first = page.sections[0]
    alone = make_page([load_outline("table1", Selection())], Stores(store, alone=True), records, tmp_path)
    assert page.headline.measured == alone.headline.measured != ""
    assert first.own and first.coverage == {"done": len(runs)}
    assert [page.cells[number]["best"] for row in first.rows for number in row["cells"]] == [False, False, True, True]
    assert "Your own images: Folder my flowers" in render(page)
