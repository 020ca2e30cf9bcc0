"""Parametric scattering networks (Gauthier et al., 2022; FIDELITY section 13)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import torch
from torch import nn

from datasets.base import Dataset
from datasets.registry import BadInput
from methods.base import NO_BUDGETS, Budgets, Method
from methods.flops import Work, count
from methods.registry import register
from methods.scattering.filters import STRIDE, Initial, Wavelets
from methods.scattering.transform import COEFFICIENTS, Scattering

_LARGE = 64  # pixels; the paper has 32
_PAPER_WIDTH = 8
_PAPER_PROTOCOL = {
    "batch_size": 128,
    "images_per_class": 1,
    "learning_rate": 0.1,
    "momentum": 0.95,
    "nesterov": False,
    "schedule": "onecycle",
    "weight_decay": 0.0005,
}


@register("scattering", label="Scattering", source="Gauthier et al., 2022")
@dataclass(frozen=True)
class ParametricScattering(Method):
    """Classifies scattering coefficients instead of pixels, and learns the wavelets along with the classifier.

    It brings the protocol of its own paper, of which the preset's budget `scattering` may replace parts (and `width`,
    of the network on top); augmentation and splits are those of all rows. initial: wavelets to start from. large:
    also takes images of more than 64 pixels, which no paper does.
    """

    learnable: bool = True
    initial: Initial = "tight-frame"
    large: bool = False

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        if dataset.image_size > _LARGE and not self.large:
            raise BadInput(
                f"method 'scattering' on {dataset.text}: {dataset.image_size} pixels are not in the paper; "
                "scattering(large=true) runs it nevertheless"
            )
        return self

    def protocol(self, images: int, budgets: Budgets = NO_BUDGETS) -> dict[str, object]:
        spent: dict[str, object] = {"width": _PAPER_WIDTH, "epochs": paper_epochs(images)}
        spent |= budgets.get("scattering", {})
        return _PAPER_PROTOCOL | {"network": f"scattering-wrn-{spent.pop('width')}"} | spent

    def classifier_input(self, image_size: int) -> tuple[int, int]:
        return 3 * COEFFICIENTS, image_size // STRIDE

    def work(self, dataset: Dataset, images: int) -> Work:
        return _step(self.initial, self.learnable, dataset.image_size, images)

    def network(self, classifier: nn.Module) -> nn.Module:
        return ScatteringNetwork(Scattering(Wavelets(self.initial, self.learnable)), classifier)


@lru_cache(maxsize=16)
def _step(initial: Initial, learnable: bool, size: int, images: int) -> Work:
    """The transform of a batch, forward and backward; Fourier transforms count by what they write."""
    return count(
        lambda transform, images: transform(images).sum().backward(),
        lambda: Scattering(Wavelets(initial, learnable)),
        lambda: torch.empty(images, 3, size, size, requires_grad=not learnable),
    )


class ScatteringNetwork(nn.Sequential):
    """A scattering transform and the classifier of its coefficients."""

    def no_weight_decay(self) -> set[str]:
        """The parameters of the wavelets, by name: angles and frequencies are not drawn to zero."""
        banks = {id(numbers) for bank in self.modules() if isinstance(bank, Wavelets) for numbers in bank.parameters()}
        return {name for name, parameter in self.named_parameters() if id(parameter) in banks}


def paper_epochs(images: int) -> int:
    """The paper's 3000, 2000 and 1000 epochs at 100, 500 and 1000 images; other numbers get those of the next larger.

    So the number of steps never falls where there are more images.
    """
    return 3000 if images <= 100 else 2000 if images <= 500 else 1000
