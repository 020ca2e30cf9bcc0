"""Verbs, arguments and environments at random: a status, at most three lines besides warnings, never a traceback.

`HYDRABENCH_FUZZ=10000 pytest tests/lifecycle/test_words_fuzz.py` tries so many; `HYDRABENCH_FUZZ_SEED` draws others.
Nothing is trained, sent or downloaded: what would do that stops at a stand-in.
"""

import io
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import click
import pytest

from benchmark.__main__ import main
from benchmark.cli import cli

TRIES = int(os.environ.get("HYDRABENCH_FUZZ", "300"))
SEED = int(os.environ.get("HYDRABENCH_FUZZ_SEED", "0"))
GROUPS = 10
STATUSES = (0, 1, 2, 3)
HANGS = 200  # seconds, a hundred times what the slowest takes

ODD = [
    "", " ", ",", ".", "..", "/", "-", "--", "=", "(", ")", "a=b", "a.b=c", ":", "%j%a", "\\", "a\nb", "\x1b[31mred",
    "caf\udce9", "\u202e", "–", "𝟛", "١", "é" * 200, "x" * 300, "x" * 5000, "/" + "y" * 300, "(" * 3000, "[" * 3000,
    "0", "-1", "1.5", "nan", "inf", "1e999", "9" * 5000, "18446744073709551616", "0-99999999999", "3-1", "1,,2", "0x10",
    "None", "true", "~", "~/x", "~nobody/x", "~no-such-user/x", "/dev/null", "/dev/full", "/proc/hb", "/proc/self/mem",
    "/dev/stdin", "folder:", "folder:/", "folder:/nowhere", "folder:~", "digits:x", "stl10", "protocol", "cutout(",
    "cutout(length=8,length=9)", "cutout(length=)", "hydramix+autoaugment", "mixup+mixup", "$(id)", "*", "?", "[a-z]*",
]  # fmt: skip
GOOD = {
    "study": ["demo", "table1", "Demo", "chimeramix_figure6"],
    "studies": ["demo", "figure8"],
    "methods": ["baseline", "cutout(length=8)", "mixup,cutout", "hydramix"],
    "method": ["baseline", "hydramix", "glico"],
    "datasets": ["digits", "cifair10", "folder:{tree}", "folder:{bad tree}", "folder:{latin}"],
    "dataset": ["digits", "cifar10", "folder:{tree}", "folder:{bad tree}", "folder:{latin}"],
    "samples_per_class": ["2", "5,10", "1-3"],
    "seeds": ["0", "0-2", "7"],
    "seed": ["0"],
    "preset": ["demo", "quick", "Paper"],
    "settings": ["protocol.epochs=1", "cutout.length=4", "protocol.network=wrn-10-1"],
    "profile": ["local", "slurm-example", "mine", "twice", "pipe", "date"],
    "what": ["methods", "datasets", "studies", "presets"],
    "time_limit": ["1h", "90s"],
    "margin": ["2"],
    "max_hours": ["1"],
    "per_class": ["1"],
    "workers": ["1"],
    "key": ["00", "abc"],
    "run": ["00", "abc"],
    "target": ["demo", "00"],
    "folder": ["{store}", "{file}"],
    "bundle": ["{bundle}", "{file}", "{nowhere}"],
}
PATHS = [
    "{store}", "{new}", "{new}/a/b.csv", "{new}.png", "{new}.npz", "{new}.tex", "{new}.json", "{new}.parquet", "{file}",
    "{file}/below", "{pipe}", "{loop}", "{nowhere}", "{latin}", "{odd store}", "{bundle}", "{tree}", "{folder}.png",
]  # fmt: skip
ENVIRONMENT = ("DATA_ROOT", "HYDRABENCH_BUNDLE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HOME", "PATH", "COLUMNS", "TERM")


