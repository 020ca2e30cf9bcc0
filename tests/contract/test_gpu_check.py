"""`make gpu-check` on a CPU: what of it needs no GPU."""

from pathlib import Path
from types import SimpleNamespace

import gpu_check
import pytest
from click.testing import CliRunner


def test_a_run_that_is_stopped_twice_repeats_its_bits(tmp_path, make_run, one_thread):
    run = make_run(size=4, epochs=10)
    assert run.steps > 3 * 7
    assert gpu_check.repeats(run, tmp_path)


@pytest.mark.parametrize("status", [0, 1])
def test_without_a_gpu_it_says_so_and_runs_the_pretend_device_s_part(status, monkeypatch):
    asked = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(
        gpu_check.subprocess, "run", lambda command, check: asked.append(command) or SimpleNamespace(returncode=status)
    )
    answer = CliRunner().invoke(gpu_check.main)
    assert (answer.exit_code, answer.output) == (status, "no GPU that torch can use here; the pretend device's part:\n")
    ((*_, file),) = asked
    assert "test_a_run_stopped_twice" in Path(file).read_text()
