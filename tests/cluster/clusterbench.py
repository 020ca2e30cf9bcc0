"""What the tests on a real Slurm share."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from click.testing import CliRunner, Result

from benchmark.cli import cli
from results.index import load_records
from results.reader import read_json
from results.states import read_progress

CHECKOUT = Path(__file__).resolve().parents[2]


class Bench:
    """The command line on one store, in this process: torch is imported once. selection: a study, then selectors."""

    def __init__(self, store: Path, slow: Path, *selection: str):
        self.store, self.slow, self.selection = store, slow, selection

    def __call__(self, verb: str, *arguments: str) -> Result:
        """A verb that takes a study and selectors."""
        return self.plain(verb, *self.selection, "--ignore-measured", *arguments)

    def plain(self, *words: str, store: Path | None = None) -> Result:
        return CliRunner().invoke(cli, [*words, "--results", str(store or self.store)])

    def submit(self, profile: str, *arguments: str) -> str:
        answer = self("submit", "--profile", profile, "--yes", *arguments)
        assert answer.exit_code == 0, answer.output + repr(answer.exception)
        return answer.output

    def hurry(self) -> None:
        """Ends the dawdling of the slow profiles, so that a test waits only for what it looks at."""
        self.slow.unlink()

    def status(self) -> dict:
        answer = self("status", "--format", "json")
        assert answer.exit_code == 0, answer.output + repr(answer.exception)
        return json.loads(answer.stdout)

    def wait(self, reached: Callable[[dict], bool], seconds: float = 300) -> dict:
        """The first status of which `reached` is true."""
        status = wait_for(lambda: found if reached(found := self.status()) else None, seconds, self.status)
        return status

    def settled(self, seconds: float = 300) -> dict:
        """The status once nothing is queued or running any more."""
        return self.wait(lambda s: not s["queued"] + s["running"], seconds)

    def undisturbed(self, store: Path, workers: int) -> None:
        """The same runs by the verb `run` in another store."""
        words = ("run", *self.selection, "--ignore-measured", "--workers", str(workers))
        answer = self.plain(*words, store=store)
        assert "summary" in answer.stderr, answer.output


def wait_for(found: Callable[[], object], seconds: float, explain: Callable[[], object] = lambda: None):
    """What `found` returns once it is not None."""
    deadline = time.monotonic() + seconds
    while (value := found()) is None:
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {explain()}"
        time.sleep(0.5)
    return value


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def job_ids(bench: Bench) -> list[str]:
    """The jobs of the newest submission."""
    path = max(bench.store.glob(".slurm/*/submission.json"))
    return [job for array in read_json(path)["arrays"] for job in array["jobs"]]


def require_same_bits(bench: Bench, other: Path, workers: int = 1) -> None:
    """Every run has the weights and metrics of the undisturbed one."""
    bench.undisturbed(other, workers)
    mine, theirs = load_records([bench.store]), load_records([other])
    assert mine.by_key.keys() == theirs.by_key.keys()
    for key, entry in theirs.by_key.items():
        ours, record = mine.by_key[key].record(), entry.record()
        assert ours.weights_sha256 == record.weights_sha256
        assert ours.metrics == record.metrics
        assert ours.environment.threads == record.environment.threads


def wait_for_log(bench: Bench, text: str, count: int = 1) -> None:
    def found():
        logs = "".join(path.read_text() for path in bench.store.rglob("run.log"))
        return True if logs.count(text) >= count else None

    wait_for(found, 300, lambda: (bench.status(), [p.read_text() for p in bench.store.rglob("*log.err")]))


def wait_for_progress(bench: Bench, steps: int) -> None:
    """Until the run has gone on by some steps in its present start."""

    def found():
        at = [read_progress(path.parent) for path in bench.store.rglob("progress.json")]
        return True if any(state and state.step >= steps for state in at) else None

    wait_for(found, 300, bench.status)


def processes(bench: Bench, name: str) -> list[psutil.Process]:
    """Processes of this store's jobs with `name` on their command line: the job's own Python, or a worker of it."""
    pythons = [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [""])[0] == sys.executable]
    own = [p for p in pythons if "submitit.core._submit" in p.info["cmdline"]]
    jobs = [p for p in own if str(bench.store) in " ".join(p.info["cmdline"])]
    if name == "job":
        return jobs
    return [p for job in jobs for p in job.children() if "multiprocessing.spawn" in " ".join(p.cmdline())]


def starts(bench: Bench) -> int:
    """How often the runs and builds of this store were begun or taken up."""
    return sum(path.read_text().count(" starts") for path in bench.store.rglob("run.log"))
