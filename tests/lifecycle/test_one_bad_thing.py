"""One bad thing in a store stays one: every verb answers for all the rest, and names the file that it leaves out."""

import errno
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from benchmark.cli import cli
from benchmark.cli import results as verbs_of_results
from benchmark.run import Run
from benchmark.selection import Selection
from benchmark.study import load_grid
from results.cache import REMEMBERED, _reader, remember_bytes
from results.records import write_record

SEEDS = 25
RUNS = 2 * SEEDS
AXES = ("--samples-per-class", "5", "--seeds", f"0-{SEEDS - 1}")
GRID = ("demo", "--method", "baseline,mixup", *AXES)
DEEP = b"[" * 100_000


class Fault(NamedTuple):
    """plant: given the victim's run folder, returns the bad file; named: the verbs that must name it.

    whole: whether the victim's record stays good.
    """

    plant: Callable[[Path], Path]
    named: tuple[str, ...]
    whole: bool = False


def _write(name: str, content: bytes) -> Callable[[Path], Path]:
    def plant(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        return path

    return plant


def _make(name: str, make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def plant(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)
        return path

    return plant


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def _giant(path: Path) -> None:
    path.touch()
    os.truncate(path, 5 * 2**30)  # sparse: it takes no room


def _set(*place: str, value: object) -> Callable[[Path], Path]:
    """Another value in the victim's record."""

    def plant(folder: Path) -> Path:
        record = json.loads((folder / "record.json").read_text())
        at = record
        for name in place[:-1]:
            at = at[name]
        at[place[-1]] = value
        return _write("record.json", json.dumps(record).encode())(folder)

    return plant


def _forge(folder: Path) -> Path:
    """An index with our own code's name and a right checksum, of a shape that we do not write."""
    path = _store_of(folder) / REMEMBERED
    remember_bytes(path, _reader(), b'[1, {"a": [2, 3]}, {"b": 4}]')
    return path


def _store_of(folder: Path) -> Path:
    return folder.parents[3]


SUBMISSION = "../../../../.slurm/20260101-000000-abcd/submission.json"
INDEX = f"../../../../{REMEMBERED}"
RECORDS = ("plan", "table", "status", "report", "verdict", "compare", "show", "export")
LOCKS, FAILURES, SUBMISSIONS = ("plan", "status", "report"), ("report",), ("status", "logs")
SAME = ("table", "verdict", "compare", "show")
FAULTS = {
    "record empty": Fault(_write("record.json", b""), RECORDS),
    "record cut": Fault(_write("record.json", b'{"schema": 1, "key"'), RECORDS),
    "record no UTF-8": Fault(_write("record.json", b"\xff\xfe"), RECORDS),
    "record deep": Fault(_write("record.json", DEEP), RECORDS),
    "record of 5 GB": Fault(_make("record.json", _giant), RECORDS),
    "record a pipe": Fault(_make("record.json", os.mkfifo), RECORDS),
    "record a folder": Fault(_make("record.json", Path.mkdir), RECORDS),
    "record a link": Fault(_make("record.json", _dangling), RECORDS),
    "record of a newer schema": Fault(_set("schema", value=2), RECORDS),
    "record of another seed": Fault(_set("run", "seed", value=77), RECORDS),
    "record of a negative seed": Fault(_set("run", "seed", value=-1), RECORDS),
    "record of a huge seed": Fault(_set("run", "seed", value=2**64), RECORDS),
    "record of a negative size": Fault(_set("run", "samples_per_class", value=-5), RECORDS),
    "record of huge steps": Fault(_set("steps", value=2**70), RECORDS),
    "record of an unknown preset": Fault(_set("preset", value="colleague\x1b[2J"), ("report",), whole=True),
    "lock a list": Fault(_write("lock", b"[]"), LOCKS),
    "lock a number": Fault(_write("lock", b"5"), LOCKS),
    "lock deep": Fault(_write("lock", DEEP), LOCKS),
    "lock a folder": Fault(_make("lock", Path.mkdir), LOCKS),
    "lock a pipe": Fault(_make("lock", os.mkfifo), LOCKS),
    "lock a link": Fault(_make("lock", _dangling), LOCKS),
    "lock with a path for a token": Fault(_write("lock", b'{"token": "../../x", "pid": -1}'), LOCKS),
    "lock of no process": Fault(_write("lock", b'{"pid": 1e300, "host": 5}'), LOCKS),
    "failure deep": Fault(_write("failure.json", DEEP), FAILURES),
    "failure of 5 GB": Fault(_make("failure.json", _giant), FAILURES),
    "failure a pipe": Fault(_make("failure.json", os.mkfifo), FAILURES),
    "failure of other keys": Fault(_write("failure.json", b'{"run": 5, "error": {"a": 1}}'), ()),
    "log a pipe": Fault(_make("run.log", os.mkfifo), (), whole=True),
    "history a pipe": Fault(_make("history.csv", os.mkfifo), (), whole=True),
    "progress a pipe": Fault(_make("progress.json", os.mkfifo), (), whole=True),
    "index forged": Fault(_forge, (), whole=True),
    "index a pipe": Fault(_make(INDEX, os.mkfifo), (), whole=True),
    "index a folder": Fault(_make(INDEX, Path.mkdir), (), whole=True),
    "submission of other keys": Fault(_write(SUBMISSION, b'{"schema": 1, "id": 5}'), SUBMISSIONS, whole=True),
    "submission deep": Fault(_write(SUBMISSION, DEEP), SUBMISSIONS, whole=True),
    "submission a pipe": Fault(_make(SUBMISSION, os.mkfifo), SUBMISSIONS, whole=True),
    "artifact cut": Fault(
        _write("../../../../artifacts/g/digits/n5/seed0-0123456789ab/artifact.json", b"{"), LOCKS[1:], whole=True
    ),
}


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    chosen = Selection(None, (), ("baseline", "mixup"), (5,), tuple(range(SEEDS)))
    return list(load_grid("demo", chosen).runs())


@pytest.fixture(scope="module")
def template(tmp_path_factory, runs, make_record) -> Path:
    """A store of 50 good records with logs."""
    store = tmp_path_factory.mktemp("template") / "store"
    for number, run in enumerate(runs):
        write_record(store / run.path, make_record(run, 40.0 + number / 7))
        (store / run.path / "run.log").write_text(f"this is {run.key}\n")
    return store


@pytest.fixture
def full(store, template) -> Path:
    return shutil.copytree(template, store)


@pytest.fixture
def ask(full, runs, tmp_path, monkeypatch) -> Callable[[str, Run], Result]:
    """The answer of a reading verb, in this process; `show` and `logs` are asked for a run."""
    monkeypatch.setattr(verbs_of_results, "study_names", lambda: ["demo"])

    def call(verb: str, run: Run) -> Result:
        own = ["--results", str(full)]
        stores = [*own, "--ignore-measured"]
        arguments = {
            "plan": [*GRID, "--format", "json", *stores],
            "status": [*GRID, "--format", "json", *stores],
            "compare": ["baseline", "mixup", "--study", "demo", *AXES, *stores],
            "export": stores,
            "show": [run.key, *stores],
            "logs": [run.key, *own],
            "report": ["-o", str(tmp_path / "page"), *stores],
        }
        return CliRunner().invoke(cli, [verb, *arguments.get(verb, [*GRID, *stores])])

    return call


def _without_an_error(verb: str, result: Result) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), (verb, result.exception)
    assert "\x1b" not in result.output
    assert result.exit_code in ((0, 3) if verb == "verdict" else (0,)), (verb, result.output)


def _done(result: Result) -> int:
    return json.loads(result.stdout)["done"]


def _places(result: Result, bad: Path) -> list[str]:
    name = os.path.normpath(bad)
    said = [*result.stderr.splitlines(), *(_notes(result) if result.stdout.startswith("{") else ())]
    return [line for line in said if line.startswith("left out: ") and name in line]


def _notes(result: Result) -> list[str]:
    """What `status` tells in JSON."""
    return json.loads(result.stdout).get("notes", [])


@pytest.fixture(scope="module")
def known() -> dict[tuple, dict[str, object]]:
    """What the verbs say of a store without a victim, once for each."""
    return {}


def _answers(ask: Callable[[str, Run], Result], other: Run) -> dict[str, object]:
    """What each verb answers of good records; export by its keys, for its lines name the store."""
    answers: dict[str, object] = {verb: ask(verb, other).stdout for verb in SAME}
    return answers | {"export": _keys(ask("export", other))}


def _keys(result: Result) -> set[str]:
    return {line.split(",")[0] for line in result.stdout.splitlines()}


@pytest.mark.parametrize("kind", FAULTS)
def test_every_verb_answers_for_the_rest_and_names_the_file(kind, full, runs, ask, known, tmp_path):
    fault, choose = FAULTS[kind], random.Random(kind)
    victim = choose.randrange(3) * 9
    folder, other = full / runs[victim].path, runs[victim + 1]
    record = (folder / "record.json").read_bytes()
    if not fault.whole:
        (folder / "record.json").unlink()
    about = (victim, fault.whole)
    if about not in known:
        known[about] = _answers(ask, other)
    if kind.startswith("record"):
        (folder / "record.json").write_bytes(record)
    bad = fault.plant(folder)
    for verb in _asked(fault, choose):
        result = ask(verb, other)
        _without_an_error(verb, result)
        if verb == "report":
            page = (tmp_path / "page" / "index.html").read_text()
            assert (os.path.normpath(bad) in page) == ("report" in fault.named)
            continue
        if verb == "logs":
            assert f"this is {other.key}" in result.stdout
        else:
            _same(verb, result, known[about], RUNS - (not fault.whole))
        assert len(_places(result, bad)) == (verb in fault.named), (verb, result.stderr)


def _asked(fault: Fault, choose: random.Random) -> set[str]:
    """Four verbs by chance, and those that must name a side file: over all kinds each verb is asked many times."""
    return {*choose.sample((*RECORDS, "logs"), 4), *(fault.named if fault.named != RECORDS else ())}


def _same(verb: str, result: Result, known: dict[str, object], done: int) -> None:
    if verb in ("plan", "status"):
        assert _done(result) == done
    else:
        assert known[verb] == (_keys(result) if verb == "export" else result.stdout)


def _deny(monkeypatch, place: Path) -> None:
    """What the system says of a place that belongs to somebody else; root would be let in."""

    def guard(call):
        def guarded(path, *rest, **more):
            if isinstance(path, (str, os.PathLike)) and (Path(path) == place or place in Path(path).parents):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *rest, **more)

        return guarded

    for name in ("open", "scandir", "listdir"):
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
    monkeypatch.setattr(io, "open", guard(io.open))
    real = {name: getattr(os, name) for name in ("stat", "lstat")}
    for name, call in real.items():
        monkeypatch.setattr(os, name, _guard_below(call, place))


