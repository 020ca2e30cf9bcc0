"""The guard that keeps processes out of tests/unit, where they would cost seconds each."""

import multiprocessing
import os
import subprocess

import pytest

WAYS = {
    "run": lambda: subprocess.run(["true"]),
    "popen": lambda: subprocess.Popen("true", shell=True),
    "process": lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    "fork": lambda: os.fork() or os._exit(0),
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "system": lambda: os.system("true"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_process_fails_its_test_even_where_errors_are_caught(way):
    def careless() -> None:
        try:
            WAYS[way]()
        except Exception:
            pass

    with pytest.raises(pytest.fail.Exception, match="move this test to tests/lifecycle"):
        careless()
