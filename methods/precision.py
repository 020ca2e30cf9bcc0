"""Mixed precision by name: fp32, bf16 or fp16."""

from contextlib import AbstractContextManager, nullcontext

import torch

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Mixed precision for a forward pass; does nothing in fp32."""
    return torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32")


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Inside it, tensors keep their precision; on the device `meta`, where work is counted, they do anyway."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)
