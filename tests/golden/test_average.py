"""HydraMix Table 9 with its column of averages, from planted records, in every format."""

import csv
import io
import json
import re

import pytest

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.index import load_records
from results.records import write_record
from results.tables import fill_table

STAND_INS = ("cifar10-dedup", "stl10-part", "cifar100-dedup")
# Of the second row one run is missing, so it has no average.
ACCURACY = {
    ("cifar10-dedup", "cifair10"): [38.0, 40.0],
    ("stl10-part", "cifair10"): [33.0, 35.0],
    ("cifar100-dedup", "cifair10"): [20.0, 21.0],
    ("cifar10-dedup", "stl10"): [36.0, 37.0],
    ("stl10-part", "stl10"): [33.0, 33.0],
    ("cifar100-dedup", "stl10"): [20.0],
}


@pytest.fixture
def make(store, make_record):
    """Makes the table of some datasets, seeds 0 and 1."""

    def make(datasets=STAND_INS):
        selection = Selection("quick", datasets, seeds=(0, 1))
        for cell in load_grid("table9", selection).cells:
            accuracy = ACCURACY.get((cell.dataset.name, re.findall(r"=(\w+)", cell.row)[0]), [])
            for run, top1 in zip(cell.runs, accuracy, strict=False):
                write_record(store / run.path, make_record(run, top1))
        return fill_table(load_outline("table9", selection), load_records([store]))

    return make


NOTE = (
    "The paper does not say how many samples per class: 5, because the diagonal repeats Table 1 there. "
    "Average is the mean over a row's datasets once all are complete; its ± is the mean of theirs."
)


def squeezed(text):
    return [re.sub(" {2,}", "  ", line).strip() for line in text.splitlines()]


def test_text(make):
    lines = squeezed(make().render("text"))
    assert lines[0].startswith("HydraMix Table 9: generators on other datasets. Top-1 accuracy in %")
    assert lines[0].endswith(f"7 runs are missing. {NOTE}")
    assert lines[2] == "Samples per class  Method  CIFAR-10 (dedup)  STL-10 (part)  CIFAR-100 (dedup)  Average"
    assert lines[4:10] == [
        "5  HydraMix (generator=cifair10)  *39.00 ± 1.41  *34.00 ± 1.41  *20.50 ± 0.71  *31.17 ± 1.18",
        "(paper)  *39.05 ± 2.77  34.20 ± 1.80  21.81 ± 1.53  31.69 ± 2.03",
        "HydraMix (generator=stl10)  36.50 ± 0.71  33.00 ± 0.00  20.00 (1 seed)  –",
        "(paper)  36.42 ± 3.11  33.09 ± 1.59  20.93 ± 1.27  30.15 ± 1.99",
        "HydraMix (generator=cifair100)  –  –  –  –",
        "(paper)  37.39 ± 3.02  *35.72 ± 1.73  *24.86 ± 0.54  *32.66 ± 1.76",
    ]


def test_markdown(make):
    rows = [re.sub(" +", " ", line) for line in make().render("markdown").splitlines()]
    values = ("39.00 ± 1.41", "34.00 ± 1.41", "20.50 ± 0.71", "31.17 ± 1.18")
    assert f"| 5 | HydraMix (generator=cifair10) | {' | '.join(f'**{value}**' for value in values)} |" in rows


LATEX = r"""
\begin{tabular}{llcccc}
\toprule
Samples per class & Method & CIFAR-10 (dedup) & STL-10 (part) & CIFAR-100 (dedup) & Average \\
\midrule
\multirow{3}{*}{5} & HydraMix (generator=cifair10) & \textbf{39.05 ± 2.77} & 34.20 ± 1.80 & 21.81 ± 1.53 & 31.69 ± 2.03 \\
 & HydraMix (generator=stl10) & 36.42 ± 3.11 & 33.09 ± 1.59 & 20.93 ± 1.27 & 30.15 ± 1.99 \\
 & HydraMix (generator=cifair100) & 37.39 ± 3.02 & \textbf{35.72 ± 1.73} & \textbf{24.86 ± 0.54} & \textbf{32.66 ± 1.76} \\
\bottomrule
"""  # noqa: E501 - rows as they are printed


def test_latex_of_the_published_numbers(make):
    text = make().render("latex", published=True)
    assert LATEX.replace("±", r"$\pm$") in text
    assert r"other datasets. As published. The paper does not say how many" in text


def test_csv_has_a_line_for_each_average(make):
    lines = list(csv.DictReader(io.StringIO(make().render("csv"))))
    assert [line["dataset"] for line in lines[9:]] == ["average"] * 3
    first, second, _ = lines[9:]
    assert (first["n"], first["mean"], first["std"], first["z"]) == ("6", "31.1667", "1.17851", "")
    assert (first["published_dataset"], first["published_mean"]) == ("average", "31.69")
    assert float(first["difference"]) == pytest.approx((39 + 34 + 20.5) / 3 - 31.69, rel=1e-5)
    assert (second["n"], second["mean"], second["std"]) == ("0", "", "")


def test_the_papers_average_stands_beside_an_average_of_the_same_datasets_only(make):
    ours = json.loads(make(("cifar10-dedup", "stl10-part")).render("json"))
    averages = [line for line in ours if line["dataset"] == "average"]
    assert [line["published_mean"] for line in averages] == [None] * 3
    assert [line["mean"] for line in averages] == [36.5, 34.75, None]


def test_a_study_without_averages_has_no_such_line(tmp_path):
    table = fill_table(load_outline("table1", Selection(methods=("baseline",))), load_records([tmp_path]))
    assert "average" not in table.render("csv")


def test_the_note_of_missing_numbers_is_in_both_captions(tmp_path):
    table = fill_table(load_outline("table2", Selection(methods=("autoaugment",))), load_records([tmp_path]))
    for published in (False, True):
        assert "lacks the numbers" in table.render("text", published).splitlines()[0]
