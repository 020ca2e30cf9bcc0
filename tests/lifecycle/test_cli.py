"""The command line as people meet it: where output goes, what errors look like, how fast it starts."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmark.cli import cli

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = [[str(Path(sys.executable).with_name("hydrabench"))], [sys.executable, "-m", "benchmark"]]
SHORT = [
    "--set",
    "protocol.epochs=1",
    "--set",
    "protocol.images_per_class=2",
    "--samples-per-class",
    "2",
    "--seeds",
    "0",
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "tabel1"], "unknown study 'tabel1'; did you mean table1"),
        (["run", "table1", "--method", "mixpu"], "did you mean mixup"),
        (["table", "table1", "--dataset", "cifar"], "unknown dataset 'cifar'"),
        (["table", "table1", "--seeds", "zero"], "not a list of integers"),
        (["table", "table1", "--seeds", "4-2"], "ascending ranges"),
        (["table", "table1", "--seeds", "1-2-3"], "not a list of integers"),
        (["plan", "table1", "--samples-per-class", "0"], "integers from 1"),
        (["plan", "table1", "--method", ","], "not a list of names"),
        (["plan", "demo", "--set", "protocol.learning_rate=inf"], "finite number"),
        (["plan", "demo", "--set", "protocol.network=timm/vit_tiny_patch16_224"], "cannot take images of 32×32"),
        (["run", "demo", "--dry-run", "--time-limit", "1:30"], "90s, 9m or 2h"),
        (["plan", "demo", "--set", "protocol.epoch=2"], "did you mean epochs"),
        (["plan", "demo", "--preset", "papr"], "did you mean paper"),
        (["show", "0123"], "no records yet"),
        (["table", "demo", "-o", "table.docx"], "give --format"),
        (["data", "verify", "--dataset", "folder:/nowhere"], "needs /nowhere/train"),
        (["plan"], "Missing argument"),
        (["plan", "demo", "--fast"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(hydrabench, arguments, message):
    answer = hydrabench(*arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert answer.stdout == ""


@pytest.mark.parametrize("what", ["methods", "datasets", "studies", "presets"])
def test_lists_are_json_objects_with_the_promised_names(hydrabench, what):
    for entry in json.loads(hydrabench("list", what, "--format", "json").stdout):
        assert {"name", "label", "source", "available", "parameters"} <= set(entry)


def test_names_from_the_papers_are_known_and_unavailable(hydrabench):
    listed = {e["name"]: e["available"] for e in json.loads(hydrabench("list", "methods", "--format", "json").stdout)}
    names = ("baseline", "cutout", "random-erasing", "cosine", "mixup", "mixupn", "autoaugment", "trivialaugment")
    assert all(listed[name] for name in names)
    assert {"scattering", "glico", "supermix", "chimeramix-grid", "chimeramix-seg", "hydramix"} <= set(listed)


def test_help_imports_nothing_heavy():
    heavy = "('torch', 'pandas', 'pydantic', 'rich')"
    code = f"import sys; from benchmark.__main__ import main; sys.argv[1:] = ['--help']; main(); " \
           f"sys.stderr.write(' '.join(m for m in {heavy} if m in sys.modules))"  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert answer.stdout.startswith("Usage:")
    assert answer.stderr == ""


def test_defaults_are_relative_to_the_checkout(tmp_path):
    """From another folder the same command finds the same records."""
    code = "from benchmark.cli.options import DEFAULT_STORE; print(DEFAULT_STORE)"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    shown = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert shown.stdout.strip() == str(CHECKOUT / "results" / "records")


@pytest.mark.parametrize("room", ["datasets", "methods", "results", "slurm"])
def test_another_package_by_a_rooms_name_is_named(shadow, room):
    code = f"import sys; sys.path[:0] = [{str(shadow(room))!r}, {str(CHECKOUT)!r}]; import benchmark"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = answer.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: package '{room}' is {shadow(room)}")
    assert "run from the checkout" in last
    assert answer.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=["hydrabench", "python -m benchmark"])
def test_a_command_that_finds_another_datasets_says_so_in_one_line(shadow, command):
    folder = shadow("datasets")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    answer = subprocess.run([*command, "list", "studies"], cwd=folder, env=environment, capture_output=True, text=True)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: package 'datasets' is ")
    assert answer.stdout == ""


@pytest.fixture
def shadow(tmp_path):
    """The folder of another package by that name, whose code would print a line."""

    def make(room):
        (tmp_path / room).mkdir(exist_ok=True)
        (tmp_path / room / "__init__.py").write_text("print('the other package ran')\n")
        return tmp_path

    return make


def test_run_show_and_tables_agree(hydrabench, store, tmp_path):
    assert hydrabench("run", "demo", "--method", "baseline", *SHORT).returncode == 0
    (path,) = store.rglob("record.json")
    record = json.loads(path.read_text())
    assert json.loads(hydrabench("show", record["key"][:6], "--format", "json").stdout) == record
    said = hydrabench("show", str(path.parent)).stdout
    assert f"top-1 {record['metrics']['top1']:.2f}" in said and record["key"] in said
    line = json.loads(hydrabench("table", "demo", "--method", "baseline", "--format", "json", *SHORT).stdout)[0]
    assert line["n"] == 1
    assert line["mean"] == pytest.approx(record["metrics"]["top1"], abs=1e-5)
    written = hydrabench("table", "demo", "--method", "baseline", *SHORT, "-o", str(tmp_path / "t.csv"))
    assert (written.stdout, "t.csv" in written.stderr) == ("", True)
    assert (tmp_path / "t.csv").read_text().startswith("dataset,method,samples_per_class,preset,metric,n,mean")


def test_samples_are_a_png_file(hydrabench, tmp_path):
    answer = hydrabench("samples", "--dataset", "digits", "-o", str(tmp_path / "x.jpg"))
    assert (answer.returncode, "x.jpg: samples are a .png file" in answer.stderr) == (2, True)


def test_a_corrupt_record_is_named_and_the_table_still_prints(hydrabench, store):
    hydrabench("run", "demo", "--method", "baseline", *SHORT)
    (path,) = store.rglob("record.json")
    path.write_bytes(path.read_bytes()[:50])
    answer = hydrabench("table", "demo", "--method", "baseline", *SHORT)
    assert answer.returncode == 0
    assert f"left out: {path}" in answer.stderr
    assert "–" in answer.stdout


def test_data_split_prints_the_subset(hydrabench):
    from datasets.base import get_dataset
    from datasets.subset import pick_subset

    answer = hydrabench("data", "split", "--dataset", "digits", "--samples-per-class", "3", "--seed", "1")
    assert [int(line) for line in answer.stdout.split()] == pick_subset(
        get_dataset("digits").train_labels(), 3, 1
    ).tolist()


def test_data_list_explains_every_dataset(hydrabench):
    from datasets.base import registry

    shown = hydrabench("data", "list").stdout
    assert all(name in shown for name in registry.entries())
    assert "797 test images" in shown


def test_commas_inside_parentheses_do_not_split(hydrabench):
    answer = hydrabench("plan", "demo", "--method", "mixupn(images=3,alpha=2),cutout(length=4)", "--format", "json")
    assert json.loads(answer.stdout)["runs"] == 2 * 2 * 3


def _verbs(command: click.Command, name: str = "hydrabench") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for part, verb in getattr(command, "commands", {}).items():
        yield from _verbs(verb, f"{name} {part}")


VERBS = dict(_verbs(cli))


@pytest.mark.parametrize("name", VERBS)
def test_help_fits_a_terminal_of_80_columns(name):
    verb = VERBS[name]
    assert len(verb.get_short_help_str(200)) <= 60
    for option in verb.params:
        assert len(getattr(option, "help", None) or "") <= 60, option.name


@pytest.mark.parametrize(
    "verb", ["plan", "run", "measure", "submit", "status", "table", "verdict", "compare", "samples", "augment"]
)
def test_the_main_verbs_show_examples_that_parse(verb):
    """Every example under --help names options and arguments that the verb has."""
    examples = re.findall(r"^ *hydrabench (.*)$", VERBS[f"hydrabench {verb}"].help or "", re.MULTILINE)
    assert examples
    for example in examples:
        name, *words = shlex.split(example)
        VERBS[f"hydrabench {name}"].make_context(name, words, resilient_parsing=False)
