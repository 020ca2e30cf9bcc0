"""Random streams derived from (seed, purpose)."""

import hashlib

import torch


def derive(seed: int, purpose: str) -> int:
    """A 62-bit seed for one purpose of a run's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}".encode()).digest()[:8], "big") >> 2


def stream(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose of a run's seed."""
    return torch.Generator().manual_seed(derive(seed, purpose))
