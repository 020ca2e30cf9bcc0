"""Figures: what is drawn where, from planted records; not how it looks."""

import math

import numpy as np
import pytest

from benchmark.outlines import load_outline
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from datasets.registry import BadInput
from results.canvas import COLOURS, save
from results.figures import draw, write_figure
from results.index import Records
from results.panels import panels_of
from results.records import write_record
from results.stores import Stores
from results.tables import caption_of


@pytest.fixture
def panels(store, make_record):
    """Plants records of a study by a function of its cell and seed, and lays out its figure."""

    def lay_out(name: str, top1, **axes: object):
        selection = Selection(**axes)
        for cell in load_grid(name, selection).cells:
            for run in cell.runs:
                write_record(store / run.path, make_record(run, top1(cell, run.seed)))
        records = Stores(store, alone=True).records()
        outline = load_outline(name, selection)
        return panels_of(outline, records), caption_of(outline, records)

    return lay_out


def test_a_table_is_drawn_over_samples_per_class_with_the_papers_numbers(panels):
    found, caption = panels(
        "table1",
        lambda cell, seed: cell.samples_per_class / 2 + seed,
        datasets=("cifair10",),
        methods=("baseline", "mixup"),
        samples_per_class=(5, 10),
        seeds=(0, 1, 2),
    )
    (panel,) = found
    assert (panel.title, panel.x_label, panel.y_label) == ("ciFAIR-10", "samples per class", "test accuracy (%)")
    assert list(panel.lines) == ["Baseline", "MixUp"]
    first, second = panel.lines["Baseline"]
    assert (first.x, first.mean, first.std, first.published, first.published_std) == (5, 3.5, 1.0, 31.37, 3.28)
    assert (second.x, second.mean) == (10, 6.0)
    axes = draw(found, "title", caption).axes[0]
    ours, paper = axes.lines[0], axes.lines[1]
    np.testing.assert_allclose(ours.get_xydata(), [[5, 3.5], [10, 6]])
    np.testing.assert_allclose(paper.get_xydata(), [[5, 31.37], [10, 38.09]])
    assert (ours.get_linestyle(), paper.get_linestyle()) == ("-", "--")
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (2.5, 7.0)


def test_figure_4_has_a_bar_per_method_and_dataset(panels):
    (panel,), caption = panels("figure4", lambda cell, seed: 20.0 + seed, seeds=(0, 1))
    assert panel.bars
    assert len(panel.lines) == 6
    axes = draw([panel], "title", caption).axes[0]
    assert len([bar for bar in axes.patches if not math.isnan(bar.get_height())]) == 18
    assert [text.get_text() for text in axes.get_xticklabels()] == ["ciFAIR-10", "STL-10", "ciFAIR-100"]


def test_figure_5_is_over_p_gen_with_a_line_per_dataset(panels):
    (panel,), _ = panels("figure5", lambda cell, seed: 30.0, seeds=(0, 1))
    assert list(panel.lines) == ["ciFAIR-10", "STL-10", "ciFAIR-100"]
    assert [point.x for point in panel.lines["STL-10"]] == pytest.approx([i / 10 for i in range(11)])
    assert panel.mark == 0.5
    assert panel.lines["ciFAIR-10"][5].published == 39.05


def test_figure_6_is_relative_to_the_original_size(panels):
    (panel,), _ = panels("figure6", lambda cell, seed: 20.0 if "size=32" in cell.row else 21.0, seeds=(0, 1))
    line = panel.lines["ciFAIR-10"]
    assert [(point.x, point.mean) for point in line] == [(32, 100), (64, 105), (96, 105), (128, 105)]
    assert "relative" in panel.y_label
    assert [point.x for point in panel.lines["STL-10"]] == [96, 144, 192]


def test_chimeramix_figure_6_has_a_panel_per_mask_and_a_line_per_number_of_blocks(panels):
    found, _ = panels("chimeramix-figure6", lambda cell, seed: 40.0, seeds=(0,))
    assert [panel.title for panel in found] == ["chimeramix-grid", "chimeramix-seg"]
    assert list(found[0].lines) == ["2 blocks", "4 blocks", "6 blocks", "8 blocks"]
    for line in found[0].lines.values():
        assert [point.x for point in line] == [0, 0.25, 0.5, 0.75, 1]


def test_over_a_parameter_no_line_joins_two_datasets_or_two_sizes(panels, draw_tree, tmp_path):
    mine = [f"folder:{draw_tree(tmp_path / place / 'mine', seed)}" for seed, place in enumerate("ab")]
    axes = {"datasets": (mine[0], mine[1]), "samples_per_class": (1, 2), "seeds": (0,)}
    for name, titles, lines in (
        ("chimeramix-figure6", "chimeramix-grid, Folder {}/mine, {} per class", None),
        ("figure5", "", "Folder {}/mine, {} per class"),
    ):
        found, _ = panels(name, lambda cell, seed: float(cell.samples_per_class), **axes)
        expected = [(titles or lines).format(place, size) for place in "ab" for size in (1, 2)]
        shown = [panel.title for panel in found] if titles else list(found[0].lines)
        assert [one for one in shown if "seg" not in one] == expected
        for line in [line for panel in found for line in panel.lines.values()]:
            assert len({point.x for point in line}) == len(line) and len({point.mean for point in line}) == 1


def test_a_row_that_leaves_a_parameter_out_stands_at_its_default(panels):
    """Figure 8's row hydramix(noise=0.0) is plain hydramix, and so is any that --method names without it."""
    (panel,), _ = panels("figure8", lambda cell, seed: 30.0, methods=("hydramix", "hydramix(noise=0.5)"), seeds=(0,))
    assert [point.x for point in panel.lines["STL-10"]] == [0.0, 0.5]


@pytest.mark.parametrize("name", study_names())
def test_a_figures_axes_are_parameters_of_its_methods(name):
    outline = load_outline(name, Selection())
    if outline.figure is not None:
        for cell in outline.cells:
            assert {outline.figure.parameter, outline.figure.line or outline.figure.parameter} <= set(cell.parameters)


@pytest.mark.parametrize("name", study_names())
def test_every_study_has_a_figure_of_its_published_numbers_or_says_why_not(name, tmp_path):
    outline = load_outline(name, Selection())
    if outline.published is None:
        with pytest.raises(BadInput, match=f"run {name}"):
            write_figure(outline, Records(), tmp_path)
    else:
        pdf, png = write_figure(outline, Records(), tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF")
        assert png.read_bytes().startswith(b"\x89PNG")


def test_a_label_looks_the_same_in_every_panel():
    found = panels_of(load_outline("table1", Selection()), Records())
    figure = draw(found, "title", "caption")
    legend = {text.get_text(): line.get_color() for text, line in _entries(figure)}
    for panel, axes in zip(found, figure.axes, strict=True):
        assert [line.get_color() for line in axes.lines[::2]] == [legend[label] for label in panel.lines]
    assert set(legend.values()) - {"0.3"} <= set(COLOURS)


def _entries(figure):
    (legend,) = figure.legends
    return zip(legend.get_texts(), legend.get_lines(), strict=True)


def test_equal_content_gives_equal_files_and_hostile_text_is_text(tmp_path):
    found = panels_of(load_outline("table5", Selection()), Records())
    for name in "ab":
        save(draw(found, "$\\frac{1}{0}$ _x_ \\input", "$"), tmp_path / f"{name}.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
