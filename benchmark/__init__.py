"""The engine: study -> runs -> plan -> execute."""

import importlib.util as _util
import sys as _sys
from pathlib import Path as _Path

_CHECKOUT = _Path(__file__).resolve().parents[1]


def _check(room: str) -> None:
    """Another package by a room's name ends a command in one line, and raises ImportError in other programs."""
    spec = _util.find_spec(room)
    if spec and spec.origin and _Path(spec.origin).resolve().is_relative_to(_CHECKOUT / room):
        return
    message = (
        f"package '{room}' is {spec.origin if spec else 'nowhere'}, not HydraBench's {_CHECKOUT / room}: "
        f"run from the checkout with its own environment (make setup; .venv/bin/hydrabench)"
    )
    if _Path(_sys.argv[0]).name in ("-m", "hydrabench"):  # a traceback would end in the same line
        _sys.exit(f"error: {message}")
    raise ImportError(message)


for _room in ("datasets", "methods", "results", "slurm"):
    _check(_room)
