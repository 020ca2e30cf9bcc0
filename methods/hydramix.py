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
    added up. What the paper leaves open is taken from ChimeraMix's code: the generator's size of 64 pixels, its width
    of 64, two down-samplings and batches of 64 (8 on STL-10), three levels of the Laplacian pyramid, 30 / n repeats
    on STL-10, partners drawn without replacement (version 1: with). Two things follow that code against the text: no
    weight decay (table 10: 0.0005), and a first discriminator block without normalisation (section 3.4 has one in
    every block). Our own: the discriminator learns from the fakes of the generator's step (d_fakes=reuse), where that
    code draws new ones and the paper says nothing.
    """

    version = 2

    strides: Strides = (1, 2, 2, 2)
    decoder_blocks: Literal["active", "bypassed"] = "active"
    reconstruction: Literal["sum", "mean"] = "mean"
