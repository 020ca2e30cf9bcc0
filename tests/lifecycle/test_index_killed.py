"""A process that is killed while it remembers a store."""

import subprocess
import sys

from results import index, walk
from results.cache import REMEMBERED
from results.index import load_records
from results.records import write_record

KILLED = """
import os, sys
from pathlib import Path
from results import cache, index
index._WORTH_REMEMBERING = 1
os.replace = lambda *_: os.kill(os.getpid(), 9)
index.load_records([Path(sys.argv[1])])
"""


def test_a_kill_before_the_rename_leaves_the_old_index(store, make_run, make_record, monkeypatch):
    monkeypatch.setattr(index, "_WORTH_REMEMBERING", 1)
    monkeypatch.setattr(walk, "FRESH", 0.0)
    for seed in (0, 1, 2):
        run = make_run(seed=seed)
        write_record(store / run.path, make_record(run, 40.0 + seed))
        if seed == 1:
            load_records([store])
            whole = (store / REMEMBERED).read_bytes()
    assert subprocess.run([sys.executable, "-c", KILLED, str(store)]).returncode == -9
    assert (store / REMEMBERED).read_bytes() == whole
    assert len(list(store.glob(f".{REMEMBERED}.*"))) == 1
    assert sorted(entry.top1 for entry in load_records([store])) == [40, 41, 42]
