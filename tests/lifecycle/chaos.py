"""`make chaos`: kills a sweep at random moments until it is done, again and again, and compares what it leaves.

A sweep trains a generator, GLICO's latents, a teacher and SuperMix's set, and the runs that use them, by two workers
with helpers. Meanwhile the command, a worker or a helper gets SIGKILL, SIGTERM or SIGINT; whenever the sweep has
ended, it is started again. What is left must be what an undisturbed sweep leaves.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import psutil

from results.artifacts import artifact_files, read_artifact
from results.index import load_records

CHECKOUT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SPENT = "epochs=1, batch_size=5, images_per_class=40, learning_rate=0.001"
METHODS = (
    "baseline",
    f"chimeramix-seg(width=4, generator_size=32, {SPENT})",
    f"glico(hidden=8, latent_rate=0.01, {SPENT})",
    "supermix(batch_size=5, per_image=2, max_iter=3)",
)
BESIDE = ("lock", "checkpoint.pt", "progress.json", "failure.json")
_KILLS_MEANWHILE = 12  # what an undisturbed sweep would get on average: some while it starts, most while it works
_ORPHANS_SECONDS = 120.0  # until what a killed command leaves behind must have ended


@dataclass
class Tally:
    """What was done to the sweeps and what came of it.

    lost: results of the undisturbed sweep that are missing; doubled: recorded at more than one place, or set aside
    as damaged; differing: with other bits or numbers; replaced: once finished, later another file; orphans: processes
    that outlived a killed command; left: files beside finished work.
    """

    rounds: int = 0
    kills: Counter = field(default_factory=Counter)
    compared: int = 0
    faults: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        names = ("lost", "doubled", "differing", "replaced", "orphans", "left")
        faults = ", ".join(f"{self.faults[name]} {name}" for name in names)
        return f"{self.rounds} rounds, {self.kills.total()} kills ({kills}), {self.compared} results compared: {faults}"


def start(store: Path) -> subprocess.Popen:
    """The sweep, in a process group of its own."""
    arguments = ["run", "demo", "--method", ",".join(METHODS), "--samples-per-class", "2"]
    arguments += ["--seeds", "0-1", "--set", "protocol.network=wrn-10-1", "--set", "protocol.epochs=1"]
    arguments += ["--set", "protocol.images_per_class=100", "--set", "protocol.precision=fp32"]
    arguments += ["--workers", "2", "--yes", "--retry", "--results", str(store), "--ignore-measured"]
    with (store.parent / f"{store.name}.log").open("ab") as log:
        command = [sys.executable, "-m", "benchmark", *arguments]
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True)


def results(store: Path) -> dict[str, object]:
    """What a sweep has finished, by key: weights and numbers of runs, tensors of artifacts."""
    runs = {entry.key: (entry.record().weights_sha256, entry.record().metrics) for entry in load_records([store])}
    made = [read_artifact(path) for path in artifact_files([store])]
    return runs | {artifact.key: artifact.tensors_sha256 for artifact in made}


def finished(store: Path) -> dict[Path, str]:
    """The files that mean "done", with what they hold."""
    files = (*store.rglob("record.json"), *store.rglob("artifact.json"))
    return {path: sha256(path.read_bytes()).hexdigest() for path in files}


def disturb(sweep: subprocess.Popen, chance: random.Random, tally: Tally, most: int, pause: float) -> None:
    """Kills now the command, now one of its processes, until it has ended or `most` kills are done; pause: seconds from
    a kill to the next on average."""
    command, below = psutil.Process(sweep.pid), list[psutil.Process]()
    while tally.kills.total() < most:
        try:
            sweep.wait(chance.expovariate(1 / pause))
            return
        except subprocess.TimeoutExpired:
            below = list(_below(command))
        victim, sign = chance.choice([command, *below]), chance.choice(SIGNALS)
        try:
            victim.send_signal(sign)
        except psutil.NoSuchProcess:
            continue
        tally.kills[f"{sign.name} of {'the command' if victim == command else 'a worker or helper'}"] += 1
        if victim == command:
            break
    sweep.wait()
    _, alive = psutil.wait_procs(below, _ORPHANS_SECONDS)
    tally.faults["orphans"] += len(alive)
    for process in alive:
        process.kill()


def _below(command: psutil.Process) -> Iterator[psutil.Process]:
    try:
        yield from command.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def one_round(
    store: Path, undisturbed: dict[str, object], chance: random.Random, tally: Tally, most: int, pause: float
) -> None:
    """Starts and kills the sweep until all is done; adds what is wrong with what it leaves."""
    done: dict[Path, str] = {}
    while True:
        sweep = start(store)
        disturb(sweep, chance, tally, most, pause)
        ended = sweep.wait()
        now = finished(store)
        tally.faults["replaced"] += sum(now.get(path) != content for path, content in done.items())
        done |= now
        if ended == 0 and len(results(store)) >= len(undisturbed):
            break
    compare(store, undisturbed, tally)


def compare(store: Path, undisturbed: dict[str, object], tally: Tally) -> None:
    """Adds to the tally what is wrong with a store whose sweep is done."""
    found, places = results(store), finished(store)
    keys = Counter(path.parent.name.rpartition("-")[2] for path in places)
    tally.rounds += 1
    tally.compared += len(undisturbed)
    tally.faults["lost"] += len(undisturbed.keys() - found.keys())
    tally.faults["doubled"] += sum(count > 1 for count in keys.values()) + len(list(store.rglob("*.damaged")))
    tally.faults["differing"] += sum(found[key] != undisturbed[key] for key in found.keys() & undisturbed.keys())
    tally.faults["left"] += sum((path.parent / name).exists() for path in places for name in BESIDE)


def chaos(folder: Path, kills: int, seed: int) -> Tally:
    """At least `kills` kills over sweeps in a folder, the last of which is let finish."""
    undisturbed_store = folder / "undisturbed"
    started = time.monotonic()
    assert start(undisturbed_store).wait() == 0, (folder / "undisturbed.log").read_text()
    undisturbed, chance, tally = results(undisturbed_store), random.Random(seed), Tally()
    pause = (time.monotonic() - started) / _KILLS_MEANWHILE
    while tally.kills.total() < kills:
        one_round(folder / f"round{tally.rounds}", undisturbed, chance, tally, kills, pause)
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {tally}\n")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="a new one under the system's temporary folder unless told")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored, below us too
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="hydrabench-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    tally = chaos(folder, arguments.kills, arguments.seed)
    return 1 if tally.faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