class Answer(NamedTuple):
    """How a command ended."""

    status: object
    out: str
    err: str


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, str]:
    """Files and folders of many kinds, by name."""
    root = tmp_path_factory.mktemp("places")
    names = "store,new,file,pipe,loop,nowhere,odd store,bundle,tree,bad tree,folder,profiles"
    found = {name: root / name for name in names.split(",")} | {"latin": root / "caf\udce9"}
    os.mkfifo(found["pipe"])
    found["loop"].symlink_to("loop")
    found["nowhere"].symlink_to("not there")
    found["file"].write_text("text\n")
    found["bundle"].write_bytes(b"PK\x05\x06" + bytes(18))
    for name in ("store", "latin", "folder.png", "tree/train/a", "tree/test/a", "bad tree/train/\x1b[31m"):
        (root / ("caf\udce9" if name == "latin" else name)).mkdir(parents=True)
    _plant(found["odd store"])
    profiles = found["profiles"] / "hydrabench" / "profiles"
    profiles.mkdir(parents=True)
    for name, text in (("mine", "executor: local\n"), ("twice", "cpus: 1\ncpus: 2\n"), ("date", "account: 2024-02-30")):
        (profiles / f"{name}.yaml").write_text(text)
    os.mkfifo(profiles / "pipe.yaml")
    return {name: str(path) for name, path in found.items()}


def _plant(store: Path) -> None:
    """A store of files that are none of ours."""
    for number, content in enumerate((b"", b"{}", b"[", b"\xff", b'{"schema": 1}', b"[" * 9999)):
        folder = store / "digits" / "n5" / "mixup" / f"seed{number}-{number:012x}"
        folder.mkdir(parents=True)
        for name in ("record.json", "failure.json"):
            (folder / name).write_bytes(content)


class Draw:
    """Draws commands and environments; the same numbers give the same ones."""

    def __init__(self, rng: random.Random, places: dict[str, str]):
        self.rng, self.places = rng, places

    def command(self) -> list[str]:
        """A verb with some of its parameters, mostly known ones with values that are good, odd or nothing."""
        words, verb = self._verb(), cast(Any, cli)
        for word in words:
            verb = verb.commands[word]
        arguments = [words_ for parameter in verb.params for words_ in self._parameter(parameter)]
        if self.rng.random() < 0.1:
            arguments.insert(self.rng.randrange(len(arguments) + 1), self._odd())
        return [*words, *arguments, *self._harmless(words)]

    def environment(self) -> dict[str, str]:
        changed = {name: self._value("path") for name in ENVIRONMENT if self.rng.random() < 0.08}
        return {"XDG_CONFIG_HOME": self.places["profiles"], "DATA_ROOT": self.places["folder"]} | changed

    def _verb(self) -> list[str]:
        name = self.rng.choice(sorted(cli.commands))
        inner = sorted(getattr(cli.commands[name], "commands", []))
        return [name, self.rng.choice(inner)] if inner else [name]

    def _harmless(self, words: list[str]) -> list[str]:
        slow = words[0] in ("report", "verdict")
        reads = words[0] in ("plan", "run", "submit", "table", "status", "compare", "tables")
        return ["--ignore-measured"] if slow or (reads and self.rng.random() < 0.7) else []

    def _parameter(self, parameter: click.Parameter) -> list[str]:
        if isinstance(parameter, click.Argument):
            return [self._value(str(parameter.name))] if parameter.required or self.rng.random() < 0.5 else []
        if not parameter.required and self.rng.random() < 0.75:
            return []
        if self.rng.random() < 0.05 and parameter.required:
            return []
        option = parameter.opts[-1]
        return [option] if getattr(parameter, "is_flag", False) else [option, self._option_value(parameter)]

    def _option_value(self, parameter: click.Parameter) -> str:
        if parameter.opts[-1] == "--dataset-bundle":
            return self._value("bundle")
        if isinstance(parameter.type, click.Choice) and self.rng.random() < 0.8:
            return self.rng.choice(list(parameter.type.choices))
        return self._value("path" if isinstance(parameter.type, click.Path) else str(parameter.name))

    def _value(self, name: str) -> str:
        good = PATHS if name == "path" else GOOD.get(name, PATHS)
        return self._filled(self.rng.choice(good)) if self.rng.random() < 0.65 else self._odd()

    def _odd(self) -> str:
        text = self._filled(self.rng.choice([*ODD, *PATHS]))
        return text + self.rng.choice(ODD) if self.rng.random() < 0.1 else text

    def _filled(self, text: str) -> str:
        for name, path in self.places.items():
            text = text.replace(f"{{{name}}}", path)
        return text


