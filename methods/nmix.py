from dataclasses import dataclass

from methods.mixing.family import HydraMixing
from methods.registry import register


@register("nmix", label="NMix", source="Reinders et al., 2025")
@dataclass(frozen=True)
class NMix(HydraMixing):
    """HydraMix in pixel space, without a generator (HydraMix section 4.6; FIDELITY section 9).

    Partners are drawn without replacement, as HydraMix's are (version 1: with).
    """

    version = 2
