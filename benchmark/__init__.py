"""The engine: study -> runs -> plan -> execute."""

import importlib.util as _util
from pathlib import Path as _Path

_CHECKOUT = _Path(__file__).resolve().parents[1]

for _room in ("datasets", "methods", "results"):
    _spec = _util.find_spec(_room)
    if _spec is None or not str(_spec.origin).startswith(str(_CHECKOUT)):
        raise ImportError(
            f"package '{_room}' is {_spec.origin if _spec else 'nowhere'}, not HydraBench's {_CHECKOUT / _room}: "
            f"run from the checkout with its own environment (make setup; .venv/bin/hydrabench)"
        )