@pytest.fixture(scope="module", autouse=True)
def harmless(tmp_path_factory) -> Iterator[None]:
    """Stand-ins for what trains, sends, downloads, or writes below the checkout."""

    def refuse(*arguments: object, **more: object) -> None:
        raise OSError("this would take long")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("benchmark.pool.Pool.work", "slurm.executors.send", "slurm.executors.run_here"):
            patch.setattr(name, refuse)
        patch.setattr("urllib.request.urlopen", refuse)
        patch.setattr("benchmark.cli.results.study_names", lambda: ["demo", "table6"])  # all of them take long
        for name in ("results.tables.TABLES", "results.figures.FIGURES", "results.report.REPORT"):
            patch.setattr(name, tmp_path_factory.mktemp("written"))
        yield


def call(words: list[str], environment: dict[str, str], encoding: str) -> Answer:
    """`hydrabench` in this process, on streams of an encoding."""
    out, err = io.BytesIO(), io.BytesIO()
    stdout = io.TextIOWrapper(out, encoding, write_through=True)
    stderr = io.TextIOWrapper(err, encoding, "backslashreplace", write_through=True)
    status: object = 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["hydrabench", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"y\n")))
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        signal.signal(signal.SIGALRM, _hangs)
        signal.alarm(HANGS)
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:  # what Python would print a traceback of
            status = f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
            os.environ.pop("HYDRABENCH_BUNDLE", None)  # --dataset-bundle puts it there
    return Answer(status, out.getvalue().decode(encoding, "replace"), err.getvalue().decode(encoding))


def _hangs(number: int, frame: object) -> NoReturn:
    raise SystemError(f"no answer after {HANGS} s")


@pytest.mark.parametrize("group", range(GROUPS))
def test_whatever_is_asked_the_answer_is_a_status_and_few_lines(places, group, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    problems = []
    for number in range(group, TRIES, GROUPS):
        draw = Draw(random.Random(f"{SEED} {number}"), places | {"new": str(tmp_path / f"new{number}")})
        words, environment = draw.command(), draw.environment()
        answer = call(words, environment, draw.rng.choice(["utf-8", "utf-8", "latin-1", "ascii", "koi8-r"]))
        if complaint := judge(answer):
            problems.append(f"{number}: {shown(words)} {shown([*environment.items()])}: {complaint}")
    assert not problems, f"{len(problems)} of {TRIES // GROUPS}:\n" + "\n".join(problems[:20])


def judge(answer: Answer) -> str:
    """What is wrong with an answer, if anything is."""
    lines = [line for line in answer.err.splitlines() if not line.startswith("warning: ")]
    if answer.status not in STATUSES:
        return f"ended by {str(answer.status)[:200]}"
    if "Traceback" in answer.err + answer.out:
        return "a traceback"
    if answer.status == 2 and not (0 < len(lines) <= 3 and lines[-1].startswith("error: ")):
        return f"{len(lines)} lines: {answer.err[:300]}"
    if "\x1b" in answer.err:
        return f"an escape: {answer.err[:300]!r}"
    return ""


def shown(words: list) -> str:
    return " ".join(repr(word) if len(repr(word)) < 60 else f"{repr(word)[:60]}..." for word in words)
