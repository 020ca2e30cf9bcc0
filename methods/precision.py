"""Mixed precision by name: fp32, bf16 or fp16."""

import torch

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Mixed precision for a forward pass; does nothing in fp32."""
    return torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32")
