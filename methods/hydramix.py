from dataclasses import dataclass
from typing import Literal

from methods.mixing.family import Generated, HydraMixing
from methods.mixing.recipe import Strides
from methods.registry import register


@register("hydramix", label="HydraMix", source="Reinders et al., 2025")
@dataclass(frozen=True)
class HydraMix(Generated, HydraMixing):
    """A generator mixes the features of several images of a class by their segments (HydraMix section 3).

    There is no public code; the defaults follow the paper (FIDELITY section 9): active decoder blocks, a first
    discriminator stride of 1, the reconstruction averaged over the images, the perceptual loss on two of them,
    added up. Not in the paper and taken from ChimeraMix's code: no weight decay (the paper lists 0.0005), the
    generator's size of 64 pixels, partners drawn without replacement (version 1: with).
    """

    version = 2

    strides: Strides = (1, 2, 2, 2)
    decoder_blocks: Literal["active", "bypassed"] = "active"
    reconstruction: Literal["sum", "mean"] = "mean"
