"""A process that trains keeps the memory of freed tensors."""

import platform
import subprocess
import sys

import pytest

# after some rounds a fault is a page that was given back to the kernel and comes anew
_REUSES_MEMORY = """
import resource, torch
from benchmark.training.device import take_device
if {ready}:
    take_device(1)
for _ in range(40):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, ready: bool) -> int:
    command = [sys.executable, "-c", _REUSES_MEMORY.format(ready=ready)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_large_tensors_reuse_the_memory_of_freed_ones() -> None:
    assert faults(ready=True) < faults(ready=False) / 10
