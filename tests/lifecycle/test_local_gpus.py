"""Which GPU a job of submitit's local executor sees."""

import os

import pytest

from slurm.executors import local_executor
from slurm.profiles import Profile


@pytest.mark.parametrize(("gres", "seen"), [("gpu:1", "GPU-17"), (None, "")])
def test_a_local_job_sees_the_gpu_that_it_was_dealt_and_none_unasked(gres, seen, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-17")
    executor = local_executor(Profile(executor="local", gres=gres, processes=2), tmp_path, 1)
    assert executor.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == seen
