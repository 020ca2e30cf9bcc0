"""Checkpoints: everything a run needs to go on with the same bits."""

import io
import os
from pathlib import Path

import torch

from results.store import write_atomically

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(folder / CHECKPOINT, buffer.getvalue())


def load_checkpoint(folder: Path) -> dict | None:
    """The state last saved in a run folder, on the CPU; None where there is none. Raises what torch raises."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)


def drop_checkpoint(folder: Path) -> None:
    (folder / CHECKPOINT).unlink(missing_ok=True)


def set_aside_checkpoint(folder: Path) -> Path:
    """Renames a damaged checkpoint, so that it can be looked at and does not stand in the way."""
    aside = folder / f"{CHECKPOINT}.damaged"
    os.replace(folder / CHECKPOINT, aside)
    return aside
