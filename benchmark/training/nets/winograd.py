"""3×3 convolutions by Winograd's algorithm, with a quarter of the products (Lavin & Gray, 2016, F(4×4, 3×3))."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_OUT, _IN = 4, 6  # pixels along a side that a tile writes and reads


class WinogradConv2d(nn.Conv2d):
    """A 3×3 convolution, padded by one pixel, without bias: N×C×H×W -> N×width×H×W, faster in fp32 on a CPU.

    Elsewhere, and where H or W is no multiple of 4, it is torch's own. Both round differently, to about 1e-5 of the
    largest output.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width, 3, padding=1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        fp32_on_a_cpu = input.device.type == "cpu" and input.dtype == torch.float32
        if fp32_on_a_cpu and not torch.is_autocast_enabled("cpu") and not any(side % _OUT for side in input.shape[2:]):
            return winograd(input, self.weight)
        return super().forward(input)


def winograd(images: Tensor, kernels: Tensor) -> Tensor:
    """`conv2d(images, kernels, padding=1)` of 3×3 kernels, differentiable once; sides are multiples of 4."""
    return _Winograd.apply(images, kernels)


class _Winograd(torch.autograd.Function):
    """Tiles of images and kernels become matrices of one row to a channel, whose products are the convolution."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, kernels: Tensor) -> Tensor:
        padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        read, written, kernel = _transforms(images.dtype)
        tiles = _each(read, _tiles(padded, _IN))
        weights = _each(kernel, kernels.permute(0, 2, 3, 1).flatten(1, 2))
        ctx.save_for_backward(tiles, weights)
        products = torch.bmm(tiles.transpose(0, 1), weights.permute(1, 2, 0))
        return _joined(_each(written, products.transpose(0, 1)), images.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        tiles, weights = ctx.saved_tensors
        read, written, kernel = _transforms(gradient.dtype)
        products = _each(written.T, _tiles(gradient.permute(0, 2, 3, 1), _OUT)).transpose(0, 1)
        images = _each(read.T, torch.bmm(products, weights.transpose(0, 1)).transpose(0, 1))
        kernels = _each(kernel.T, torch.bmm(products.mT, tiles.transpose(0, 1)).transpose(0, 1))
        return _added(images, gradient.shape), kernels.unflatten(1, (3, 3)).permute(0, 3, 1, 2)


@cache
@torch.inference_mode(False)  # the first to ask may be an evaluation, the next one a training
def _transforms(dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Matrices for the pixels that a tile reads, for those that it writes, and for a kernel: 36×36, 16×36, 36×9.

    The points are 0, 1, -1, 2, -2 and infinity.
    """
    read = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    written = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    kernel = [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
    along = (torch.tensor(rows, dtype=torch.float64) for rows in (read, written, kernel))
    return tuple(torch.kron(matrix, matrix).to(dtype) for matrix in along)


def _each(matrix: Tensor, tiles: Tensor) -> Tensor:
    """A matrix times each of the tiles, one by one: all at once they would not fit the cache."""
    return torch.bmm(matrix.expand(len(tiles), -1, -1), tiles)


def _tiles(images: Tensor, size: int) -> Tensor:
    """N×H×W×C images as tiles of `size`×`size` pixels, one at every fourth pixel: T×size²×C."""
    tiles = images.unfold(1, size, _OUT).unfold(2, size, _OUT)
    return tiles.permute(0, 1, 2, 4, 5, 3).flatten(3, 4).flatten(0, 2)


def _joined(tiles: Tensor, shape: torch.Size) -> Tensor:
    """Tiles of 4×4 pixels side by side: T×16×C -> N×C×H×W, where `shape` is N×...×H×W."""
    count, _, height, width = shape
    parts = tiles.view(count, height // _OUT, width // _OUT, _OUT, _OUT, -1).transpose(2, 3)
    return parts.reshape(count, height, width, -1).permute(0, 3, 1, 2)


def _added(tiles: Tensor, shape: torch.Size) -> Tensor:
    """The sum of overlapping tiles of 6×6 pixels without the padding: T×36×C -> N×C×H×W."""
    count, _, height, width = shape
    rows, columns = height // _OUT, width // _OUT
    parts = tiles.view(count, rows, columns, _IN, _IN, -1).permute(0, 1, 3, 2, 4, 5)
    whole = parts.new_zeros(count, rows + 1, _OUT, columns + 1, _OUT, parts.shape[-1])
    for row, high in enumerate((_OUT, _IN - _OUT)):
        for column, wide in enumerate((_OUT, _IN - _OUT)):
            part = parts[:, :, row * _OUT :, :, column * _OUT :][:, :, :high, :, :wide]
            whole[:, row : row + rows, :high, column : column + columns, :wide] += part
    return whole.flatten(3, 4).flatten(1, 2)[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2)
