"""Verbs, arguments and environments at random: a status, at most three lines besides warnings and
what was left out, never a traceback.

A third of the commands are disturbed: by a signal at a random moment, or by standard streams that are closed, full, or
without a reader. `HYDRABENCH_FUZZ=10000 pytest tests/lifecycle/test_words_fuzz.py` tries so many commands;
`HYDRABENCH_FUZZ_SEED` draws others. Nothing is trained, sent or downloaded: what would do that stops at a stand-in.
"""

import io
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from disturbed import Disturbance, call_disturbed, draw_disturbance
from words import Draw, shown

from benchmark.__main__ import main

TRIES = int(os.environ.get("HYDRABENCH_FUZZ", "300"))
SEED = int(os.environ.get("HYDRABENCH_FUZZ_SEED", "0"))
GROUPS = 10
STATUSES = (0, 1, 2, 3)
HANGS = 200  # seconds, a hundred times what the slowest takes


class Answer(NamedTuple):
    """How a command ended."""

    status: object
    out: str
    err: str


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, str]:
    """Files and folders of many kinds, by name."""
    root = tmp_path_factory.mktemp("places")
    names = "store,new,file,pipe,loop,nowhere,odd store,bundle,tree,bad tree,folder,profiles,home"
    found = {name: root / name for name in names.split(",")} | {"latin": root / "caf\udce9"}
    os.mkfifo(found["pipe"])
    found["loop"].symlink_to("loop")
    found["nowhere"].symlink_to("not there")
    found["file"].write_text("text\n")
    found["bundle"].write_bytes(b"PK\x05\x06" + bytes(18))
    for name in ("store", "home", "latin", "folder.png", "tree/train/a", "tree/test/a", "bad tree/train/\x1b[31m"):
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
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)  # which `main` replaces
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
        encoding = draw.rng.choice(["utf-8", "utf-8", "latin-1", "ascii", "koi8-r"])
        disturbance = draw_disturbance(draw.rng) if number % 3 == 0 else None
        if disturbance:
            answer = Answer(*call_disturbed(words, environment, encoding, disturbance, tmp_path, HANGS))
        else:
            answer = call(words, environment, encoding)
        if complaint := judge(answer, disturbance):
            told = f"{shown(words)} {shown([*environment.items()])} {disturbance or ''}"
            problems.append(f"{number}: {told}: {complaint}")
    assert not problems, f"{len(problems)} of {TRIES // GROUPS}:\n" + "\n".join(problems[:20])


def judge(answer: Answer, disturbance: Disturbance | None) -> str:
    """What is wrong with an answer, if anything is."""
    lines = [line for line in answer.err.splitlines() if not line.startswith(("warning: ", "left out: "))]
    if answer.status not in (*STATUSES, *(disturbance.statuses if disturbance else ())):
        return f"ended by {str(answer.status)[:200]}"
    if "Traceback" in answer.err + answer.out or "Exception ignored" in answer.err:
        return f"a traceback: {answer.err[-1500:]}"
    if answer.status == 2 and lines and not (len(lines) <= 3 and lines[-1].startswith("error: ")):
        return f"{len(lines)} lines: {answer.err[:300]}"
    heard = not (disturbance and 2 in disturbance.streams)
    if answer.status in (2, 130) and not lines and heard:
        return "no line"
    if answer.status == 130 and heard and lines[-1] != "stopped":
        return f"no word of the end: {answer.err[:300]}"
    if "\x1b" in answer.err:
        return f"an escape: {answer.err[:300]!r}"
    return ""
