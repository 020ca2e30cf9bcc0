"""The published CSV files repeat the papers' tables, cell by cell and in the papers' order."""

import csv
import os
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = REPOSITORY / "results" / "published"
PAPERS = Path(os.environ.get("HYDRABENCH_PAPERS") or REPOSITORY.parent / "shared" / "papers")

FIELDS = ["dataset", "method", "samples_per_class", "metric", "mean", "std"]
CELLS = {
    "hydramix-table1": 198,
    "hydramix-table2": 155,
    "hydramix-table3": 8,
    "hydramix-table4": 3,
    "hydramix-table5": 5,
    "hydramix-table6": 108,
    "hydramix-table7": 72,
    "hydramix-table8": 12,
    "hydramix-table9": 12,
    "hydramix-figure3": 3,
    "chimeramix-table1": 162,
    "chimeramix-table2": 48,
    "chimeramix-table3": 72,
    "chimeramix-table4": 80,
}

DATASETS = {"ciFAIR-10": "cifair10", "STL-10": "stl10", "ciFAIR-100": "cifair100"}
METRICS = {"Top-1": "top1", "Top-5": "top5", "AP": "ap", "AP ₅₀": "ap50", "AP ₇₅": "ap75", "CSE": "cse"}
METHODS = {
    "Baseline": "baseline",
    "Cutout": "cutout",
    "Random Erasing": "random-erasing",
    "Cosine": "cosine",
    "MixUp": "mixup",
    "MixUpN": "mixupn",
    "Scattering": "scattering",
    "GLICO": "glico",
    "SuperMix": "supermix",
    "GridMix": "gridmix",
    "SegMix": "segmix",
    "NMix": "nmix",
    "ChimeraMix": "chimeramix-seg",  # the tables say no more, and whose masks are segments is ours to choose
    "ChimeraMix+Grid": "chimeramix-grid",
    "ChimeraMix+Seg": "chimeramix-seg",
    "HydraMix": "hydramix",
    "DiffuseMix": "diffusemix",
    "DINO": "dino",
    "DINO+ChimeraMix": "dino(mixing=chimeramix-seg)",
    "DINO+HydraMix": "dino(mixing=hydramix)",
    # HydraMix Table 7 names a row by its number of mixed images; four is the default.
    "2": "hydramix(images=2)",
    "3": "hydramix(images=3)",
    "4": "hydramix",
    "5": "hydramix(images=5)",
}
DETECTORS = {"Baseline": "baseline", "Baseline + HydraMix": "hydramix"}
# The check marks under AA and TA.
POLICIES = {("–", "–"): "", ("✓", "–"): "+autoaugment", ("–", "✓"): "+trivialaugment"}

# A percentage in brackets behind the spread is HydraMix Table 8's relative gain, not a cell of its own.
VALUE = re.compile(r"(\d+\.\d+)(?: ?(?:±|\\pm) ?(\d+\.\d+))?(?:\(\+\d+\.\d%\))?")


def table_text(paper, number):
    """Return the paragraph that holds a table, or skip where the paper is absent."""
    path = PAPERS / f"{paper}.md"
    if not path.is_file():
        pytest.skip(f"no {path}")
    paragraphs = re.split(r"\n\s*\n", path.read_text(encoding="utf-8"))
    (caption,) = (i for i, text in enumerate(paragraphs) if text.startswith(f"Table {number}:"))
    # HydraMix sets captions above its tables, ChimeraMix below.
    return paragraphs[caption + (1 if paper == "hydramix" else -1)]


def split_line(line):
    """Split one line into its non-empty labels and its (mean, std) values."""
    texts = [re.sub("</?b>|†", "", text).strip() for text in line.split("\t")]
    matches = [VALUE.fullmatch(text) for text in texts]
    # Without empty texts, a line that lost its leading tab reads like any other.
    labels = [text for text, match in zip(texts, matches, strict=True) if text and not match]
    return labels, [(match[1], match[2] or "") for match in matches if match]


def table_rows(text):
    """Yield the labels and values of every line that holds values, so without the headings."""
    for labels, values in map(split_line, text.splitlines()):
        if values:
            yield labels, values


def method_name(label, *marks):
    """Return the registry name for a row's label and its AA and TA marks."""
    if label in ("AutoAugment", "TrivialAugment"):
        assert POLICIES[marks] == "+" + label.lower()
        return label.lower()
    return METHODS[label] + (POLICIES[marks] if marks else "")


def size_table(text, dataset=None, sizes=None):
    """Yield the cells of a table with one column for each number of samples per class."""
    sizes = sizes or re.findall(r"\d+", text.splitlines()[0])
    for labels, values in table_rows(text):
        if labels[0] in DATASETS:
            dataset = DATASETS[labels.pop(0)]
        for size, value in zip(sizes, values, strict=True):
            yield (dataset, method_name(*labels), size, "top1", *value)


