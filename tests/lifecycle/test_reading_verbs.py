"""The verbs that only read records, as processes: plan, compare, verdict, export and import; none needs torch."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from benchmark.outlines import load_outline
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.records import write_record
from results.verdict import Verdict


def test_plan_prints_one_json_object(hydrabench):
    answer = hydrabench("plan", "table1", "--format", "json")
    value = json.loads(answer.stdout)
    states = ("done", "failed", "running", "missing", "stale", "unavailable")
    assert value["runs"] == sum(value[state] for state in states) == 990
    assert value["unavailable"] == 0
    assert value["estimated_hours"] > 0
    assert (value["study"], value["preset"]) == ("table1", "paper")


@pytest.fixture
def planted(store, make_record):
    """Three methods on the digits at two sizes, five seeds; baseline < mixup < cutout."""
    methods = ("baseline", "mixup", "cutout")
    selection = Selection(methods=methods, seeds=(0, 1, 2, 3, 4))
    for cell in load_grid("demo", selection).cells:
        for run in cell.runs:
            top1 = 50 + methods.index(cell.row) * (1 + run.seed / 10) + run.seed
            write_record(store / run.path, make_record(run, top1))
    return store


def test_compare_says_that_five_seeds_are_too_few(hydrabench, planted):
    done = hydrabench("compare", "mixup", "baseline", "--study", "demo", "--seeds", "0-4")
    assert done.returncode == 0, done.stderr
    assert "5 pairs are too few for significance: the exact sign-flip test cannot go below p = 0.0625" in done.stdout
    assert "+1.20" in done.stdout


def test_three_methods_are_ranked_and_drawn(hydrabench, planted, tmp_path):
    picture = tmp_path / "cd.png"
    arguments = (
        "cutout",
        "mixup",
        "baseline",
        "--study",
        "demo",
        "--seeds",
        "0-4",
        "--format",
        "json",
        "-o",
        str(picture),
    )
    done = hydrabench("compare", *arguments)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ranks"] == {"cutout": 1.0, "mixup": 2.0, "baseline": 3.0}
    assert len(answer["cells"]) == 6
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mixup", "mixup"), "two different methods"),
        (("mixup", "cosine"), "cosine has no records in demo"),
        (("mixup", "basline"), "baseline"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(hydrabench, planted, arguments, message):
    done = hydrabench("compare", *arguments, "--study", "demo")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_verdict_prints_json_alone_and_ends_with_its_code(hydrabench, store, make_record):
    cell = Selection(datasets=("cifair10",), methods=("baseline",), samples_per_class=(5,))
    for run in load_grid("table1", cell).runs():
        write_record(store / run.path, make_record(run, 19.0 + run.seed / 2))
    done = hydrabench("verdict", "table1", "--method", "baseline", "--dataset", "cifair10", "--format", "json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)["table1"]
    assert answer["summary"] == "1 of 6 cells run as in the paper: 0 equivalent, 0 compatible, 1 off"
    assert [cell["state"] for cell in answer["cells"]] == ["off"] + ["not run"] * 5
    assert set(answer["cells"][0]) == set(Verdict.__dataclass_fields__)


def test_an_unknown_study_gets_near_names(hydrabench):
    done = hydrabench("verdict", "tabel1")
    assert done.returncode == 2
    assert "table1" in done.stderr


def test_records_are_exported_and_those_of_another_store_imported(hydrabench, store, make_run, make_record, tmp_path):
    theirs = tmp_path / "theirs"
    for folder, seed in ((store, 0), (store, 1), (theirs, 1), (theirs, 2)):
        run = make_run(seed=seed)
        write_record(folder / run.path, make_record(run, 50.0 + seed))
    done = hydrabench("export", "demo", "--format", "json", "--seeds", "0")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])  # planted runs are shorter than the demo's
    done = hydrabench("export")
    assert len(done.stdout.splitlines()) == 3
    assert hydrabench("export", "--seeds", "0").returncode == 2
    assert hydrabench("export", "-o", str(tmp_path / "records.parquet")).returncode == 0
    assert len(pd.read_parquet(tmp_path / "records.parquet")) == 2
    done = hydrabench("import", str(theirs))
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 imported, 1 were here already, 0 conflicts" in done.stderr


@pytest.mark.parametrize("verb", ["table", "verdict", "figure"])
def test_what_only_reads_imports_no_torch_once_an_outline_is_kept(verb, store, tmp_path):
    load_outline("demo", Selection())
    code = "import sys\nfrom benchmark.cli import cli\ntry:\n cli.main(sys.argv[1:], standalone_mode=False)\n"
    code += "except (SystemExit, ValueError):\n pass\nassert 'torch' not in sys.modules"
    command = [sys.executable, "-c", code, verb, "demo", "--results", str(store), "--ignore-measured"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
