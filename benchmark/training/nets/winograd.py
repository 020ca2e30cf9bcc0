"""3×3 convolutions by Winograd's algorithm, with a quarter of the products (Lavin & Gray, 2016, F(4×4, 3×3))."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from methods import precision

_OUT, _IN = 4, 6  # pixels along a side that a tile writes and reads
_MANY = 64  # channels in and out from which it is faster than torch's convolution


class WinogradConv2d(nn.Conv2d):
    """A 3×3 convolution, padded by one pixel, without bias: N×C×H×W -> N×O×H×W.

    In fp32 on a CPU, from 64 channels on both sides, and where H and W are multiples of 4, it is `winograd`, elsewhere
    torch's own. The two differ in rounding, by about 1e-5 of the largest output.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width, 3, padding=1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return winograd(input, self.weight) if self._pays(input) else super().forward(input)

    def _pays(self, input: Tensor) -> bool:
        fp32_on_a_cpu = precision.on_cpu(input) and input.dtype == torch.float32
        fits = min(self.weight.shape[:2]) >= _MANY and not any(side % _OUT for side in input.shape[2:])
        return fits and fp32_on_a_cpu and not torch.is_autocast_enabled("cpu")


def winograd(images: Tensor, kernels: Tensor) -> Tensor:
    """`conv2d(images, kernels, padding=1)`, differentiable once: N×C×H×W and O×C×3×3 -> N×O×H×W.

    H and W must be multiples of 4. Until it is differentiated it keeps the images at 9/4 of their size.
    """
    return _Winograd.apply(images, kernels)


class _Winograd(torch.autograd.Function):
    """At each of 36 points images are a matrix of tiles×C and kernels one of O×C, whose product is the output there.

    The images' gradient is the convolution of the output's with the kernels turned by 180°.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, kernels: Tensor) -> Tensor:
        tiles = _read(images)
        ctx.save_for_backward(tiles, kernels)
        return _joined(torch.bmm(tiles, _at_points(kernels).mT), images.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        tiles, kernels = ctx.saved_tensors
        images = _joined(torch.bmm(_read(gradient), _at_points(kernels.flip(2, 3))), gradient.shape)
        _, write, kernel = _transforms(gradient.dtype)
        products = torch.bmm(_each(write.T, _tiles(gradient.permute(0, 2, 3, 1), _OUT)).permute(1, 2, 0), tiles)
        return images, _each(kernel.T, products.transpose(0, 1)).unflatten(1, (3, 3)).permute(0, 3, 1, 2)


def _read(images: Tensor) -> Tensor:
    """What tiles read of images, at each point: N×C×H×W -> 36×tiles×C."""
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    return _each(_transforms(images.dtype)[0], _tiles(padded, _IN)).transpose(0, 1)


def _at_points(kernels: Tensor) -> Tensor:
    """Kernels at each point: O×C×3×3 -> 36×O×C."""
    return _each(_transforms(kernels.dtype)[2], kernels.permute(0, 2, 3, 1).flatten(1, 2)).transpose(0, 1)


def _joined(points: Tensor, shape: torch.Size) -> Tensor:
    """What tiles write, side by side: 36×tiles×C -> N×C×H×W, where `shape` is N×...×H×W."""
    count, _, height, width = shape
    tiles = _each(_transforms(points.dtype)[1], points.transpose(0, 1))
    parts = tiles.view(count, height // _OUT, width // _OUT, _OUT, _OUT, points.shape[-1]).transpose(2, 3)
    return parts.reshape(count, height, width, points.shape[-1]).permute(0, 3, 1, 2)


def _tiles(images: Tensor, size: int) -> Tensor:
    """Tiles of `size`×`size` pixels, one at every fourth: N×H×W×C -> tiles×size²×C."""
    tiles = images.unfold(1, size, _OUT).unfold(2, size, _OUT)
    return tiles.permute(0, 1, 2, 4, 5, 3).flatten(3, 4).flatten(0, 2)


def _each(matrix: Tensor, tiles: Tensor) -> Tensor:
    """A matrix times each tile, L×K and T×K×C -> T×L×C: one by one, for all at once would not fit the cache."""
    return torch.bmm(matrix.expand(len(tiles), -1, -1), tiles)


@cache
def _transforms(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices for the pixels that a tile reads, for those that it writes, and for a kernel: 36×36, 16×36, 36×9.

    The points are 0, 1, -1, 2, -2 and infinity along each axis.
    """
    read = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    write = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    kernel = [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1.0],
    ]
    return _both_axes(read, dtype), _both_axes(write, dtype), _both_axes(kernel, dtype)


def _both_axes(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float64)
    return torch.kron(matrix, matrix).to(dtype)