def _guard_below(call, place: Path):
    """A folder that may not be entered has a stat of its own; what is in it has none."""

    def guarded(path, *rest, **more):
        if isinstance(path, (str, os.PathLike)) and place in Path(path).parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return call(path, *rest, **more)

    return guarded


@pytest.mark.parametrize("verb", [*RECORDS, "logs"])
def test_a_run_folder_of_somebody_else_is_named_and_the_rest_is_read(verb, full, runs, ask, monkeypatch):
    victim, other = random.Random(verb).sample(runs, 2)
    _deny(monkeypatch, full / victim.path)
    result = ask(verb, other)
    _without_an_error(verb, result)
    if verb != "logs":
        assert len(_places(result, full / victim.path)) == 1
    if verb in ("plan", "status"):
        assert _done(result) == RUNS - 1


@pytest.mark.parametrize("verb", ["plan", "status", "report", "table"])
def test_a_lock_of_somebody_else_counts_as_held(verb, full, runs, ask, monkeypatch):
    victim, other = random.Random(verb).sample(runs, 2)
    shutil.rmtree(full / victim.path)
    lock = _write("lock", b"{}")(full / victim.path)
    _deny(monkeypatch, lock)
    result = ask(verb, other)
    _without_an_error(verb, result)
    if verb in ("plan", "status"):
        assert json.loads(result.stdout)["running"] == 1
        assert len(_places(result, lock)) == 1


@pytest.mark.parametrize("name", ["**", "*", "../..", "a/b", "[", "\x1b[2J"])
def test_a_name_that_is_no_key_gets_a_line(name, full):
    from datasets.registry import BadInput

    result = CliRunner().invoke(cli, ["logs", "--results", str(full), "--", name])
    assert isinstance(result.exception, BadInput)
