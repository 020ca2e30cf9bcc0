"""Workers side by side: their threads sleep when they wait, are as many as the preset says, and give the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.pool import PASSIVE, WAITING, shared_cores
from results.index import load_records

CHECKOUT = Path(__file__).resolve().parents[2]
RUNS = ["run", "demo", "--method", "baseline", "--samples-per-class", "2", "--set", "protocol.network=wrn-10-1"]
SHORT = ["--set", "protocol.epochs=1", "--set", "protocol.images_per_class=2", "--seeds", "0-1"]
TELL = """
import os, sys
if "multiprocessing.spawn import spawn_main" in " ".join(sys.orig_argv):
    open({told!r} + str(os.getpid()), "w").write(os.environ.get({waiting!r}, ""))
"""
TRAIN = """
import hashlib, torch
torch.set_num_threads(2)
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(10))
images, labels = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
torch.nn.functional.cross_entropy(network(images), labels).backward()
values = b"".join(value.grad.numpy().tobytes() for value in network.parameters())
print(torch.get_num_threads(), hashlib.sha256(values).hexdigest())
"""


@pytest.mark.parametrize(
    ("workers", "before", "meanwhile"), [(1, None, None), (2, None, PASSIVE), (2, "ACTIVE", "ACTIVE")]
)
def test_the_policy_is_set_for_several_and_never_in_place_of_a_persons_own(workers, before, meanwhile, monkeypatch):
    monkeypatch.delenv(WAITING, raising=False)
    if before:
        monkeypatch.setenv(WAITING, before)
    with shared_cores(workers):
        assert os.environ.get(WAITING) == meanwhile
    assert os.environ.get(WAITING) == before


def test_two_workers_are_told_to_sleep_and_their_threads_are_the_presets(hydrabench, store, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TELL.format(told=str(tmp_path / "told"), waiting=WAITING))
    environment = {name: value for name, value in os.environ.items() if name != WAITING}
    answer = hydrabench(*RUNS, *SHORT, "--workers", "2", env=environment | {"PYTHONPATH": str(tmp_path / "site")})
    assert answer.returncode == 0, answer.stderr
    assert [path.read_text() for path in tmp_path.glob("told*")] == [PASSIVE] * 2
    assert [entry.record().environment.threads for entry in load_records([store])] == [1, 1]


def test_how_threads_wait_changes_no_bit():
    def trained(**policy: str) -> str:
        command = [sys.executable, "-c", TRAIN]
        environment = {name: value for name, value in os.environ.items() if name != WAITING} | policy
        return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout

    asleep = trained(**{WAITING: PASSIVE})
    assert asleep.startswith("2 ")
    assert trained() == asleep
