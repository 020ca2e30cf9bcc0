"""Two layers as the processor likes them: on a CPU in mixed precision half of a generator's step is theirs."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-5


class ActivatedNorm(nn.Module):
    """Instance norm without parameters, then a leaky ReLU of `slope` (0 is ReLU, 1 nothing); B×C×H×W, H×W > 1."""

    def __init__(self, slope: float = 0.0) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, features: Tensor) -> Tensor:
        if features.device.type == "cpu":
            return _CpuNorm.apply(features, self.slope)
        normal = functional.instance_norm(features, eps=_EPSILON)
        return normal if self.slope == 1 else functional.leaky_relu(normal, self.slope)


class _CpuNorm(torch.autograd.Function):
    """Image by image with the kernels of batch norm, which keep channels last and find an image in the cache."""

    @staticmethod
    def forward(ctx, features: Tensor, slope: float) -> Tensor:
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
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
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

    def forward(self, features: Tensor) -> Tensor:
        if self.in_channels > 3 or features.device.type != "cpu":
            return super().forward(features)
        # a CPU wastes most of its work on three channels: the kernel's columns become channels
        side, width = self.kernel_size[0], features.shape[-1]
        padded = functional.pad(features, (side // 2,) * 4, mode="reflect")
        shifted = torch.cat([padded[..., column : column + width] for column in range(side)], 1)
        weight = self.weight.permute(0, 3, 1, 2).reshape(self.out_channels, side * self.in_channels, side, 1)
        return functional.conv2d(shifted.contiguous(memory_format=torch.channels_last), weight, self.bias)
