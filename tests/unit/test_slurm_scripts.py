"""What sbatch gets, character by character where it matters."""

import shlex

import pytest

from slurm.executors import local_executor, script, visible_gpus
from slurm.profiles import Mail, Profile

FULL = Profile(
    executor="slurm",
    partition="gpu",
    account="me",
    qos="long",
    constraint="a100",
    gres="gpu:1",
    cpus=4,
    memory="16GB",
    time="8h",
    array_parallelism=5,
    setup=("module load cuda",),
    environment={"NAME": "it's"},
    mail=Mail(user="me@example.org", type="FAIL"),
)


@pytest.fixture
def no_slurm(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")


def lines(text: str) -> set[str]:
    return set(text.splitlines())


def test_every_key_of_a_profile_is_in_the_script(no_slurm, tmp_path):
    text = script(FULL, tmp_path, "name", 12, ["7", "8_3"])
    wanted = {
        "--partition=gpu",
        "--account=me",
        "--qos=long",
        "--constraint=a100",
        "--gres=gpu:1",
        "--cpus-per-task=4",
        "--mem=16GB",
        "--time=480",
        "--array=0-11%5",
        "--job-name=name",
        "--mail-user=me@example.org",
        "--mail-type=FAIL",
        "--dependency=afterany:7:8_3",
        "--signal=USR2@120",
        "--requeue",
        "--open-mode=append",
        "--nodes=1",
        "--ntasks-per-node=1",
        f"--output={tmp_path}/%A_%a_0_log.out",
        f"--error={tmp_path}/%A_%a_0_log.err",
    }
    assert {line.removeprefix("#SBATCH ") for line in lines(text) if line.startswith("#SBATCH")} == wanted


def test_srun_gets_its_cores_and_submitit(no_slurm, tmp_path):
    text = script(FULL, tmp_path, "name", 1, [])
    assert "--array" not in text
    assert "--dependency" not in text
    (command,) = [line for line in text.splitlines() if line.startswith("srun")]
    assert "--cpus-per-task=4" in command  # srun does not take it from sbatch since Slurm 22.05
    assert command.endswith(f"-m submitit.core._submit {tmp_path}")


def test_jobs_find_the_code_the_data_and_the_bundle(no_slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", "relative")
    monkeypatch.setenv("HYDRABENCH_BUNDLE", "/shared/bundle.npz")
    monkeypatch.chdir(tmp_path)
    text = script(Profile(executor="slurm"), tmp_path, "name", 1, [])
    assert f"export DATA_ROOT={tmp_path}/relative" in lines(text)
    assert "export HYDRABENCH_BUNDLE=/shared/bundle.npz" in lines(text)
    assert any(line.startswith("export PYTHONPATH=/") for line in lines(text))


def test_short_jobs_are_told_to_stop_in_time(no_slurm, tmp_path):
    profile = Profile(executor="slurm", time="1m", job_minutes=1)
    assert "#SBATCH --signal=USR2@20" in lines(script(profile, tmp_path, "name", 1, []))


@pytest.mark.parametrize(
    ("listed", "dealt"),
    [
        ("2,5", ["2", "5", "2"]),
        ("GPU-8f2e1b6c-0000-4a5b, GPU-17", ["GPU-8f2e1b6c-0000-4a5b", "GPU-17", "GPU-8f2e1b6c-0000-4a5b"]),
        ("MIG-GPU-8f2e/1/0", ["MIG-GPU-8f2e/1/0"] * 3),
        ("3,-1,4", ["3"] * 3),  # as CUDA reads it
        ("-1", [""] * 3),
        ("", [""] * 3),
    ],
)
def test_local_jobs_get_the_named_gpus_in_turn_and_no_other(listed, dealt, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    profile = Profile(executor="local", gres="gpu:1", processes=3)
    setups = [local_executor(profile, tmp_path, n).parameters["setup"] for n in range(3)]
    assert [setup[0] for setup in setups] == [f"export CUDA_VISIBLE_DEVICES={shlex.quote(name)}" for name in dealt]
    assert visible_gpus() == list(dict.fromkeys(dealt))


def test_local_jobs_side_by_side_sleep_when_their_threads_wait(tmp_path):
    setups = [local_executor(Profile(executor="local", processes=n), tmp_path, 0).parameters["setup"] for n in (1, 2)]
    line = "export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}"
    assert [line in setup for setup in setups] == [False, True]