def cifair100_table(text):
    """Yield the cells of ChimeraMix Table 2, which names its dataset in the caption only."""
    return size_table(text, dataset="cifair100")


def stl10_table(text):
    """Yield the cells of a table with one column, STL-10 with 5 samples per class by its caption."""
    return size_table(text, dataset="stl10", sizes=["5"])


def imagenet_table(text):
    """Yield the cells of HydraMix Table 3, with 5 samples per class by its caption."""
    metrics = [METRICS[head] for head in text.splitlines()[0].split("\t")[1:]]
    for (label,), values in table_rows(text):
        for metric, value in zip(metrics, values, strict=True):
            yield ("imagenet", method_name(label), "5", metric, *value)


def coco_table(text):
    """Yield the cells of HydraMix Table 8, whose first column is the number of shots."""
    metrics = [METRICS[head] for head in text.splitlines()[0].split("\t")[2:]]
    shots = None
    for (*new_shots, label), values in table_rows(text):
        shots = new_shots[0] if new_shots else shots
        for metric, value in zip(metrics, values, strict=True):
            yield ("coco", DETECTORS[label], shots, metric, *value)


def generator_table(text):
    """Yield the cells of HydraMix Table 9, with the 5 samples per class that its diagonal shows."""
    columns = [*(DATASETS[head] for head in text.splitlines()[1].split()), "average"]
    for labels, values in table_rows(text):
        method = f"hydramix(generator={DATASETS[labels[-1]]})"
        for dataset, value in zip(columns, values, strict=True):
            yield (dataset, method, "5", "top1", *value)


def read_published(name):
    """Return the header and the rows of one published file, without its notes."""
    lines = (PUBLISHED / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    return header, [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("paper", "number", "reader"),
    [
        ("hydramix", 1, size_table),
        ("hydramix", 2, size_table),
        ("hydramix", 3, imagenet_table),
        ("hydramix", 4, stl10_table),
        ("hydramix", 5, stl10_table),
        ("hydramix", 6, size_table),
        ("hydramix", 7, size_table),
        ("hydramix", 8, coco_table),
        ("hydramix", 9, generator_table),
        ("chimeramix", 1, size_table),
        ("chimeramix", 2, cifair100_table),
        ("chimeramix", 3, size_table),
        ("chimeramix", 4, size_table),
        # The proceedings text has no supplement, so no Table 4.
        ("chimeramix-proceedings", 1, size_table),
        ("chimeramix-proceedings", 2, cifair100_table),
        ("chimeramix-proceedings", 3, size_table),
    ],
)
def test_file_repeats_the_paper(paper, number, reader):
    """Every cell of the paper's table is in the file, in the same order, and no other."""
    _, rows = read_published(f"{paper.removesuffix('-proceedings')}-table{number}")
    assert rows == list(reader(table_text(paper, number)))


def test_figure_3_repeats_the_text():
    path = PAPERS / "hydramix.md"
    if not path.is_file():
        pytest.skip(f"no {path}")
    said = r"the original dataset has a CSE of (\S+)\. MixUp achieves (\S+) and HydraMix reaches (\S+)\."
    (numbers,) = re.findall(said, path.read_text(encoding="utf-8"))
    _, rows = read_published("hydramix-figure3")
    methods = ("original", "mixup", "hydramix")
    expected = [("stl10", name, "5", "cse", value, "") for name, value in zip(methods, numbers, strict=True)]
    assert rows == expected


def test_files_are_those_known():
    """The folder holds one file for each result table, one for the figure with numbers, and no other CSV file."""
    assert {path.stem for path in PUBLISHED.glob("*.csv")} == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_file_is_well_formed(name):
    """A file has the exact header, its number of cells, numbers as printed, and no cell twice."""
    header, rows = read_published(name)
    assert header == FIELDS
    assert len(rows) == len({row[:4] for row in rows}) == CELLS[name]
    for dataset, _, size, metric, mean, std in rows:
        assert dataset in {*DATASETS.values(), "imagenet", "coco", "average"}
        assert metric in METRICS.values()
        assert size.isdecimal()
        assert re.fullmatch(r"\d+\.\d\d", mean)
        assert re.fullmatch(r"(\d+\.\d\d)?", std)


@pytest.mark.parametrize("name", CELLS)
def test_notes_come_first(name):
    """A file starts with notes on its source, and nothing behind its header is a note."""
    text = (PUBLISHED / f"{name}.csv").read_text(encoding="utf-8")
    notes, rows = text.split(",".join(FIELDS) + "\n")
    assert notes.startswith("# Paper: ")
    assert all(line.startswith("# ") for line in notes.splitlines())
    assert "#" not in rows
