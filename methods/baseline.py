from dataclasses import dataclass

from methods.base import Method
from methods.registry import register


@register("baseline", label="Baseline", source="Zagoruyko & Komodakis, 2016; He et al., 2016")
@dataclass(frozen=True)
class Baseline(Method):
    """Cross-entropy with crop and flip, nothing else (FIDELITY section 2)."""
