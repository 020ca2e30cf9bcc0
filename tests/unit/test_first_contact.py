"""What a newcomer types first: --version, lists that fit a screen, completion, what made a number."""

import json
import shlex

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from benchmark.cli import cli
from benchmark.cli.summary import summary
from benchmark.plan import make_plan
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.files import MEASURED, RECORD
from results.index import load_records
from results.metrics import METRICS
from results.records import CLASSIFY, key_of, write_record
from results.stores import Stores


def ask(*words):
    answer = CliRunner().invoke(cli, list(words))
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def complete(*words):
    """What a shell offers for the last of the words."""
    *before, last = words
    return [item.value for item in ShellComplete(cli, {}, "hydrabench", "_X").get_completions(before, last)]


def test_the_version_is_that_of_the_package():
    assert ask("--version").split()[-1] == "0.1.0"


@pytest.mark.parametrize("what", ["methods", "datasets", "studies", "presets"])
def test_lists_fit_100_columns_and_all_has_the_rest(what):
    short, whole = ask("list", what), ask("list", what, "--all")
    assert max(map(len, short.splitlines())) <= 100
    assert "parameters" in whole.splitlines()[0] and "parameters" not in short.splitlines()[0]


def test_what_is_missing_is_told_whole_in_100_columns(empty_root):
    lines = ask("data", "list").splitlines()
    assert max(map(len, lines)) <= 100
    assert "hydrabench data prepare --dataset cifair10" in " ".join(line[17:].strip() for line in lines)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("table", "table6"), ["table6"]),
        (("plan", "table1", "--preset", "q"), ["quick"]),
        (("run", "table1", "--dataset", "cifair10,stl"), ["cifair10,stl10", "cifair10,stl10-part"]),
        (("run", "table1", "--method", "mixup,hyd"), ["mixup,hydramix"]),
        (("compare", "glic"), ["glico"]),
    ],
)
def test_a_shell_completes_names(words, offered):
    assert complete(*words) == offered


@pytest.mark.parametrize("words", [("plan", "./my-stu"), ("plan", "table1", "--preset", "presets/mi")])
def test_a_shell_completes_paths_of_studies_and_presets(words):
    *before, last = words
    (item,) = ShellComplete(cli, {}, "hydrabench", "_X").get_completions(before, last)
    assert (item.type, item.value) == ("file", last)


def test_a_plan_sums_artifacts_up_and_all_names_them(store):
    words = ("plan", "table1", "--preset", "quick", "--results", str(store), "--ignore-measured", "--seeds", "0-4")
    short, whole = ask(*words), ask(*words, "--all")
    assert len(short.splitlines()) < 24
    assert "missing  hydramix generator: 30 of cifar10, " in short
    selected = load_grid("table1", Selection("quick", seeds=(0, 1, 2, 3, 4)))
    builds = make_plan(selected, Stores(store, True)).builds["missing"]
    assert all(str(job) in whole for job in builds)


@pytest.fixture(scope="module")
def entries():
    """Of the measured records of seed 0 and five images a class, by row and kind."""
    chosen = [entry for entry in load_records([MEASURED]) if entry.seed == 0 and entry.samples_per_class == 5]
    return {(entry.row, entry.record().kind): entry for entry in chosen}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("baseline", CLASSIFY),
        ("hydramix", CLASSIFY),
        ("hydramix+autoaugment", CLASSIFY),
        ("chimeramix-seg(d_fakes=fresh)", CLASSIFY),
        ("baseline", "mde"),
    ],
)
def test_a_number_says_what_made_it_and_the_command_that_makes_it_again(entries, row, kind):
    entry = entries[row, kind]
    text = summary(entry.path)
    assert f"[{entry.key}]" in text
    assert all(f"{METRICS[name].word} {value:.2f}" in text for name, value in entry.metrics.items())
    _, run, study, *words = shlex.split(text.partition("made again by: ")[2])
    options = dict(zip(words[::2], words[1::2], strict=True))
    selection = Selection(options["--preset"], (options["--dataset"],), (options["--method"],), (5,), (0,))
    assert run == "run" and [one.key for one in load_grid(study, selection).runs()] == [entry.key]


def test_a_number_that_needs_set_is_told_with_it(store, make_run, make_record):
    run = make_run(epochs=3, learning_rate=0.5)
    write_record(store / run.path, make_record(run, 50.0))
    command = summary(store / run.path / RECORD).partition("made again by: ")[2]
    settings = tuple(word.removeprefix("--set=") for word in shlex.split(command) if word.startswith("--set="))
    assert "protocol.learning_rate=0.5" in settings
    selection = Selection("demo", ("digits",), ("baseline",), (2,), (0,), settings)
    assert [one.key for one in load_grid("demo", selection).runs()] == [run.key]


def test_a_number_of_a_method_that_is_another_now_says_so(store, make_run, make_record):
    run = make_run()
    identity = run.identity | {"method": {**run.identity["method"], "version": 0}}
    made = make_record(run, 50.0).model_copy(update={"run": identity, "key": key_of(identity)})
    write_record(store / f"old-{made.key}", made)
    assert "no study, preset and method of this checkout give its key" in summary(store / f"old-{made.key}" / RECORD)


def test_as_json_a_number_has_everything_that_is_recorded(store, make_run, make_record):
    run = make_run()
    write_record(store / run.path, make_record(run, 50.0))
    told = json.loads(ask("show", run.key, "--format", "json", "--results", str(store), "--ignore-measured"))
    assert told == json.loads((store / run.path / RECORD).read_text())
