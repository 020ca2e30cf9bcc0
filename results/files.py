"""A store is a folder of run folders; files in it are written whole or not at all."""

import json
from pathlib import Path

from datasets.base import CHECKOUT
from datasets.files import Verify as Verify
from datasets.files import write_atomically as write_atomically

MEASURED = CHECKOUT / "results" / "measured"
DEFAULT_STORE = CHECKOUT / "results" / "records"

RECORD, FAILURE, HISTORY = "record.json", "failure.json", "history.csv"
VALUES = "values.csv"  # what a measure found, item by item
POINTS = "points.csv"  # where it put images in the plane
TEMPORARY = f".*.{'[0-9a-f]' * 32}"  # what write_atomically writes before it renames
PROGRESS, LOG, CHECKPOINT = "progress.json", "run.log", "checkpoint.pt"
WEIGHTS = "weights.safetensors"  # of a run that was told to keep them
PREDICTIONS = "predictions.safetensors"  # of a classifier, on every test image


def write_json(path: Path, value: object, verify: Verify | None = None) -> None:
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode(), verify)
