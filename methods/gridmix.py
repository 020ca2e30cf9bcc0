from dataclasses import dataclass

from methods.mixing.family import GridMixing
from methods.registry import register


@register("gridmix", label="GridMix", source="Reinders et al., 2022")
@dataclass(frozen=True)
class GridMix(GridMixing):
    """ChimeraMix+Grid in pixel space, without a generator (ChimeraMix table 3; FIDELITY section 8).

    The mask has generator_size pixels, so that a cell is a quarter of the image and more.
    """
