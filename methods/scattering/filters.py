"""The filters of a scattering transform on two scales: Morlet wavelets with parameters to learn, a fixed low pass."""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn

SCALES, ANGLES = 2, 8
STRIDE = 2**SCALES  # pixels of an image to one of a coefficient's map
Initial = Literal["tight-frame", "random"]

_PERIODS = range(-2, 3)  # of the grid, over which the Gaussian's tails reach


class Wavelets(nn.Module):
    """16 Morlet wavelets, 8 fine ones before 8 coarse ones, by four numbers each (Gauthier et al., 2022).

    orientations in radians from the first axis, frequencies in radians per pixel, widths of the Gaussian envelope in
    pixels, slants: the envelope's aspect. `tight-frame` starts from the usual fixed bank, `random` from numbers
    drawn of torch's global stream.
    """

    def __init__(self, initial: Initial = "tight-frame", learnable: bool = True):
        super().__init__()
        numbers = _tight_frame() if initial == "tight-frame" else _random()
        self.orientations, self.frequencies, self.widths, self.slants = (
            nn.Parameter(values, requires_grad=learnable) for values in numbers
        )

    def forward(self, size: int) -> Tensor:
        """Their Fourier transforms on a grid of `size`×`size` pixels, real: 16×size×size."""
        first, second = self._grid(size)
        cosine, sine = _column(self.orientations.cos()), _column(self.orientations.sin())
        along, across = cosine * first + sine * second, cosine * second - sine * first
        slant, width = _column(self.slants), _column(self.widths)
        envelope = torch.exp(-(along**2 + (slant * across) ** 2) / (2 * width**2))
        wave = torch.polar(envelope, _column(self.frequencies) * along)
        mean = wave.real.sum((1, 2), keepdim=True) / envelope.sum((1, 2), keepdim=True)
        wavelets = slant / (2 * math.pi * width**2) * (wave - mean * envelope)
        return torch.fft.fft2(wavelets).real

    def _grid(self, size: int) -> tuple[Tensor, Tensor]:
        """Distances from the origin along both axes, in the order of the Fourier transform."""
        line = torch.fft.fftfreq(size, 1 / size, dtype=self.slants.dtype, device=self.slants.device)
        return line[:, None], line[None, :]


def _column(values: Tensor) -> Tensor:
    return values[:, None, None]


def _tight_frame() -> list[Tensor]:
    """FIDELITY section 13."""
    scale = torch.arange(SCALES).repeat_interleave(ANGLES)
    angle = torch.arange(ANGLES).repeat(SCALES)
    orientations = (ANGLES // 2 - 1 - angle) * math.pi / ANGLES
    return [orientations, 0.75 * math.pi / 2**scale, 0.8 * 2**scale, torch.full(scale.shape, 4 / ANGLES)]


def _random() -> list[Tensor]:
    """FIDELITY section 13; widths are logarithms of uniform numbers, from 1 to 5 pixels."""
    count = SCALES * ANGLES

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high)

    return [uniform(0, 2 * math.pi), uniform(0.5, 1), uniform(math.e, math.e**5).log(), uniform(0.5, 1.5)]


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the first to ask may be an evaluation, the next one a training
def low_pass(size: int, points: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Blurs a line of `points` that stands for `size` pixels, and keeps the coefficients' places: a matrix.

    The places are every fourth pixel without the first and the last: (size/4 - 2)×points. The blur is kymatio's: a
    Gaussian of 1.6 pixels, of which a coarser line keeps the low frequencies.
    """
    width = 0.8 * 2 ** (SCALES - 1)
    places = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    gaussian = sum(torch.exp(-((places + period * size) ** 2) / (2 * width**2)) for period in _PERIODS)
    spectrum = torch.fft.fft(gaussian / (math.sqrt(2 * math.pi) * width)).real
    lowest = torch.cat([spectrum[: points // 2], spectrum[size - points // 2 :]])
    kernel = torch.fft.ifft(lowest).real
    kept = torch.arange(1, size // STRIDE - 1) * (STRIDE * points // size)
    return kernel[(kept[:, None] - torch.arange(points)) % points].to(device, dtype)
