"""What bash makes of a job's script."""

import subprocess

import pytest

from slurm.executors import script
from slurm.profiles import Profile

PROFILE = Profile(executor="slurm", gres="gpu:1", setup=("module load cuda",), environment={"NAME": "it's"})


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")  # where no Slurm is
    return script(PROFILE, tmp_path, "name", 12, ["7", "8_3"])


def test_it_is_a_script_of_bash(text):
    assert subprocess.run(["/bin/bash", "-n"], input=text, text=True).returncode == 0


def test_the_setup_comes_before_python_and_survives_quotes(text):
    body = text[text.index("module load cuda") : text.index("srun")].replace("module load cuda", "")
    shown = subprocess.run(["/bin/bash", "-c", body + 'echo "$NAME"'], capture_output=True, text=True, check=True)
    assert shown.stdout == "it's\n"
