"""How a backbone is trained by DINO on a training subset, as a recipe for an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from datasets.base import Dataset
from methods.artifacts import Artifact, Recipe
from methods.base import Method
from methods.distillation.networks import Depth, Distilled, resnet
from methods.distillation.training import DinoTraining
from methods.epochs import Epochs
from methods.flops import Work, flops_counted
from methods.task import Task

if TYPE_CHECKING:
    from torchvision.models import ResNet


_TRAINED = 3  # operations of a training step by those of its forward pass


@dataclass(frozen=True)
class DinoRecipe(Epochs, Recipe):
    """What alone determines a backbone, besides the subset and the seed.

    mixing: a resolved method, whose compositions stand in for images. The other fields are explained in dino.Dino.
    """

    name = "dino"

    mixing: Method | None
    depth: Depth
    outputs: int
    view_size: int
    local_views: int
    epochs: int
    batch_size: int
    images_per_class: int
    learning_rate: float
    teacher_momentum: float

    @property
    def title(self) -> str:
        told = [*([] if self.learning_rate else ["random weights"]), *([self.mixing.name] if self.mixing else [])]
        return f"dino resnet{self.depth}" + (f" ({', '.join(told)})" if told else "")

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> tuple[Artifact, ...]:
        return self.mixing.needs(dataset, samples_per_class, seed) if self.mixing else ()

    def network(self) -> Distilled:
        """A fresh backbone and head, with weights from torch's global stream."""
        return Distilled(self.depth, self.outputs)

    def start(self, task: Task, made: tuple[object, ...]) -> DinoTraining:
        return DinoTraining(self, task, self.mixing.prepare(task, made) if self.mixing else None)

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> "ResNet":
        """The teacher's backbone, frozen: normalised images -> features."""
        with torch.device("meta"):  # so that no random weights are drawn
            backbone = resnet(self.depth)
        backbone.load_state_dict(tensors, assign=True)
        backbone.eval().requires_grad_(False)
        return backbone.to(device, memory_format=torch.channels_last)

    def work(self, samples_per_class: int, num_classes: int) -> Work:
        return Work(flops=self._flops() * self.images(samples_per_class, num_classes))

    def _flops(self) -> float:
        """Per image: of the student's views, forward and backward, and of the teacher's."""
        large, small = (
            _forward_flops(self.depth, self.outputs, size) for size in (self.view_size, self.view_size // 2)
        )
        return _TRAINED * (2 * large + self.local_views * small) + 2 * large

    @property
    def identity(self) -> dict[str, object]:
        identity = super().identity
        mixing = {"mixing": self.mixing and self.mixing.identity}
        return {**identity, "parameters": {**identity["parameters"], **mixing}}  # type: ignore[dict-item]


@lru_cache(maxsize=64)
def _forward_flops(depth: Depth, outputs: int, size: int) -> int:
    with torch.device("meta"), torch.no_grad(), flops_counted() as counter:
        Distilled(depth, outputs).eval()([torch.empty(1, 3, size, size)])
    return counter.get_total_flops()
