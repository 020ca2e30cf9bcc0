from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, PlainValidator
from torch import Tensor, nn

from datasets.base import Dataset
from datasets.registry import BadInput
from methods.artifacts import Artifact
from methods.base import NO_BUDGETS, Budgets, Method
from methods.compose import Prepared
from methods.distillation.networks import Depth
from methods.distillation.recipe import DinoRecipe
from methods.mixing.composer import Mixing
from methods.ranges import Amount, Positive, Share
from methods.registry import make_method, parse_method, register, registry
from methods.task import Task

_PAPER_DEPTH = 50
# pixels: of a local view of half of it, the last stage gets 2×2 places. Of a single one, oneDNN's bf16 gradients of
# convolutions with strides are not the same from time to time
_LEAST_VIEW = 48
# DINO's linear probe: plain SGD at 0.001 for 256 images, here for 128
_PROBE = {"epochs": 100, "batch_size": 128, "learning_rate": 0.0005, "weight_decay": 0.0, "nesterov": False}


def _mixing(value: object) -> Mixing | None:
    """A method that mixes, from its text or its identity."""
    if value is None or isinstance(value, Mixing):
        return value
    if isinstance(value, dict):
        method = make_method(registry.get(value["name"]), value["parameters"])
    else:
        method = parse_method(str(value))
    if not isinstance(method, Mixing):
        raise ValueError("a method that mixes within a class is wanted, like hydramix or chimeramix-seg")
    return method


@register("dino", label="DINO", source="Caron et al., 2021")
@dataclass(frozen=True)
class Dino(Method):
    """Classifies by a linear layer on a frozen backbone that was trained without labels (FIDELITY section 14).

    First a residual network learns on the subset alone that views of an image are alike: large and small crops with
    changed colours, by DINO's loss against the student's own moving average, whose backbone is kept. Then the run
    trains the linear layer, with the crops and flips of all rows, by the protocol of DINO's linear probe, of which the
    preset's budget `probe` may replace parts.

    The paper says neither the network nor sizes, nor where its mixing enters: here DINO's recipe for ResNet-50, global
    views of the images' size (at least 48 pixels) and local ones of half of it, and an epoch that shows each image as
    often as in all rows.
    """

    # compositions that stand in for images while the backbone is trained, at the method's own p_gen; none in the probe
    mixing: Annotated[Mixing | None, PlainValidator(_mixing)] = None
    # random is the control: the same backbone after an epoch at a learning rate of 0, so that nothing but the
    # statistics of its batch norms has seen an image
    weights: Literal["trained", "random"] = "trained"
    # None is the preset's to spend: layers, prototypes, pixels of a global view, local views
    depth: Depth | None = None
    outputs: Positive | None = None
    view_size: Annotated[int, Field(ge=_LEAST_VIEW)] | None = None
    local_views: Annotated[int, Field(ge=0)] | None = None
    epochs: Positive | None = None
    batch_size: Positive | None = None
    images_per_class: Positive | None = None
    learning_rate: Amount | None = None  # for batches of 256
    teacher_momentum: Share | None = None  # at the start

    @property
    def remark(self) -> str:  # type: ignore[override]
        return f"{self.label} is trained on the labelled subset's images alone."

    def resolve(self, dataset: Dataset, budgets: Budgets = NO_BUDGETS) -> Self:
        mixing = self.mixing and self.mixing.resolve(dataset, budgets)
        spent = {"view_size": max(dataset.image_size, _LEAST_VIEW)} | dict(budgets.get("dino", {}))
        return replace(self, mixing=mixing).fill(spent)

    def protocol(self, images: int, budgets: Budgets = NO_BUDGETS) -> dict[str, object]:
        return {"network": f"torchvision/resnet{self.depth or _PAPER_DEPTH}", **_PROBE, **budgets.get("probe", {})}

    def needs(self, dataset: Dataset, samples_per_class: int, seed: int) -> tuple[Artifact, ...]:
        return (Artifact(self.recipe(), dataset, samples_per_class, seed),)

    def recipe(self) -> DinoRecipe:
        """The recipe of the backbone, of a resolved method."""
        values = self.parameters()
        if unknown := [name for name, value in values.items() if value is None and name != "mixing"]:
            raise ValueError(f"{', '.join(unknown)}: resolve() with a preset's budgets comes first")
        if values.pop("weights") == "random":
            values |= {"epochs": 1, "learning_rate": 0.0}
        return DinoRecipe(**values)  # type: ignore[arg-type]

    def prepare(self, task: Task, made: tuple[object, ...]) -> Method:
        (backbone,) = made
        assert isinstance(backbone, nn.Module)
        return Probing(self, backbone)

    @property
    def identity(self) -> dict[str, object]:
        identity = super().identity
        mixing = {"mixing": self.mixing and self.mixing.identity}
        return {**identity, "parameters": {**identity["parameters"], **mixing}}  # type: ignore[dict-item]


@dataclass(frozen=True)
class Probing(Prepared):
    """DINO with its backbone, ready for the linear probe."""

    method: Dino
    backbone: nn.Module

    def network(self, classifier: nn.Module) -> nn.Module:
        """The backbone below a linear layer; raises BadInput where the protocol's classifier is another network."""
        linear = getattr(classifier, "fc", None)
        classifier.fc = nn.Identity()
        wanted = {name: value.shape for name, value in self.backbone.state_dict().items()}
        if {name: value.shape for name, value in classifier.state_dict().items()} != wanted:
            raise BadInput(f"method 'dino': its network is torchvision/resnet{self.method.depth}; say dino(depth=...)")
        assert isinstance(linear, nn.Linear)
        return Probe(self.backbone, linear)


class Probe(nn.Module):
    """A backbone that learns nothing below a linear layer that does: normalised images N×3×H×W -> logits."""

    def __init__(self, backbone: nn.Module, linear: nn.Linear):
        super().__init__()
        self.backbone, self.linear = backbone.requires_grad_(False), linear
        nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(linear.bias)

    def train(self, mode: bool = True) -> Self:
        """The backbone stays in evaluation: its batch norms keep their statistics."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)
        return self.linear(features)
