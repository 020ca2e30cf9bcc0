"""Standard streams that are closed, full, gone or of another encoding: the same status."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disturbed import Disturbance, call_disturbed

from benchmark.cli.notes import note

CHECKOUT = Path(__file__).resolve().parents[2]

TABLE = ("table", "demo", "--method", "baseline", "--ignore-measured")
WRONG = ("plan", "demmo")


@pytest.fixture
def through_shell(store):
    """Runs a verb under a shell's redirections."""

    def call(redirections: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        command = ["sh", "-c", f'"$@" {redirections}', "sh", sys.executable, "-m", "benchmark", *arguments]
        command += ["--results", str(store)]
        return subprocess.run(command, capture_output=True, cwd=CHECKOUT, env=os.environ | environment, timeout=300)

    return call


@pytest.mark.parametrize(
    ("redirections", "arguments", "status", "said"),
    [
        ("<&-", TABLE, 0, ""),
        ("2>&-", TABLE, 0, ""),
        ("2>&-", WRONG, 2, ""),
        ("2>/dev/full", WRONG, 2, ""),
        (">&-", TABLE, 1, "error: [Errno 9] standard output is closed"),
        (">&-", WRONG, 2, "error: unknown study 'demmo'; did you mean demo?"),
        (">/dev/full", TABLE, 1, "error: [Errno 28] No space left on device"),
        ("<&- >&- 2>&-", WRONG, 2, ""),
        ("| true", TABLE, 0, ""),
    ],
)
def test_a_stream_that_is_not_there_changes_no_status(through_shell, redirections, arguments, status, said):
    answer = through_shell(redirections, *arguments)
    assert (answer.returncode, answer.stderr.decode().strip()) == (status, said)


@pytest.mark.parametrize("call", range(10, 40))
def test_an_interruption_while_streams_are_put_in_order_changes_no_status(tmp_path, call):
    early = Disturbance(signal.SIGINT, call, {0: "closed", 1: "full", 2: "full"})
    assert call_disturbed([*WRONG], {}, "utf-8", early, tmp_path, 300)[0] == 130


def test_a_run_with_all_streams_closed_prints_into_none_of_its_files(through_shell, store):
    """The first file that it opens would get the number of standard output."""
    short = ("--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2")
    choice = ("--method", "baseline", "--samples-per-class", "2", "--seeds", "0", "--ignore-measured")
    assert through_shell("<&- >&- 2>&-", "run", "demo", *choice, *short).returncode == 0
    assert through_shell("", "table", "demo", *choice, *short).stderr == b""
    assert len(list(store.rglob("record.json"))) == 1


def test_notes_that_nobody_reads_change_no_status(tmp_path):
    """As behind `2>&1 | head`: a sweep once ended at such a note, with status 0."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "benchmark", "data", "verify", "--dataset", "digits,digitz"]
    assert subprocess.run(command, cwd=CHECKOUT, stderr=writer).returncode == 2
    os.close(writer)


def test_an_interruption_where_python_can_raise_nothing_is_not_lost():
    """Where a generator or an object goes, Python prints a traceback of it and goes on."""
    code = """
import signal, sys, time
import benchmark.__main__ as command

class Going:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def call():
    Going()
    time.sleep(120)

signal.signal(signal.SIGINT, signal.default_int_handler)
command._call = call
command.main()
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, timeout=240)
    assert (answer.returncode, answer.stderr) == (130, b"stopped\n")


def test_what_an_encoding_lacks_is_printed_as_an_escape(through_shell):
    answer = through_shell("", *TABLE, PYTHONIOENCODING="latin-1")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"\\u2013" in answer.stdout


def test_what_an_encoding_lacks_in_a_note_is_an_escape(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, "ascii", "backslashreplace", write_through=True))
    note("caf\u00e9")
    assert written.getvalue() == b"caf\\xe9\n"


def test_verbs_do_without_a_plug_in_that_cannot_be_imported(tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hydrabench.methods]\nbroken = no_such_plug_in\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "benchmark", "list", "methods"]
    answer = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    assert (answer.returncode, "hydramix" in answer.stdout) == (0, True)
    assert answer.stderr.startswith("left out: method plug-in 'broken' (no_such_plug_in): ModuleNotFoundError")
    assert len(answer.stderr.splitlines()) == 1
