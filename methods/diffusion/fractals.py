"""Fractals of our own, coloured Julia sets, where DiffuseMix takes its from a collection of pictures.

The same generator gives the same picture; no file is read.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_FINER = 2  # points along a side of each pixel, averaged
_STEPS = 48
_FAR = 16.0  # |z|² at which a point has escaped


def draw_fractal(size: int, rng: torch.Generator) -> Tensor:
    """A picture uint8 size×size×3: how soon each point z escapes under z² + c, in colours of three cosine waves.

    c lies just outside the border of the Mandelbrot set's heart, where the pictures are richest; c, the part of the
    plane that is seen, and the colours are drawn from rng.
    """
    turn, out, zoom, tilt, *colours = torch.rand(10, generator=rng, dtype=torch.float64).tolist()
    angle = 2 * math.pi * turn
    heart = torch.polar(torch.tensor([0.5, 0.25]).double(), torch.tensor([angle, 2 * angle]).double())
    c = (heart[0] - heart[1]) * (1 + 0.1 * out)
    steps = _escape(_plane(size * _FINER, 0.6 + zoom, 2 * math.pi * tilt), c)
    waves, phases = 1 + 3 * torch.tensor(colours[:3]), torch.tensor(colours[3:])
    table = 0.5 + 0.5 * torch.cos(2 * math.pi * (torch.linspace(0, 1, _STEPS + 1)[:, None] * waves + phases))
    picture = functional.avg_pool2d(table[steps].permute(2, 0, 1), _FINER)
    return (picture * 255).round().byte().permute(1, 2, 0).contiguous()


def _plane(points: int, reach: float, tilt: float) -> Tensor:
    """points×points complex numbers around 0, `reach` to each side, turned by `tilt`."""
    line = torch.linspace(-reach, reach, points, dtype=torch.float64)
    return torch.complex(*torch.meshgrid(line, line, indexing="xy")) * complex(math.cos(tilt), math.sin(tilt))


def _escape(z: Tensor, c: Tensor) -> Tensor:
    """After how many steps of z² + c, at most _STEPS, each point is far away."""
    steps = torch.zeros(z.shape, dtype=torch.long)
    for _ in range(_STEPS):
        near = z.real.square() + z.imag.square() < _FAR
        steps += near
        z = torch.where(near, z * z + c, z)
    return steps
