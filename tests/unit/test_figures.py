"""Figures: what is drawn where, from planted records; not how it looks."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.outlines import load_outline
from benchmark.selection import Selection, study_names
from benchmark.study import load_grid
from datasets.registry import BadInput
from results.canvas import WIDTHS, save
from results.captions import figure_caption
from results.compare import accuracies_of, comparison_text
from results.figures import write_figure
from results.files import MEASURED
from results.index import Records
from results.looks import looks_of
from results.panels import printed_panels
from results.plots import draw
from results.records import write_record
from results.stores import Stores
from results.tables import fill_table


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
        found = printed_panels(outline, records)
        return found, figure_caption(outline, records, found)

    return lay_out


def test_a_table_is_drawn_over_samples_per_class_with_the_papers_numbers(panels):
    found, caption = panels(
        "table1",
        lambda cell, seed: cell.samples_per_class / 2 + seed,
        datasets=("cifair10",),
        methods=("baseline", "mixup"),
        samples_per_class=(5, 10, 20),
        seeds=(0, 1, 2),
    )
    (panel,) = found
    assert (panel.title, panel.x_label, panel.y_label) == ("ciFAIR-10", "samples per class", "test accuracy (%)")
    assert list(panel.lines) == ["Baseline", "MixUp"]
    first, second, third = panel.lines["Baseline"]
    assert (first.x, first.mean, first.std, first.published, first.published_std) == (5, 3.5, 1.0, 31.37, 3.28)
    assert (second.x, second.mean) == (10, 6.0)
    axes = draw(found).axes[0]
    paper, ours = axes.lines[0], axes.lines[1]
    np.testing.assert_allclose(ours.get_xydata(), [[5, 3.5], [10, 6], [20, 11]])
    np.testing.assert_allclose(paper.get_xydata(), [[5, 31.37], [10, 38.09], [20, third.published]])
    assert (ours.get_markerfacecolor(), paper.get_markerfacecolor()) == (ours.get_color(), "w")
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (2.5, 12.0)
    assert "Filled markers are measured here, hollow ones the paper's numbers." in caption


def test_one_or_two_sizes_have_a_row_of_dots_for_each_method(panels):
    found, caption = panels("figure4", lambda cell, seed: 20.0 + 2 * seed, seeds=(0, 1, 2))
    assert [panel.title for panel in found] == [
        f"{name}, 5 per class" for name in ("ciFAIR-10", "STL-10", "ciFAIR-100")
    ]
    figure = draw(found)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["GridMix", "SegMix", "NMix", "ChimeraMix+Grid", "ChimeraMix+Seg", "HydraMix"]
    for axes, panel in zip(figure.axes, found, strict=True):
        dots = [line for line in axes.lines if len(line.get_xydata())]
        assert [line.get_xydata()[0, 0] for line in dots[1::2]] == [22.0] * 6
        assert [line.get_xydata()[0, 0] for line in dots[::2]] == [line[0].published for line in panel.lines.values()]
        assert axes.collections[1].get_segments()[0][:, 0].tolist() == [20.0, 24.0]  # ± one standard deviation
    assert "Bars are ± one standard deviation." in caption
    sizes, _ = panels("table1", lambda cell, seed: 20.0, samples_per_class=(5, 50), datasets=("stl10",), seeds=(0,))
    assert [(panel.title, panel.dots) for panel in sizes] == [
        ("STL-10, 5 per class", True),
        ("STL-10, 50 per class", True),
    ]


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
    assert [panel.title for panel in found] == ["ChimeraMix+Grid", "ChimeraMix+Seg"]
    assert list(found[0].lines) == ["2 blocks", "4 blocks", "6 blocks", "8 blocks"]
    for line in found[0].lines.values():
        assert [point.x for point in line] == [0, 0.25, 0.5, 0.75, 1]


def test_over_a_parameter_no_line_joins_two_datasets_or_two_sizes(panels, draw_tree, tmp_path):
    mine = [f"folder:{draw_tree(tmp_path / place / 'mine', seed)}" for seed, place in enumerate("ab")]
    axes = {"datasets": (mine[0], mine[1]), "samples_per_class": (1, 2), "seeds": (0,)}
    for name, titles, lines in (
        ("chimeramix-figure6", "ChimeraMix+Grid, Folder {}/mine, {} per class", None),
        ("figure5", "", "Folder {}/mine, {} per class"),
    ):
        found, _ = panels(name, lambda cell, seed: float(cell.samples_per_class), **axes)
        expected = [(titles or lines).format(place, size) for place in "ab" for size in (1, 2)]
        shown = [panel.title for panel in found] if titles else list(found[0].lines)
        assert [one for one in shown if "Seg" not in one] == expected
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
        pdf, png, text, latex = write_figure(outline, Records(), tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF") and b"/FontFile2" in pdf.read_bytes()  # TrueType
        assert png.read_bytes().startswith(b"\x89PNG")
        what = {"figure3": "CLIP synset entropy, as", "table8": "AP in %, as"}.get(name, "As")
        assert text.read_text().startswith(f"{outline.title}. {what} published.")
        assert rf"{{{name}}}" in latex.read_text() and rf"\label{{fig:{name}}}" in latex.read_text()


PUBLISHED = [name for name in study_names() if load_outline(name, Selection()).published]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["table1", "table2", "table9", "figure5", "chimeramix-figure6"])
def test_nothing_is_cut_off_and_figures_are_as_wide_as_papers(name, width):
    figure = draw(printed_panels(load_outline(name, Selection()), Records()), width)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == WIDTHS[width]
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.get_figwidth() and box.y1 <= figure.get_figheight()


@pytest.mark.parametrize("name", [name for name in PUBLISHED if load_outline(name, Selection()).figure is None])
def test_curves_are_told_apart_without_colours_and_look_the_same_everywhere(name):
    labels = {cell.method_label for cell in load_outline(name, Selection()).first_cells}
    looks = looks_of(labels)
    assert len({(look.marker, look.dash) for look in looks.values()}) == len(labels)
    assert looks_of(sorted(labels, reverse=True)) == looks
    assert all(looks_of([label]) == {label: looks[label]} for label in labels if " (" not in label)


def test_unknown_labels_have_looks_of_their_own():
    labels = [f"Plugin {number}" for number in range(12)]
    assert len({look.marker for look in looks_of(labels).values()}) == 12
    assert len(looks_of([*labels, "HydraMix", "one more"])) == 14


def test_highlighted_methods_keep_their_colours_and_the_others_are_grey(tmp_path):
    outline = load_outline("table1", Selection(datasets=("stl10",)))
    figure = draw(printed_panels(outline, Records()), highlight={"HydraMix"})
    colours = {text: line.get_color() for text, line in _entries(figure)}
    assert colours["HydraMix"] == looks_of(["HydraMix"])["HydraMix"].colour
    assert {colour for text, colour in colours.items() if text not in ("HydraMix", "as published")} == {"0.72"}
    with pytest.raises(BadInput, match=r"method of table1 'hydra'.*hydramix"):
        write_figure(outline, Records(), tmp_path, highlight=("hydra",))
    with pytest.raises(BadInput, match="figure5 has no line for each method"):
        write_figure(load_outline("figure5", Selection()), Records(), tmp_path, highlight=("hydramix",))


def test_a_label_looks_the_same_in_every_panel():
    found = printed_panels(load_outline("table1", Selection()), Records())
    figure = draw(found)
    legend = {text: line.get_color() for text, line in _entries(figure)}
    for panel, axes in zip(found, figure.axes, strict=True):
        assert [line.get_color() for line in axes.lines[::2]] == [legend[label] for label in panel.lines]


def _entries(figure):
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return zip(texts, legend.get_lines(), strict=True)


def test_equal_content_gives_equal_files_and_hostile_text_is_text(tmp_path):
    outline = load_outline("table6", Selection())
    hostile = [replace(cell, method_label="$\\frac{1}{0}$ _x_ \\input") for cell in outline.cells[:6]]
    found = printed_panels(replace(outline, cells=(*hostile, *outline.cells[6:])), Records())
    for name in "ab":
        save(draw(found), tmp_path / f"{name}.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_what_one_size_has_stands_together_whatever_the_order_of_cells():
    lines = fill_table(load_outline("table8", Selection()), Records()).render("text", published=True).splitlines()
    assert [line[:3].strip() for line in lines if "Baseline" in line or "HydraMix  " in line] == ["1", "", "3", ""]


def test_no_number_is_best_where_none_is_better(store):
    selection = Selection(preset="quick", datasets=("cifar100-dedup",))
    outline, records = load_outline("chimeramix-figure5", selection), Stores(store).records()
    table = fill_table(outline, records)
    assert "*" not in table.render("text") and "textbf" not in table.to_latex()
    methods = replace(selection, methods=("baseline", "mixup"))
    compared = load_outline("chimeramix-figure5", methods)
    assert "average rank" not in comparison_text(compared, accuracies_of(compared, records))


def test_a_figure_of_images_says_of_which_and_names_a_damaged_file(store, tmp_path):
    selection = Selection(preset="quick", datasets=("cifar100-dedup",))
    outline = load_outline("chimeramix-figure5", selection)
    paths = write_figure(outline, Stores(store).records(), tmp_path)
    said = (
        "ChimeraMix+Seg on CIFAR-100 (dedup), 5 samples per class, of 500 images beside 1,000 training images, of seed"
    )
    assert said in paths[2].read_text() and "distance to the nearest" not in paths[2].read_text()
    shutil.copytree(MEASURED / "quick" / "measures", store / "measures")
    for points in store.rglob("points.csv"):
        points.write_text("nothing")
    places = ["--ignore-measured", "--results", str(store), "-o", str(tmp_path)]
    done = CliRunner().invoke(cli, ["figures", "--preset", "quick", "--dataset", "cifar100-dedup", *places])
    assert done.exit_code == 1 and "holds no points" in done.stderr and "makes it anew" in done.stderr
    assert (tmp_path / "table1.png").exists()
