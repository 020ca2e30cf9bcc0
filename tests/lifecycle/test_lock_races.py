"""Eight processes on one run folder, half of them killed at random moments or holding the lock, fifty times over."""

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ROUNDS = 50

# A process of its own, without torch and threads, so that forking is cheap and safe. A child does what an attempt at a
# run does around its work: lock, look for a record, work, verify, write. What each round ended with is printed.
RACES = """
import json, os, random, signal, sys, time
from pathlib import Path
from results.locks import Lock, LockHeld, LockLost, is_running
from results.files import TEMPORARY, write_json

def attempt(folder):
    with Lock(folder) as lock:
        if not (folder / "record.json").exists():
            note(folder / "began")
            if deadly(folder) and count_lines(folder / "began") == 1:
                signal.pause()
            time.sleep(random.uniform(0, 0.01))
            write_json(folder / "record.json", {"pid": os.getpid(), "filler": "x" * 65536}, lock.verify)
            note(folder / "wrote")

def deadly(folder):
    return int(folder.name) % 2  # in every other round the first holder works until it is killed

def note(path):
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(descriptor, f"{os.getpid()}\\n".encode())
    os.close(descriptor)

def child(folder, start):
    random.seed(os.getpid())
    os.read(start, 1)  # all begin when the other end is closed
    while not (folder / "record.json").exists():
        try:
            attempt(folder)
        except (LockHeld, LockLost):
            time.sleep(0.001)
    os._exit(0)

def one_round(folder, chance):
    folder.mkdir()
    start, gun = os.pipe()
    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(gun)
            child(folder, start)
        pids.append(pid)
    os.close(start)
    os.close(gun)
    killed, victims = 0, chance.sample(pids, 4)
    while deadly(folder) and not (first := read_lines(folder / "began")):
        time.sleep(0.001)
    for victim in [*map(int, first), *victims] if deadly(folder) else victims:
        time.sleep(chance.uniform(0, 0.006))
        try:
            killed += os.waitpid(victim, os.WNOHANG)[0] == 0
            os.kill(victim, signal.SIGKILL)
        except (ChildProcessError, ProcessLookupError):
            pass  # it has ended by itself
    for pid in pids:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass
    record = json.loads((folder / "record.json").read_text())
    lines = {name: count_lines(folder / name) for name in ("began", "wrote")}
    return lines | {"killed": killed, "whole": len(record["filler"]) == 65536, "locked": is_running(folder)}

def count_lines(path):
    return len(read_lines(path))

def read_lines(path):
    return path.read_text().split() if path.exists() else []

chance = random.Random(0)
rounds = [one_round(Path(sys.argv[1]) / str(number), chance) for number in range(int(sys.argv[2]))]
print(json.dumps(rounds))
"""


def test_every_round_ends_with_one_whole_record(tmp_path):
    command = [sys.executable, "-c", RACES, str(tmp_path), str(ROUNDS)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    rounds = json.loads(done.stdout)
    assert len(rounds) == ROUNDS
    assert all(one["whole"] and one["wrote"] <= 1 and not one["locked"] for one in rounds)
    assert sum(one["killed"] for one in rounds) > ROUNDS  # or nothing was raced
    assert all(one["began"] > 1 for one in rounds[1::2])  # a killed holder was taken over
