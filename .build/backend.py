"""The build backend: setuptools' own for an editable install, and one line instead of anything else."""

import sys
from typing import NoReturn

from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
]

REFUSAL = (
    "HydraBench is installed as editable alone: `make setup`, or `pip install -e .` in a checkout; "
    "a plain install would write its `datasets` over Hugging Face's"
)


def get_requires_for_build_wheel(config_settings: object = None) -> NoReturn:
    """The first hook that a plain install calls: refuses it. `sys.exit` so that pip shows a line, not a traceback."""
    sys.exit(REFUSAL)


def get_requires_for_build_sdist(config_settings: object = None) -> NoReturn:
    """The first hook that a source archive is asked for with: refuses it."""
    sys.exit(REFUSAL)


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> NoReturn:
    """Refuses, for front ends that call no other hook before."""
    sys.exit(REFUSAL)


def build_sdist(sdist_directory: str, config_settings: object = None) -> NoReturn:
    """Refuses, for front ends that call no other hook before."""
    sys.exit(REFUSAL)
