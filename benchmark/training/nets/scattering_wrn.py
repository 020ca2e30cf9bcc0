"""The classifier of scattering coefficients: a wide residual network without strides (FIDELITY section 13)."""

from torch import Tensor, nn
from torch.nn import functional

from benchmark.training.nets.winograd import WinogradConv2d


def _convolution(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(WinogradConv2d(inputs, width), nn.BatchNorm2d(width))


class Block(nn.Module):
    """Two 3×3 convolutions, activated after the shortcut is added: N×inputs×H×W -> N×width×H×W.

    Where the width changes, a 1×1 convolution is the shortcut.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.first, self.second = _convolution(inputs, width), _convolution(width, width)
        projection = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Identity() if inputs == width else projection

    def forward(self, x: Tensor) -> Tensor:
        residual = self.second(functional.relu(self.first(x), inplace=True))
        return functional.relu(residual + self.shortcut(x), inplace=True)


class ScatteringWideResNet(nn.Module):
    """N×channels×H×W floats -> N×num_classes logits, at one resolution up to an average over the four quarters.

    Four blocks of 32 times and four of 64 times `width` channels; torch's own initial weights, no dropout.
    """

    def __init__(self, width: int, num_classes: int, channels: int):
        super().__init__()
        # as in the published code; the second norm undoes what the first has learned
        self.norms = nn.Sequential(nn.BatchNorm2d(channels), nn.BatchNorm2d(channels, affine=False))
        self.stem = _convolution(channels, 16 * width)
        widths = [16 * width, *[32 * width] * 4, *[64 * width] * 4]
        self.blocks = nn.Sequential(*map(Block, widths[:-1], widths[1:]))
        self.head = nn.Linear(4 * widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(functional.relu(self.stem(self.norms(x)), inplace=True))
        return self.head(functional.adaptive_avg_pool2d(x, 2).flatten(1))
