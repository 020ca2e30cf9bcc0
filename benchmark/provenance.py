"""What made a number: code, packages, machine."""

import importlib.metadata
import os
import platform
import resource
import socket
from functools import lru_cache

import torch

from benchmark.checkout import code_state
from benchmark.training.device import describe, has_tf32
from results.records import Environment

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-image", "scikit-learn", "pillow")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def forget_peak_memory(device: torch.device) -> None:
    """Starts the measurement anew where the device can: the CPU's peak is that of the process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> float:
    """MiB at most in use: the device's for CUDA, the process's resident memory on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def environment(device: torch.device, precision: str, deterministic: bool) -> Environment:
    code = code_state()
    return Environment(
        host=socket.gethostname(),
        device=describe(device),
        device_type="cuda" if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        precision=precision,
        commit=code.commit,
        dirty=code.dirty,
        versions=versions(),
        peak_memory=peak_memory(device),
        nice=os.nice(0) if hasattr(os, "nice") else 0,
        deterministic=deterministic,
        tf32=has_tf32(device),
    )
