"""Tables from planted records, compared character by character; and the tidy formats column by column."""

import csv
import io
import json
import math
import re

import pytest
from PIL import Image

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.aggregate import COLUMNS
from results.escape import escape_latex, escape_markdown
from results.index import load_records
from results.records import write_record
from results.tables import fill_table

AXES = Selection("quick", ("cifar10-dedup", "stl10-part"), ("baseline", "mixup", "hydramix"), (5, 50), (0, 1, 2))
ACCURACY = {
    ("baseline", 5): [30.0, 31.0, 32.0],
    ("baseline", 50): [58.0, 60.0, 62.0],
    ("mixup", 5): [33.0, 35.0],
    ("mixup", 50): [66.0],
}


@pytest.fixture
def table(store, make_record):
    """HydraMix Table 1 with records of two methods on one dataset, some seeds missing."""
    for cell in load_grid("table1", AXES).cells:
        if cell.dataset.name == "cifar10-dedup":
            for run, top1 in zip(cell.runs, ACCURACY.get((cell.row, cell.samples_per_class), []), strict=False):
                write_record(store / run.path, make_record(run, top1))
    records = load_records([store])
    assert records.problems == []
    return fill_table(load_outline("table1", AXES), records)


CAPTION = (
    "HydraMix Table 1: test accuracy with few samples per class. Top-1 accuracy in % after the last epoch, as mean ± "
    "sample standard deviation over seeds 0, 1 and 2 at preset quick. CIFAR-10 (dedup) stands for ciFAIR-10 and is "
    "another test set. STL-10 (part) stands for STL-10 and is another test set. This is not the papers' setting: their "
    "numbers are for orientation. 27 runs are missing. Columns are samples per class."
)


def test_what_methods_say_of_their_numbers_stands_below_those_alone(store):
    def caption(*methods: str) -> str:
        selection = Selection(datasets=("cifair10",), methods=methods, samples_per_class=(5,), seeds=(0,))
        return fill_table(load_outline("table1", selection), load_records([store])).caption

    remark = "GLICO is fitted to the labelled subset alone, with a Laplacian loss for VGG's features."
    assert caption("glico", "baseline").count(remark) == caption("glico+autoaugment").count(remark) == 1
    assert "with VGG's features, learned on ImageNet" in caption("glico(perceptual=vgg)")
    assert "GLICO" not in caption("baseline", "mixup")


def test_text_rows(table):
    lines = table.render("text").splitlines()
    assert lines[0] == CAPTION
    cells = [line.split("  ") for line in lines[4:16]]
    rows = [[part.strip() for part in cell if part.strip()] for cell in cells]
    assert rows == [
        ["CIFAR-10 (dedup)", "Baseline", "*31.00 ± 1.00", "*60.00 ± 2.00"],
        ["(paper)", "31.37 ± 3.28", "58.84 ± 0.82"],
        ["MixUp", "34.00 ± 1.41 (2 seeds)", "66.00 (1 seed)"],
        ["(paper)", "33.41 ± 2.70", "66.16 ± 0.78"],
        ["HydraMix", "–", "–"],
        ["(paper)", "*39.05 ± 2.77", "*68.95 ± 0.85"],
        ["STL-10 (part)", "Baseline", "–", "–"],
        ["(paper)", "27.61 ± 0.90", "44.82 ± 0.48"],
        ["MixUp", "–", "–"],
        ["(paper)", "30.06 ± 1.80", "49.03 ± 1.34"],
        ["HydraMix", "–", "–"],
        ["(paper)", "*33.09 ± 1.59", "*54.10 ± 1.22"],
    ]


def test_markdown(table):
    lines = table.render("markdown").splitlines()
    assert [part.strip() for part in lines[2].split("|")[1:5]] == ["Dataset", "Method", "5", "50"]
    squeezed = [re.sub(" +", " ", line) for line in lines]
    assert "| CIFAR-10 (dedup) | Baseline | **31.00 ± 1.00** | **60.00 ± 2.00** |" in squeezed
    assert "| | MixUp | 34.00 ± 1.41 (2 seeds) | 66.00 (1 seed) |" in squeezed


