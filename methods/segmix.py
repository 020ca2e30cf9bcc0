from dataclasses import dataclass

from methods.mixing.family import SegmentMixing
from methods.registry import register


@register("segmix", label="SegMix", source="Reinders et al., 2022")
@dataclass(frozen=True)
class SegMix(SegmentMixing):
    """ChimeraMix+Seg in pixel space, without a generator (ChimeraMix table 3; FIDELITY section 8)."""
