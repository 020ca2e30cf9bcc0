from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from methods.base import Method
from methods.registry import register


@register("cosine", label="Cosine", source="Barz & Denzler, 2020")
@dataclass(frozen=True)
class Cosine(Method):
    """One minus the cosine between logits and one-hot target, no cross-entropy beside it (FIDELITY section 6)."""

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        return (1 - (targets * functional.normalize(logits, eps=1e-12)).sum(dim=1)).mean()
