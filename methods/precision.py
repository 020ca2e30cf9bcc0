"""Mixed precision by name (fp32, bf16 or fp16), and whether a CPU's own ways are taken, which round otherwise."""

from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Mixed precision for a forward pass; does nothing in fp32."""
    return torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32")


N = TypeVar("N", bound=nn.Module)


def frozen(network: N, precision: str) -> N:
    """A network that is only used, with the weights of its convolutions and products kept as autocast makes them.

    Otherwise it would cast them anew at every use. The bits are the same; biases stay, which a convolution may add
    in float32 (layers.ReflectingConv).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.weight.data = layer.weight.data.to(_DTYPES[precision])
    return network


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Inside it, tensors keep their precision; on the device `meta`, where work is counted, they do anyway."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def on_cpu(values: Tensor) -> bool:
    """Whether to compute in a way that is faster on a CPU; it rounds otherwise than the plain one."""
    return values.device.type == "cpu"
