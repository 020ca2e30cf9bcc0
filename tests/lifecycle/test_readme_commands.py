"""README's commands do what they say: each that needs no network, cluster or training runs on the shipped records.

In this process, in a folder of the test's own, with a store, images and records where README says that there are some.
"""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmark.cli import cli
from results import figures, report, tables
from results.files import CHECKOUT
from results.records import write_record

TRAINS, CLUSTER = "trains", "needs a cluster"
LEFT_OUT = {
    "make demo": TRAINS,
    "make test": "is this",
    "make table1": TRAINS,
    "make table1 PRESET=quick DATASETS=cifar10-dedup SPC=5,10 SEEDS=0-2 METHODS=baseline,mixup": TRAINS,
    "make figures": "takes long: `figure` draws one here",
    "make report": "takes long: tests/browser/test_report.py makes one",
    "hydrabench run table1 --workers 2 --time-limit 9m": TRAINS,
    "hydrabench run table1 --preset quick --dataset folder:PATH --method baseline,mixup "
    "--samples-per-class 5 --seeds 0-2": TRAINS,
    "hydrabench augment --dataset folder:PATH --per-class 100 -o OUT/": TRAINS,
    "hydrabench measure --dataset folder:PATH --method chimeramix-grid,mixup,baseline "
    "--samples-per-class 5 --preset quick": TRAINS,
    "hydrabench submit table1 --profile mycluster": CLUSTER,
    "hydrabench status table1 --watch": CLUSTER,
    "hydrabench logs 7750": "needs a run of one's own",
    "hydrabench cancel table1": CLUSTER,
}
VERDICTS = (0, 1, 3)  # the exit statuses that say what `verdict` found


def commands(page: str) -> list[str]:
    """What a page's blocks of code tell to type: lines that start with hydrabench or make, without their comments."""
    blocks = re.findall(r"^```(.*?)\n(.*?)^```$", (CHECKOUT / page).read_text(), re.DOTALL | re.MULTILINE)
    texts = (text for language, text in blocks if not language)
    lines = (line.partition(" #")[0].strip() for text in texts for line in text.splitlines())
    return [line for line in lines if re.match(r"(hydrabench|make) ", line)]


def expanded(command: str) -> list[list[str]]:
    """The words after `hydrabench` of a command, or of each line of a target of the Makefile that is one."""
    program, target, *given = shlex.split(command)
    if program == "hydrabench":
        return [[target, *given]]
    makefile = (CHECKOUT / "Makefile").read_text()
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe, command
    values = dict(pair.split("=") for pair in given)
    options = dict(re.findall(r"\$\(if \$\((\w+)\),(--[\w-]+) '", makefile))
    filters = shlex.join(word for name, value in values.items() for word in (options[name], value))
    return [shlex.split(line.replace("$(FILTERS)", filters)) for line in re.findall(r"\$\(BENCH\) (.*)", recipe[1])]


COMMANDS = commands("README.md")


def test_what_is_left_out_is_in_readme():
    assert set(LEFT_OUT) <= set(COMMANDS)
    assert len(set(COMMANDS) - set(LEFT_OUT)) > 10


@pytest.fixture
def here(tmp_path, monkeypatch, draw_tree, make_run, make_record) -> Path:
    """A folder that has what README names: images in PATH, a profile, another cluster's records."""
    folder = tmp_path / "here"
    draw_tree(folder / "PATH", seed=0, per_class=5)
    run = make_run()
    write_record(tmp_path / "elsewhere" / "records" / run.path, make_record(run, 50.0))
    profiles = tmp_path / "config" / "hydrabench" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "mycluster.yaml").write_text((CHECKOUT / "slurm/profiles/slurm-example.yaml").read_text())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HYDRABENCH_RESULTS", str(tmp_path / "store"))
    for module, name in ((tables, "TABLES"), (figures, "FIGURES"), (report, "REPORT")):
        monkeypatch.setattr(module, name, folder / name.lower())
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("command", [line for line in COMMANDS if line not in LEFT_OUT])
def test_a_command_of_readme_runs(command, here):
    for words in expanded(command):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0 or (words[0] == "verdict" and done.exit_code in VERDICTS), done.output
        assert done.output
        for name in re.findall(r"-o (\S+)", command):
            assert (here / name).stat().st_size


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))])
def test_the_options_of_every_command_are_there(page):
    """Also of those that cannot run here: the verb takes these words."""
    for line in commands(page):
        program, *words = shlex.split(line)
        command: click.Command = cli
        while isinstance(command, click.Group) and program == "hydrabench":
            name, *words = words
            command = command.commands[name]
        if program == "hydrabench":
            command.make_parser(click.Context(command)).parse_args(words)
