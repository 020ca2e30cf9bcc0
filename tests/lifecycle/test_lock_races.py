"""Eight processes on one run folder, half of them killed at random moments, fifty times over."""

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
            time.sleep(random.uniform(0, 0.01))
            lock.verify()
            write_json(folder / "record.json", {"pid": os.getpid(), "filler": "x" * 65536})
            note(folder / "wrote")

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
    killed = 0
    for victim in chance.sample(pids, 4):
        time.sleep(chance.uniform(0, 0.006))
        killed += os.waitpid(victim, os.WNOHANG)[0] == 0
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for pid in pids:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass
    record = json.loads((folder / "record.json").read_text())
    lines = {name: count_lines(folder / name) for name in ("began", "wrote")}
    return lines | {"killed": killed, "whole": len(record["filler"]) == 65536, "locked": is_running(folder)}

def count_lines(path):
    return len(path.read_text().split()) if path.exists() else 0

chance, started = random.Random(0), time.monotonic()
rounds = [one_round(Path(sys.argv[1]) / str(number), chance) for number in range(int(sys.argv[2]))]
print(json.dumps({"rounds": rounds, "seconds": time.monotonic() - started}))
"""


def test_every_round_ends_with_one_whole_record(tmp_path):
    command = [sys.executable, "-c", RACES, str(tmp_path), str(ROUNDS)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    rounds = answer["rounds"]
    assert len(rounds) == ROUNDS
    assert all(one["whole"] and one["wrote"] <= 1 and not one["locked"] for one in rounds)
    assert sum(one["killed"] for one in rounds) > ROUNDS  # or nothing was raced
    assert sum(one["began"] > 1 for one in rounds) > 3  # a killed holder was taken over
    assert answer["seconds"] < ROUNDS
