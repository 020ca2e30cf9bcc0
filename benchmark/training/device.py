"""The device a run works on, and the precision that its hardware is good at."""

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def take_device(threads: int) -> torch.device:
    """Readies this process for training, with so many CPU threads.

    The device is the GPU where there is one; hide it with CUDA_VISIBLE_DEVICES= to use the CPU.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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

    A GPU older than NVIDIA's Ampere thus works in fp32; ChimeraMix's code trains in fp16 on all of them.
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
