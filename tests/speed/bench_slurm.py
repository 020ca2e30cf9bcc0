"""`make bench`, the part of slurm/: how long a large sweep takes to plan, and what our own code costs per run."""

import datetime
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bench import say

from benchmark.selection import Selection
from benchmark.study import load_grid
from datasets.base import CHECKOUT
from results.files import LOG
from results.index import load_records

_RUNS, _SHORT_RUNS = 100_000, 500
_CLUSTER = CHECKOUT / "slurm" / "dev-cluster"


def bench_planning() -> None:
    """Prints time and memory of a dry run over 100,000 runs of table1."""
    runs = len(list(load_grid("table1", Selection(seeds=(0,))).runs()))
    seeds = f"0-{-(-_RUNS // runs) - 1}"
    with tempfile.TemporaryDirectory() as store:
        words = ["submit", "table1", "--seeds", seeds, "--profile", "slurm-example", "--dry-run", "--results", store]
        start = time.monotonic()
        answer = _benchmark(*words, "--ignore-measured")
        seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    (count,) = re.findall(r"(\d+) runs in", answer.stderr)
    say(f"plan, pack and write sbatch scripts for {count} runs (target under 20 s)", f"{seconds:.1f} s")
    say("  memory at most (target under 1 GiB)", f"{peak:.2f} GiB")


def bench_short_runs() -> None:
    """Prints what a run costs beside its training and evaluation, packed into one job of the dev cluster."""
    if os.getuid() != 0 or not shutil.which("slurmctld"):
        say("500 one-step runs on the dev cluster: needs root and Slurm's packages", "not measured")
        return
    with tempfile.TemporaryDirectory(prefix="hb", dir="/tmp") as folder, _dev_cluster(Path(folder)):
        store = Path(folder) / "store"
        images = _write_images(Path(folder) / "images")
        words = ["demo", "--dataset", f"folder:{images}", "--method", "baseline", "--samples-per-class", "1"]
        words += [
            "--seeds",
            f"0-{_SHORT_RUNS - 1}",
            "--set",
            "protocol.epochs=1",
            "--set",
            "protocol.images_per_class=1",
        ]
        words += ["--results", str(store), "--ignore-measured"]
        _benchmark("submit", *words, "--profile", "dev-cluster", "--yes")
        _benchmark("status", *words, "--watch")
        _print_overhead(store)


def _print_overhead(store: Path) -> None:
    """From the first line of the first run's log to the last of the last's, less training and evaluation."""
    times = [time for log in store.rglob(LOG) for time in _times(log)]
    records = list(load_records([store]))
    work = sum(record.train_seconds + record.eval_seconds for record in records)
    each = (max(times) - min(times) - work) / len(records)
    say(
        f"{len(records)} one-step runs in one job, beside training and evaluation (target under 50 ms)",
        f"{1000 * each:.0f} ms",
    )


def _times(log: Path) -> Iterator[float]:
    for text in re.findall(r"^(\S+ \S+),(\d+) ", log.read_text(), re.MULTILINE):
        yield datetime.datetime.fromisoformat(text[0]).timestamp() + int(text[1]) / 1000


def _write_images(folder: Path) -> Path:
    """Two classes of two images each: evaluation takes next to no time."""
    from PIL import Image

    for path in (folder / split / name for split in ("train", "test") for name in ("a", "b")):
        path.mkdir(parents=True)
        pixels = np.random.default_rng(len(str(path))).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / "0.png")
    return folder


@contextmanager
def _dev_cluster(home: Path) -> Iterator[None]:
    os.environ |= {"DEV_CLUSTER_HOME": str(home), "DEV_CLUSTER_PORT": "27410"}
    subprocess.run([_CLUSTER, "up"], check=True, capture_output=True)
    os.environ["SLURM_CONF"] = str(home / "etc" / "slurm.conf")
    try:
        yield
    finally:
        subprocess.run([_CLUSTER, "down"], check=True, capture_output=True)


def _benchmark(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmark", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT)


def main() -> None:
    bench_planning()
    bench_short_runs()


if __name__ == "__main__":
    main()
