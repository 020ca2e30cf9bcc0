"""submitit's executors from profiles, and the sbatch text that they would send."""

import os
import shlex
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from submitit import DebugExecutor, Executor, LocalExecutor, SlurmExecutor
from submitit.core.utils import FailedJobError

from benchmark.pool import PASSIVE, WAITING
from datasets.base import CHECKOUT, data_root
from datasets.paths import METHODS_FOLDERS, given_path, real_path
from datasets.registry import BadInput
from slurm.profiles import Profile
from slurm.work import PARENT, Order, work, work_here

_SIGNAL_SECONDS = 120  # how long before the time limit a job is told to stop; slurmctld looks every 30 s
_FOREVER = 10**6  # minutes
# a job's parent may die while Python imports: a shell asks for its pid first, then becomes Python
_PYTHON = f'sh -c \'export {PARENT}=$PPID; exec "$0" "$@"\' {shlex.quote(sys.executable)}'


class ScriptExecutor(SlurmExecutor):
    """submitit's Slurm executor, which also writes scripts where there is no Slurm."""

    @classmethod
    def affinity(cls) -> int:
        return 1


def slurm_executor(profile: Profile, folder: Path, name: str, after: Sequence[str] = ()) -> SlurmExecutor:
    """An executor whose jobs keep their files in `folder` and start when the jobs `after` have ended."""
    executor = ScriptExecutor(folder, python=_PYTHON)
    executor.update_parameters(**_parameters(profile, name, after))
    return executor


def local_executor(profile: Profile, folder: Path, number: int) -> Executor:
    """An executor for the `number`th job of a local submission; GPUs are dealt out in turn."""
    executor = LocalExecutor(folder, python=_PYTHON)
    setup = _exports(profile)
    if profile.gres:
        gpus = visible_gpus()
        # by the shell: submitit itself takes numbers alone, and without any hides every GPU
        setup.insert(0, f"export CUDA_VISIBLE_DEVICES={shlex.quote(gpus[number % len(gpus)])}")
    if profile.processes > 1:
        setup.append(f"export {WAITING}=${{{WAITING}:-{PASSIVE}}}")  # as in a pool of several workers
    executor.update_parameters(timeout_min=_FOREVER, setup=setup)
    return executor


def visible_gpus() -> list[str]:
    """This machine's NVIDIA devices that this process may use, as CUDA_VISIBLE_DEVICES names them, at least one.

    Numbers, UUIDs (GPU-...) and MIG instances (MIG-...) stay as they are; where all are hidden, the one name is empty.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return [str(n) for n in range(64) if Path(f"/dev/nvidia{n}").exists()] or ["0"]
    names = takewhile(lambda name: name not in ("", "-1"), map(str.strip, listed.split(",")))  # CUDA reads no further
    return list(names) or [""]


def script(profile: Profile, folder: Path, name: str, count: int, after: Sequence[str]) -> str:
    """The text that sbatch gets for `count` jobs."""
    executor = slurm_executor(profile, folder, name, after)
    if count > 1:
        executor.parameters["map_count"] = count
    return executor._make_submission_file_text(executor._submitit_command_str, "")


def send(executor: Executor, orders: Sequence[Order]) -> list[str]:
    """Hands orders to an executor and returns the ids of its jobs, in the same order; BadInput says why not."""
    try:
        return [job.job_id for job in executor.map_array(work, orders)]
    except (FailedJobError, OSError) as error:
        raise BadInput(f"submitting failed: {' '.join(str(error).split())}") from error


def run_here(folder: Path, orders: Sequence[Order]) -> None:
    """Works on orders in this process, where a debugger can follow."""
    for job in DebugExecutor(folder).map_array(work_here, orders):
        job.results()


def _parameters(profile: Profile, name: str, after: Sequence[str]) -> dict[str, object]:
    minutes = profile.minutes
    values: dict[str, object] = {
        "job_name": name,
        "time": minutes,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": profile.cpus,
        "srun_args": [f"--cpus-per-task={profile.cpus}"],  # srun takes it from sbatch no more since 22.05
        "signal_delay_s": min(_SIGNAL_SECONDS, minutes * 60 // 3),
        "array_parallelism": profile.array_parallelism,
        "mem": profile.memory,
        "setup": _exports(profile),
        "wckey": None,
        # afterany, not afterok: what waits for a failed build starts, and fails with a message that names it
        "dependency": "afterany:" + ":".join(after) if after else None,
        "additional_parameters": {"requeue": True},
    }
    values |= {key: getattr(profile, key) for key in ("partition", "account", "qos", "constraint", "gres")}
    if profile.mail:
        values |= {"mail_user": profile.mail.user, "mail_type": profile.mail.type}
    return values


def _exports(profile: Profile) -> list[str]:
    """The lines before Python starts: the site's own, then what finds this code and the data from anywhere."""
    path = os.pathsep.join(dict.fromkeys([str(CHECKOUT), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]))
    values = {"PYTHONPATH": path, "DATA_ROOT": str(real_path(data_root()))}
    if bundle := os.environ.get("HYDRABENCH_BUNDLE"):
        values["HYDRABENCH_BUNDLE"] = bundle
    values |= {name: str(real_path(given_path(at))) for name in METHODS_FOLDERS if (at := os.environ.get(name))}
    values |= profile.environment
    return [*profile.setup, *(f"export {name}={_quoted(name, value)}" for name, value in values.items())]


def _quoted(name: str, value: str) -> str:
    try:
        value.encode()  # a script is text
    except UnicodeEncodeError as error:
        raise BadInput(f"{name}={value}: a job's script cannot hold what is not UTF-8") from error
    return shlex.quote(value)
