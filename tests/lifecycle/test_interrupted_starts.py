"""Ctrl-C while the program or its workers still import: one line, nothing lost, nothing recorded as failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

# Python imports it before anything else. The first time that a process of the chosen kind looks for the module, the
# whole group gets the signal, as from a terminal; the import itself is the event, so no test waits for a time.
INTERRUPT = """
import contextlib, os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            with contextlib.suppress(FileExistsError):  # the other worker was first
                os.close(os.open(os.environ["INTERRUPTED"], os.O_CREAT | os.O_EXCL))
                os.killpg(0, signal.SIGINT)

worker = "--multiprocessing-fork" in sys.orig_argv
if not worker:  # whoever runs the tests in the background has it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
if worker == (os.environ["INTERRUPT_IN"] == "worker"):
    sys.meta_path.insert(0, Interrupter())
"""


@pytest.fixture
def interrupted(tmp_path, store):
    """Runs the demo with two workers, in a process group of its own, and a Ctrl-C at an import."""

    def run(process: str, module: str) -> subprocess.CompletedProcess:
        (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        happened = tmp_path / "interrupted"
        chosen = {"PYTHONPATH": path, "INTERRUPT_IN": process, "INTERRUPT_AT": module, "INTERRUPTED": str(happened)}
        command = [sys.executable, "-m", "benchmark", "run", "demo", "--workers", "2", "--set", "protocol.epochs=50"]
        command += ["--method", "baseline,mixup", "--results", str(store), "--ignore-measured"]
        done = subprocess.run(
            command, cwd=CHECKOUT, env={**os.environ, **chosen}, capture_output=True, text=True, start_new_session=True
        )
        assert happened.exists(), done.stderr
        return done

    return run


@pytest.mark.parametrize("module", ["click", "pydantic", "torch", "torch._C", "pebble"])
def test_an_interrupted_import_ends_in_one_line(interrupted, store, module):
    done = interrupted("parent", module)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1:]) == (130, "", ["stopped"]), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(store.rglob("failure.json"))


@pytest.mark.parametrize("module", ["benchmark.pool", "torch", "torch._C", "benchmark.checkout"])
def test_workers_that_are_still_importing_hold_the_signal_and_start_nothing(interrupted, store, module):
    done = interrupted("worker", module)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "summary: " in done.stderr and "unfinished" in done.stderr and "not started" in done.stderr
    assert not list(store.rglob("failure.json"))
    assert not list(store.rglob("record.json"))
