"""The records' part of `make bench`: how long `table`, `verdict` and `plan` take over 1,000 to 100,000 records.

`python tests/speed/bench_records.py` runs this part alone. Cold: no index and no outline is there. Warm: both are.
This process imports no torch: Linux counts the memory of who starts a process as that process's own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.selection import Selection
from results.files import HISTORY, RECORD
from results.records import SCHEMA, Record
from results.walk import FRESH

if TYPE_CHECKING:
    from benchmark.run import Run

SIZES = (1_000, 10_000, 100_000)
VERBS = ("table", "verdict", "plan")
_COLD, _WARM, _MEMORY = 10, 2, 1024  # targets: seconds, seconds, MiB
_ENVIRONMENT = {"host": "bench", "device": "none", "device_type": "cpu", "threads": 1, "precision": "fp32"}
_ENVIRONMENT |= {"commit": "0" * 40, "dirty": False, "versions": {"torch": "2"}, "peak_memory": 1.0}


def main() -> None:
    """Prints wall time, CPU time and memory of each verb over stores of generated records, cold and warm."""
    for count in SIZES:
        with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1) as pool:
            seeds = pool.apply(plant_records, (Path(folder, "store"), count))
            time.sleep(FRESH + 1)  # as old as records are that were not written this very moment
            for verb in VERBS:
                _bench_verb(verb, verb, count, f"0-{seeds - 1}", Path(folder))
            _bench_verb("plan", "plan, a run of 5 missing, of", count, f"0-3,{seeds}", Path(folder))


def _bench_verb(verb: str, name: str, count: int, seeds: str, folder: Path) -> None:
    """With all planted seeds, every record is one of a cell that the verb shows.

    A plan with missing runs also imports torch, counts FLOPs and lists the runs: the targets are not for it.
    """
    command = [sys.executable, "-m", "benchmark", verb, "table1", "--seeds", seeds]
    command += ["--results", str(folder / "store"), "--ignore-measured"]
    _forget(folder)
    for state, target in (("cold", _COLD), ("warm", _WARM)):
        seconds, usage = _measure(command, folder / "caches")
        used = f"{seconds:.2f} s, {usage.ru_utime + usage.ru_stime:.2f} s CPU, {_mebibytes(usage):.0f} MiB"
        aim = f" (at most {target} s, {_MEMORY} MiB)" if name == verb else ""
        _say(f"{name} table1 over {count:,} records, {state}{aim}", used)


def _forget(folder: Path) -> None:
    for place in [*folder.glob("store/.index.json"), *folder.glob("caches/**/*.json")]:
        place.unlink()


def _measure(command: list[str], caches: Path) -> tuple[float, resource.struct_rusage]:
    """Wall seconds and resources of a command, in a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, env=os.environ | {"XDG_CACHE_HOME": str(caches)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1, 3):  # verdict says by its status what it found
        raise RuntimeError(f"{' '.join(command)} failed")
    return time.monotonic() - start, usage


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def plant_records(store: Path, count: int) -> int:
    """Writes generated records of table1, with histories, for whole seeds and at least `count`; returns how many seeds.

    They are written without waiting for the disk: this is no way to write records that matter.
    """
    from benchmark.study import load_grid

    cells = sum(cell.available for cell in load_grid("table1").cells)
    seeds = -(-count // cells)
    for run in load_grid("table1", Selection(seeds=tuple(range(seeds)))).runs():
        folder = store / run.path
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(json.dumps(make_record(run).model_dump(by_alias=True), indent=1))
        (folder / HISTORY).write_text(_HISTORY)
    return seeds


def make_record(run: "Run") -> Record:
    """A made-up record of a run."""
    values = {"schema": SCHEMA, "key": run.key, "run": run.identity, "row": run.row, "preset": run.preset}
    values |= {"metrics": {"top1": 30.0 + run.seed % 7, "top5": 80.0, "loss": 2.0, "test_images": 10_000}}
    values |= {"subset_sha256": "0" * 64, "weights_sha256": "0" * 64, "steps": run.steps, "train_seconds": 600.0}
    values |= {"eval_seconds": 10.0, "images_per_second": 1000.0, "resumed": 0, "finished": "2026-01-01T00:00:00+00:00"}
    return Record.model_validate(values | {"environment": _ENVIRONMENT, "warnings": []})


_HISTORY = "step,learning_rate,loss\n" + "".join(
    f"{step},{0.0046 * (1 - step / 1e5):.6g},{2.3 * 0.98 ** (step / 500):.6g}\n" for step in range(2500, 100_001, 2500)
)


def _say(what: str, value: str) -> None:
    click.echo(f"{what:<86}{value:>34}")


if __name__ == "__main__":
    main()