LATEX = r"""\begin{table}
\centering
\caption{HydraMix Table 1: test accuracy with few samples per class. As published. Best in bold.}
\label{tab:table1}
\begin{adjustbox}{max width=\textwidth}
\begin{tabular}{llcc}
\toprule
 &  & \multicolumn{2}{c}{Samples per class} \\
\cmidrule(lr){3-4}
Dataset & Method & 5 & 50 \\
\midrule
\multirow{3}{*}{CIFAR-10 (dedup)} & Baseline & 31.37 $\pm$ 3.28 & 58.84 $\pm$ 0.82 \\
 & MixUp & 33.41 $\pm$ 2.70 & 66.16 $\pm$ 0.78 \\
 & HydraMix & \textbf{39.05 $\pm$ 2.77} & \textbf{68.95 $\pm$ 0.85} \\
\midrule
\multirow{3}{*}{STL-10 (part)} & Baseline & 27.61 $\pm$ 0.90 & 44.82 $\pm$ 0.48 \\
 & MixUp & 30.06 $\pm$ 1.80 & 49.03 $\pm$ 1.34 \\
 & HydraMix & \textbf{33.09 $\pm$ 1.59} & \textbf{54.10 $\pm$ 1.22} \\
\bottomrule
\end{tabular}
\end{adjustbox}
\end{table}"""


def test_latex_of_the_published_numbers(table):
    assert table.render("latex", published=True) == LATEX


def test_latex_of_ours(table):
    text = table.render("latex")
    assert (
        r"\multirow{6}{*}{CIFAR-10 (dedup)} & Baseline & \textbf{31.00 $\pm$ 1.00} & \textbf{60.00 $\pm$ 2.00} \\"
        in text
    )
    assert r" & HydraMix & -- & -- \\" in text
    assert r"accuracy in \% after" in text


def test_csv_has_a_line_per_cell_run_or_not(table):
    lines = list(csv.DictReader(io.StringIO(table.render("csv"))))
    assert list(lines[0]) == COLUMNS
    assert len(lines) == 12
    first, last = lines[0], lines[-1]
    assert (first["dataset"], first["method"], first["samples_per_class"]) == ("cifar10-dedup", "baseline", "5")
    assert (first["n"], first["mean"], first["std"], first["published_dataset"]) == ("3", "31", "1", "cifair10")
    assert float(first["difference"]) == pytest.approx(31 - 31.37)
    assert float(first["z"]) == pytest.approx((31 - 31.37) / math.sqrt(1 / 3 + 3.28**2 / 5), rel=1e-4)
    assert (last["n"], last["mean"], last["std"], last["z"], last["published_mean"]) == ("0", "", "", "", "54.1")


def test_one_seed_has_no_std_and_no_z(table):
    (line,) = [line for line in json.loads(table.render("json")) if line["n"] == 1]
    assert line["mean"] == 66.0
    assert line["std"] is None
    assert line["z"] is None


def test_an_incomplete_cell_never_wins(table):
    """MixUp leads with two of three seeds; bold goes to the best complete cell."""
    assert "*34.00" not in table.render("text")


def test_two_folders_have_rows_of_their_own(tmp_path):
    """Datasets are told apart by name, not by label."""
    for name in ("cats", "dogs"):
        for file in ("train/a/0.png", "train/b/0.png", "test/a/0.png"):
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32)).save(tmp_path / name / file)
    folders = (f"folder:{tmp_path / 'cats'}", f"folder:{tmp_path / 'dogs'}")
    selection = Selection(datasets=folders, methods=("baseline",), samples_per_class=(1,))
    text = fill_table(load_outline("demo", selection), load_records([tmp_path / "store"])).render("text")
    assert "Folder cats" in text
    assert "Folder dogs" in text


def test_a_composition_names_the_parameters_of_each_part(tmp_path):
    selection = Selection(methods=("mixup(alpha=0.5)+autoaugment(policy=svhn)",))
    text = fill_table(load_outline("demo", selection), load_records([tmp_path])).render("text")
    assert "MixUp (alpha=0.5) + AutoAugment (policy=svhn)" in text


def test_all_published_cells_of_table1_in_its_layout(hydrabench):
    shown = hydrabench("table", "table1", "--published").stdout
    assert shown.count("±") == 198


def test_hostile_labels_are_escaped():
    assert (
        escape_latex("a_b & 50% #1 {x} ~^\\")
        == r"a\_b \& 50\% \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert escape_markdown("a|b*c <script>\n") == r"a\|b\*c \<script\> "
