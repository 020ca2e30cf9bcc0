"""The device a run works on, and the precision that its hardware is good at."""

import ctypes
import os
import re
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def take_device(threads: int, deterministic: bool = False) -> torch.device:
    """Readies this process for training, with so many CPU threads.

    The device is the GPU where there is one; hide it with CUDA_VISIBLE_DEVICES= to use the CPU. deterministic: whether
    a GPU repeats its bits as far as it can; a CPU always does.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    if not torch.cuda.is_available():
        return torch.device("cpu")
    _set_arithmetic(deterministic)
    return torch.device("cuda")


def _set_arithmetic(deterministic: bool) -> None:
    """How GPUs compute in this process: fp32 is never rounded to TF32, and kernels are not chosen by their speed."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, deterministic
    torch.set_deterministic_debug_mode("warn" if deterministic else "default")
    # nothing here reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first product


def has_tf32(device: torch.device) -> bool | None:
    """Whether this process lets a GPU round fp32 to TF32 in convolutions or products; None for a CPU."""
    if device.type != "cuda":
        return None
    return bool(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)


def in_short(warning: str) -> str:
    """A warning as a record holds it: torch's of an operator without a deterministic form is one of several lines."""
    found = re.match(r"(\S+) does not have a deterministic implementation", warning)
    return f"not repeatable on a GPU, for all of --deterministic: {found[1]}" if found else warning


def keep_freed_memory() -> None:
    """Has this process keep the memory of freed tensors for later ones; does nothing where the C library is not glibc.

    By default glibc returns large blocks at once, and the kernel clears each page anew at the next step:
    a third of a generator's step at the papers' width.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def resolve_precision(precision: str, device: torch.device) -> str:
    """What `auto` becomes: bf16 where the hardware multiplies it natively, else fp32.

    A GPU older than NVIDIA's Ampere thus works in fp32, never in fp16 as ChimeraMix's code does on all of them. A
    run's key holds the word `auto`, its record what that became.
    """
    if precision != "auto":
        return precision
    native = torch.cuda.is_bf16_supported(False) if device.type == "cuda" else _cpu_has_bf16()
    return "bf16" if native else "fp32"


def _cpu_has_bf16() -> bool:
    # torch offers no public name for this in the versions we support
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check)


def describe(device: torch.device) -> str:
    """The device's name as hardware vendors write it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()
