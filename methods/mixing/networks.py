"""Generator and discriminator of ChimeraMix and HydraMix, for RGB images in [-1, 1] (FIDELITY sections 8 and 9).

The convolutions are initialised as torch does by default, as in ChimeraMix's code.
"""

from torch import Tensor, nn

from methods.mixing.layers import ActivatedNorm, ReflectingConv

_RGB = 3
_SLOPE = 0.2


class ResidualBlock(nn.Module):
    """Features B×width×T×T -> features of the same shape: x + two normalised 3×3 convolutions of x; T >= 2."""

    def __init__(self, width: int, *, bias: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_activated(ReflectingConv(width, width, 3, bias=bias)),
            ReflectingConv(width, width, 3, bias=bias),
            ActivatedNorm(slope=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


class Encoder(nn.Sequential):
    """Images B×3×H×W in [-1, 1] -> features B×(4 width)×(H/4)×(W/4); H, W multiples of 4 (HydraMix section 3.1).

    blocks: residual blocks at the end, those before the mixing point.
    """

    def __init__(self, width: int = 64, blocks: int = 2) -> None:
        super().__init__(
            *_activated(ReflectingConv(_RGB, width, 7, bias=True)),
            *_activated(_halving(width)),
            *_activated(_halving(2 * width)),
            *(ResidualBlock(4 * width, bias=True) for _ in range(blocks)),
        )


class Decoder(nn.Module):
    """Features B×(4 width)×T×T -> images B×3×4T×4T in (-1, 1) (HydraMix section 3.3).

    active: whether the residual blocks are evaluated. Both papers say so; ChimeraMix's code drops their
    result (FIDELITY fact 1), so at False they keep their parameters, are not evaluated and get no gradient.
    Only the last convolution has a bias, as in the code.
    """

    def __init__(self, width: int = 64, blocks: int = 2, *, active: bool) -> None:
        super().__init__()
        self.active = active
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, bias=False) for _ in range(blocks)))
        self.upsampling = nn.Sequential(
            *_activated(_doubling(4 * width)),
            *_activated(_doubling(2 * width)),
            ReflectingConv(width, _RGB, 7, bias=True),
            nn.Tanh(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.upsampling(self.blocks(features) if self.active else features)


class Generator(nn.Module):
    """Encoder and decoder, between which features are mixed (ChimeraMix section 3.1, table 5; HydraMix equation 2).

    active: see Decoder; True in both papers, False in ChimeraMix's code. blocks: residual blocks in all, of
    which the first `mix_after` belong to the encoder. Raises ValueError where mix_after exceeds blocks.
    """

    def __init__(self, *, active: bool, blocks: int = 4, mix_after: int = 2, width: int = 64) -> None:
        super().__init__()
        if not 0 <= mix_after <= blocks:
            raise ValueError(f"mix_after={mix_after} must lie in 0..blocks={blocks}")
        self.encoder = Encoder(width, mix_after)
        self.decoder = Decoder(width, blocks - mix_after, active=active)

    def encode(self, images: Tensor) -> Tensor:
        """Images B×3×H×W in [-1, 1] -> features B×(4 width)×(H/4)×(W/4)."""
        return self.encoder(images)

    def decode(self, features: Tensor) -> Tensor:
        """Features B×(4 width)×T×T -> images B×3×4T×4T in (-1, 1)."""
        return self.decoder(features)


class Discriminator(nn.Sequential):
    """Images B×3×H×W -> the probability that each patch is real, B×1×h×w; h = H/16 at four strides of 2.

    strides: of the four blocks: (2, 2, 2, 2) in ChimeraMix's code, (1, 2, 2, 2) in HydraMix section 3.4,
    (1, 1, 1, 1) in ChimeraMix's supplement. The first block is not normalised, as in the code; both papers
    (HydraMix section 3.4) have a normalisation in all four. At four strides of 2, H and W are at least 32.
    """

    def __init__(self, width: int = 64, *, strides: tuple[int, int, int, int]) -> None:
        super().__init__(
            nn.Conv2d(_RGB, width, 4, strides[0], padding=1),
            nn.LeakyReLU(_SLOPE, inplace=True),
            *_widening(width, strides[1]),
            *_widening(2 * width, strides[2]),
            *_widening(4 * width, strides[3]),
            # with padding on both sides a kernel of 4 gives one place less than it gets
            nn.ZeroPad2d((1, 0, 1, 0)),
            nn.Conv2d(8 * width, 1, 4, padding=1),
            nn.Sigmoid(),
        )


def _activated(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, ActivatedNorm()]


def _halving(width: int) -> nn.Conv2d:
    return nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)


def _doubling(width: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(width, width // 2, 2, stride=2, bias=False)


def _widening(width: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(width, 2 * width, 4, stride, padding=1), ActivatedNorm(_SLOPE)]
