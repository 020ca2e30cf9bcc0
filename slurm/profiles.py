"""Profiles: where jobs go and what each gets, from slurm/profiles/*.yaml or a person's own config folder."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from benchmark.config import Config, load_named
from datasets.paths import own_folder

PROFILES = Path(__file__).parent / "profiles"
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_ONLY = {"processes": "local"}
_ANYWHERE = {"executor", "runs_per_gpu", "gres", "tflops", "setup", "environment"}


def _time(value: object) -> object:
    if isinstance(value, int):
        raise ValueError(f"{value} has no unit; write 30m, 8h or 2d (YAML reads an unquoted 10:30 as the number 630)")
    if not re.fullmatch(r"[1-9]\d*[mhd]", str(value)):
        raise ValueError(f"'{value}' is not a number and a unit; write 30m, 8h or 2d")
    return value


def _memory(value: object) -> object:
    if not re.fullmatch(r"[1-9]\d*[MGT]B", str(value)):
        raise ValueError(f"'{value}' is not a number and MB, GB or TB, like 16GB")
    return value


def _gres(value: object) -> object:
    if not re.fullmatch(r"gpu(:[A-Za-z][\w-]*)?(:1)?", str(value)):
        raise ValueError(f"'{value}' is not one GPU; a run uses one: write gpu:1 or gpu:TYPE:1")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"{value!r} must be one line of printable text")
    return value


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} is no name of an environment variable: letters, digits and _ alone")
    return name


Positive = Annotated[int, Field(ge=1)]
Line = Annotated[str, AfterValidator(_one_line)]  # goes into a line of a script


class Mail(Config):
    """Whom Slurm writes to, and when (sbatch --mail-type)."""

    user: Line
    type: Line


class Profile(Config):
    """What one job gets and how runs are put into jobs; slurm-example.yaml explains every key.

    time: a number with m, h or d; memory: with MB, GB or TB; job_minutes: estimated minutes of work per job;
    tflops: 10^12 floating-point operations per second, for guesses.
    """

    executor: Literal["slurm", "local", "debug"]
    partition: Line | None = None
    account: Line | None = None
    qos: Line | None = None
    constraint: Line | None = None
    gres: Annotated[str, BeforeValidator(_gres)] | None = None
    cpus: Positive = 1
    memory: Annotated[str, BeforeValidator(_memory)] | None = None
    time: Annotated[str, BeforeValidator(_time)] = "1h"
    job_minutes: Positive = 60
    array_parallelism: Positive = 256
    runs_per_gpu: Positive = 1
    processes: Positive = 1
    tflops: Annotated[float, Field(gt=0)] | None = None
    setup: tuple[str, ...] = ()
    environment: dict[Annotated[str, AfterValidator(_variable)], str] = {}
    mail: Mail | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.executor == "slurm" and self.job_minutes > self.minutes:
            raise ValueError(f"job_minutes: {self.job_minutes} is more than time: {self.time}")
        for key in sorted(self.model_fields_set - _ANYWHERE):
            wanted = _ONLY.get(key, "slurm")
            if self.executor != wanted:
                raise ValueError(f"{key}: only for executor: {wanted}")
        return self

    @property
    def minutes(self) -> int:
        """The limit of one job."""
        return int(self.time[:-1]) * _MINUTES[self.time[-1]]


def load_profile(name: str) -> Profile:
    """The profile `name`, a person's own before the suite's; raises BadInput with near names, or file and line."""
    return load_named("profile", name, Profile, *filter(None, (PROFILES, own_profiles())))


def own_profiles() -> Path | None:
    """Where a person keeps profiles: $XDG_CONFIG_HOME/hydrabench/profiles, or below ~/.config; None without a home."""
    folder = own_folder("XDG_CONFIG_HOME", ".config")
    return folder / "profiles" if folder else None
