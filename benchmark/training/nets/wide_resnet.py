"""Wide residual networks (Zagoruyko & Komodakis, 2016) as the papers train them (FIDELITY section 1)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """Dropout with cheap random numbers on the CPU: one 64-bit draw decides four elements.

    torch's own Bernoulli masks cost a fifth of a training step there. The probability is met to 1/65536.
    """

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0 or x.device.type != "cpu":
            return functional.dropout(x, self.probability, self.training)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        kept = draws[: x.numel()] >= round(self.probability * 65536) - 32768
        return x.mul(kept.as_strided(x.shape, x.stride())).mul_(1 / (1 - self.probability))


class Block(nn.Module):
    """Pre-activation block of two 3×3 convolutions with dropout between them.

    N×inputs×H×W -> N×width×H/stride×W/stride.

    Where shapes change, a 1×1 convolution of the activated input is the shortcut.
    """

    def __init__(self, inputs: int, width: int, stride: int, dropout: float):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.dropout = Dropout(dropout)
        changes = stride != 1 or inputs != width
        self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = functional.relu(self.norm1(x), inplace=True)
        residual = self.conv1(activated)
        residual = functional.relu(self.norm2(residual), inplace=True)
        residual = self.conv2(self.dropout(residual))
        return residual + (x if self.shortcut is None else self.shortcut(activated))


class WideResNet(nn.Module):
    """WRN-depth-width for small images: N×channels×H×W floats -> N×num_classes logits.

    Three stages of (depth - 4) / 6 blocks with 16, 32, 64 times `width` channels; He-normal (fan-out)
    convolutions, batch norm 1/0, global average pool.
    """

    def __init__(self, depth: int, width: int, num_classes: int, dropout: float = 0.0, channels: int = 3):
        super().__init__()
        widths = [16 * width, 32 * width, 64 * width]
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        inputs = 16
        for stage, channels in enumerate(widths):
            for position in range((depth - 4) // 6):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(Block(inputs, channels, stride, dropout))
                inputs = channels
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, num_classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.blocks(self.stem(x))), inplace=True)
        return self.head(x.mean(dim=(2, 3)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
