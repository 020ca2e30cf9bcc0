"""The scattering transform on two scales, by Fourier transforms (Bruna & Mallat, 2013; FIDELITY section 13)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods import precision
from methods.scattering.filters import ANGLES, STRIDE, Wavelets, low_pass

COEFFICIENTS = 1 + 2 * ANGLES + ANGLES**2
_CACHED = 12  # signals that a CPU transforms at a time: what comes in between then stays in its cache


class Scattering(nn.Module):
    """Blurred moduli of wavelet transforms, of orders 0, 1 and 2: B×C×H×H -> B×81C×H/4×H/4, H at least 8.

    Color by color, in kymatio's order and with its borders. It computes in the wavelets' precision, also under
    autocast: the Fourier transforms of a GPU know no bf16. The filters are made anew at every call.
    """

    def __init__(self, wavelets: Wavelets):
        super().__init__()
        self.wavelets = wavelets

    def forward(self, images: Tensor) -> Tensor:
        with precision.without_autocast(images.device):
            signals = _pad(images.to(self.wavelets.slants.dtype)).flatten(0, 1)
            filters = self.wavelets(signals.shape[-1])
            parts = signals.split(_CACHED if precision.on_cpu(images) else len(signals))
            maps = torch.cat([_scatter(part, filters) for part in parts])
        return maps.unflatten(0, images.shape[:2]).flatten(1, 2).contiguous(memory_format=torch.channels_last)


def padded_size(size: int) -> int:
    """Pixels along a side with at least two added at both ends, a multiple of 4."""
    return (size // STRIDE + 2) * STRIDE


def _pad(images: Tensor) -> Tensor:
    missing = padded_size(images.shape[-1]) - images.shape[-1]
    before, after = missing // 2, (missing + 1) // 2
    return functional.pad(images, (before, after, before, after), mode="reflect")


def _scatter(signals: Tensor, filters: Tensor) -> Tensor:
    """The coefficients of S×P×P signals: S×81×(P/4 - 2)×(P/4 - 2)."""
    fine, coarse = filters.split(ANGLES)
    spectra = torch.fft.fft2(signals)[:, None]
    first = torch.fft.ifft2(spectra * fine).abs()
    last = _halved(spectra, coarse).abs()
    second = _halved(torch.fft.fft2(first), coarse).abs()
    orders = (signals[:, None], first, last.flatten(1, 2), second.flatten(1, 2))
    return torch.cat([_blurred(order, signals.shape[-1]) for order in orders], dim=1)


def _halved(spectra: Tensor, filters: Tensor) -> Tensor:
    """Every second pixel of each signal behind each filter: S×A×P×P spectra, L×P×P -> S×A×L×P/2×P/2, complex."""
    # real and imaginary parts lie side by side: real products of twice the width are cheaper than complex ones
    signals = _quarters(torch.view_as_real(spectra).flatten(-2).unsqueeze(2))
    wavelets = _quarters(filters.repeat_interleave(2, dim=-1) / 4)
    kept = signals[0] * wavelets[0]
    for signal, wavelet in zip(signals[1:], wavelets[1:], strict=True):
        kept.addcmul_(signal, wavelet)
    return torch.fft.ifft2(torch.view_as_complex(kept.unflatten(-1, (-1, 2))))


def _quarters(spectra: Tensor) -> list[Tensor]:
    """The quarters of ...×P×W spectra, whose mean is the spectrum of every second pixel."""
    parts = spectra.unflatten(-1, (2, -1)).unflatten(-3, (2, -1))
    return [parts[..., row, :, column, :] for row in (0, 1) for column in (0, 1)]


def _blurred(maps: Tensor, size: int) -> Tensor:
    """The low pass of ...×p×p maps that stand for `size` pixels, at the coefficients' places."""
    blur = low_pass(size, maps.shape[-1], maps.dtype, maps.device)
    return _along_rows(_along_rows(maps, blur).mT, blur).mT


def _along_rows(maps: Tensor, matrix: Tensor) -> Tensor:
    """...×p×q maps with each row multiplied by a matrix, all in one product: torch.matmul makes many small ones."""
    return (maps.reshape(-1, maps.shape[-1]) @ matrix.T).unflatten(0, maps.shape[:-1])
