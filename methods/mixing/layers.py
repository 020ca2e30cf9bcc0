"""CPU-friendly norm and convolution: in mixed precision half of a generator's step is theirs."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods import precision

_EPSILON = 1e-5
_FEW = 3  # channels on which a CPU wastes most of a convolution's work


class ActivatedNorm(nn.Module):
    """Instance norm without parameters, then a leaky ReLU of `slope` (0 is ReLU, 1 nothing); B×C×H×W, H×W > 1."""

    def __init__(self, slope: float = 0.0) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        if precision.on_cpu(features):
            return _CpuNorm.apply(features, self.slope)
        normal = functional.instance_norm(features, eps=_EPSILON)
        return normal if self.slope == 1 else functional.leaky_relu(normal, self.slope)


class _CpuNorm(torch.autograd.Function):
    """Image by image with the kernels of batch norm, which keep channels last and find an image in the cache."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, slope: float) -> Tensor:
        features = features.contiguous(memory_format=torch.channels_last)
        count, channels = features.shape[:2]
        # weights in float32 make the kernels keep float32 means also of bf16 features
        scale, shift = torch.ones(channels), torch.zeros(channels)
        means, deviations = torch.empty(2, count, channels)
        normal = torch.empty_like(features)
        for i in range(count):
            part = normal[i : i + 1]
            into = (part, means[i], deviations[i])
            torch.native_batch_norm(features[i : i + 1], scale, shift, None, None, True, 0.0, _EPSILON, out=into)
            if slope != 1:
                functional.leaky_relu_(part, slope)
        ctx.save_for_backward(features, normal, means, deviations, scale)
        ctx.slope = slope
        return normal

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, normal, means, deviations, scale = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(features)
        for i in range(len(features)):
            part = gradient[i : i + 1]
            if ctx.slope != 1:
                part = torch.ops.aten.leaky_relu_backward(part, normal[i : i + 1], ctx.slope, True)
            arguments = (part, features[i : i + 1], scale, None, None, means[i], deviations[i], True, _EPSILON)
            result[i : i + 1] = torch.ops.aten.native_batch_norm_backward(*arguments, [True, False, False])[0]
        return result, None


class ReflectingConv(nn.Conv2d):
    """A convolution of stride 1 that reflects at the border and keeps H×W."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)

    @property
    def rim(self) -> int:
        """Pixels that are reflected at each border."""
        return self.kernel_size[0] // 2

    def forward(self, features: Tensor) -> Tensor:
        if precision.on_cpu(features) and self.in_channels <= _FEW:
            return self._columns_come_in(features)
        if precision.on_cpu(features) and self.out_channels <= _FEW:
            return self._columns_go_out(features)
        return functional.conv2d(_reflected(features, rows=self.rim, columns=self.rim), self.weight, self.bias)

    def _columns_come_in(self, features: Tensor) -> Tensor:
        """The kernel's columns are channels of the input, each of the images moved by as much."""
        padded = _reflected(features, rows=self.rim, columns=self.rim)
        moved = torch.cat(_moved([padded] * self.kernel_size[1]), 1).contiguous(memory_format=torch.channels_last)
        return functional.conv2d(moved, self.weight.permute(0, 3, 1, 2).flatten(1, 2)[..., None], self.bias)

    def _columns_go_out(self, features: Tensor) -> Tensor:
        """The kernel's columns are channels of the output, which are moved by as much and added up in float32."""
        weight = self.weight.permute(3, 0, 1, 2).flatten(0, 1)[..., None]
        columns = functional.conv2d(_reflected(features, rows=self.rim), weight)
        parts = _reflected(columns, columns=self.rim).unflatten(1, (self.kernel_size[1], -1)).unbind(1)
        total = reduce(torch.add, (part.float() for part in _moved(parts)))
        return (total if self.bias is None else total + self.bias[:, None, None]).to(columns.dtype)


def _moved(padded: Sequence[Tensor]) -> list[Tensor]:
    """Of tensors padded by a kernel's width what each of its columns sees, in their order."""
    width = padded[0].shape[-1] - len(padded) + 1
    return [part[..., column : column + width] for column, part in enumerate(padded)]


def _reflected(features: Tensor, *, rows: int = 0, columns: int = 0) -> Tensor:
    """Reflects at the border in the precision of the features, where autocast on a CPU goes by way of float32."""
    with torch.autocast("cpu", enabled=False):
        return functional.pad(features, (columns, columns, rows, rows), mode="reflect")
